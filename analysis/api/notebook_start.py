"""What a notebook begins with: the newest of what it is about, or else a made-up example.

Whatever is found is named in a printed line, and a made-up example is called that. Something that
was asked for by name and is not there is an error, never an example.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import store
from analysis.alignment.alignment_report import AlignmentReport
from analysis.api.measurement import (
    BEGIN,
    Measurement,
    measure_run,
    measure_runs,
    measure_study,
    open_reader,
    studies_with_runs,
)
from analysis.errors import NothingToCompare
from analysis.estimators.judge_agreement import Comparison, compare
from analysis.estimators.learning_curve import Alignment, latest
from analysis.examples.made_up_results import write_ladder, write_spectrum_example
from analysis.examples.study import STUDY, write_example, write_replay
from analysis.spectrum.scores import SpectrumFindings
from analysis.spectrum.spectrum_report import read_spectrum
from store.api.data_reader import DataReader
from store.api.run_reader import RunReader
from store.errors import RunNotFound
from store.results.trainings import LADDER
from store.results.value_spectrum import RETRIEVAL
from store.runs import ledger
from store.runs.recorded_model_names import REPLAY
from store.terminal.printing import echo
from store.untrusted.clean_text import show_line

_RUN = "example-kim-treatment"


@dataclass(frozen=True, eq=False)
class TwoJudges:
    """A run and its replay, judged by another model, persona or strategy."""

    first: RunReader
    second: RunReader
    both: Measurement

    def compare(self) -> Comparison:
        """Compare the judges; raises ``NothingToCompare`` where they share no judged video."""
        return compare(self.both.material.views)


@dataclass(frozen=True, eq=False)
class OpenSpectrum:
    """A value spectrum, scored, and the data folder with its frames."""

    data: DataReader
    findings: SpectrumFindings


@dataclass(frozen=True, eq=False)
class OpenLadder:
    """A ladder of trainings, read from its folder."""

    folder: Path
    alignment: Alignment

    def summary(self) -> str:
        """Return in words what it shows."""
        return AlignmentReport(self.alignment, self.folder).text().rpartition("\n\n")[0]


def find_run(data: str | Path | None = None, run: str | None = None) -> Measurement:
    """Return a run, or the latest that has a video; without any the made-up example.

    Raises as ``analysis.open_run`` where ``run`` is given.
    """
    reader = open_reader(data)
    if run is None:
        names = [each.id for each in reader.runs() if each.videos]
        if not names:
            _call_made_up("no run", reader, "Type: python -m agent run --persona p12")
            return measure_run(_make_example(), _RUN)
        run = names[-1]
    measured = measure_run(reader, run)
    echo(f"In {show_line(str(reader.folder.root))}: {measured.runs[0]!r}")
    return measured


def find_study(data: str | Path | None = None, study: str | None = None) -> Measurement:
    """Return a study, or the latest that has a run; without any the made-up example.

    Raises as ``analysis.open_study`` where ``study`` is given.
    """
    reader = open_reader(data)
    if study is None:
        names = studies_with_runs(reader)
        if not names:
            _call_made_up("no study with a run", reader, BEGIN)
            return measure_study(_make_example(), STUDY)
        study = names[0]
    measured = measure_study(reader, study)
    echo(f"In {show_line(str(reader.folder.root))}: study {measured!r}")
    return measured


def find_replay(data: str | Path | None = None, run: str | None = None) -> TwoJudges:
    """Return a replay with the run that it replays, the latest or this one; else made-up ones.

    Raises ``NothingToCompare`` where ``run`` is given and replays no run that is there.
    """
    reader = open_reader(data)
    runs = [reader.run(run)] if run is not None else reader.runs()
    pairs = [pair for each in runs if (pair := _pair_up(reader, each)) is not None]
    if not pairs and run is not None:
        raise NothingToCompare(
            f"Run {runs[0].id} replays no run that is here. "
            f"Type: python -m agent run --platform replay --of {runs[0].id} --model MODEL"
        )
    if not pairs:
        fix = "Type: python -m agent run --platform replay --of latest --model MODEL"
        _call_made_up("no replay", reader, fix)
        reader = _make_example()
        pairs = [(reader.run(_RUN), reader.run(f"{_RUN}-replay"))]
    else:
        first, second = pairs[-1]
        echo(f"In {show_line(str(reader.folder.root))}: {first!r}\nreplayed as {second!r}")
    return TwoJudges(*pairs[-1], measure_runs(reader, pairs[-1]))


def find_spectrum(data: str | Path | None = None, spectrum: str | None = None) -> OpenSpectrum:
    """Return a value spectrum, or the newest one that a model answered; else a made-up one.

    Raises ``UnknownSpectrum`` and ``NothingToCompare`` where ``spectrum`` is given.
    """
    reader = open_reader(data)
    if spectrum is not None:
        return OpenSpectrum(reader, read_spectrum(reader.folder, spectrum)[0])
    kept = reader.folder.spectra_dir.glob(f"*/{RETRIEVAL}")
    for path in sorted(kept, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        try:
            findings, _ = read_spectrum(reader.folder, path.parent.name)
        except NothingToCompare as error:
            echo(str(error))
            continue
        echo(f"In {show_line(str(reader.folder.root))}: spectrum {show_line(path.parent.name)}")
        return OpenSpectrum(reader, findings)
    fix = "Type: python -m agent spectrum --model MODEL"
    _call_made_up("no value spectrum with answers", reader, fix)
    reader = _make_example()
    (made,) = reader.folder.spectra_dir.glob(f"*/{RETRIEVAL}")
    return OpenSpectrum(reader, read_spectrum(reader.folder, made.parent.name)[0])


def find_ladder(ladder: str | Path | None = None) -> OpenLadder:
    """Return a ladder of trainings, by its folder; ``None``: ``ladder``, or else a made-up one.

    Raises ``NothingToCompare`` where a folder is given and holds no ladder that was scored.
    """
    folder = Path("ladder" if ladder is None else ladder)
    if ladder is not None or (folder / LADDER).is_file():
        try:
            found = OpenLadder(folder, latest(folder))
            echo(f"Ladder in {show_line(str(folder))}")
            return found
        except NothingToCompare as error:
            if ladder is not None:
                raise
            echo(str(error))
    echo(
        f"MADE UP: there is no finished ladder of trainings in {show_line(str(folder))}. What\n"
        "follows is an example that nobody trained. For one of your own:\n"
        "Type: python -m agent align --example example"
    )
    folder = write_ladder(_make_folder())
    return OpenLadder(folder, latest(folder))


def _call_made_up(what: str, reader: DataReader, fix: str) -> None:
    """Say, where it cannot be missed, that nobody watched what follows."""
    echo(
        f"MADE UP: there is {what} in {show_line(str(reader.folder.root))}. What follows is an\n"
        f"example that nobody watched. For one of your own:\n{fix}"
    )


def _pair_up(reader: DataReader, run: RunReader) -> tuple[RunReader, RunReader] | None:
    """Return the run that this one replays, and this one."""
    if run.platform != REPLAY or not run.videos:
        return None
    started = ledger.summarise(run.path)
    source = started.started.config.get("of") if started and started.started else None
    try:
        return (reader.run(source), run) if isinstance(source, str) else None
    except RunNotFound:
        return None


@cache
def _make_example() -> DataReader:
    """Make the made-up study, with a replay and a spectrum, for as long as this program runs."""
    folder = write_example(_make_folder())
    write_replay(folder, _RUN)
    write_spectrum_example(folder)
    return store.open(folder.root)


def _make_folder() -> Path:
    folder = tempfile.mkdtemp(prefix="feedsway-example-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)

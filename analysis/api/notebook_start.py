"""What a notebook begins with: the newest of what it is about, or else a made-up example.

Whatever is found is named in a printed line, and a made-up example is called that. Something that
was asked for by name and is not there is an error, never an example.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

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
from analysis.errors import AnalysisError, NothingToCompare
from analysis.estimators.judge_agreement import Comparison, compare
from analysis.estimators.learning_curve import Alignment, latest
from analysis.examples.made_up_results import write_ladder, write_spectrum_example
from analysis.examples.study import STUDY, write_example, write_replay
from analysis.spectrum.scores import SpectrumFindings
from analysis.spectrum.spectrum_report import read_spectrum
from store.api.data_reader import DataReader
from store.api.run_reader import RunReader
from store.errors import StoreError
from store.results.trainings import LADDER
from store.results.value_spectrum import RETRIEVAL
from store.runs import ledger
from store.runs.recorded_model_names import REPLAY
from store.terminal.printing import echo
from store.untrusted.clean_text import show_line

_Given = TypeVar("_Given")
_Read = TypeVar("_Read")
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
    if run is not None:
        measured = measure_run(reader, run)
    else:
        names = [each.id for each in reversed(reader.runs()) if each.videos]
        readable = _first_readable(names, lambda name: measure_run(reader, name))
        if readable is None:
            _call_made_up("no run", reader, "Type: python -m agent run --persona p12")
            return measure_run(_make_example(), _RUN)
        measured = readable
    echo(f"In {_place(reader)}: {measured.runs[0]!r}")
    return measured


def find_study(data: str | Path | None = None, study: str | None = None) -> Measurement:
    """Return a study, or the latest that has a run; without any the made-up example.

    Raises as ``analysis.open_study`` where ``study`` is given.
    """
    reader = open_reader(data)
    if study is not None:
        measured = measure_study(reader, study)
    else:
        names = studies_with_runs(reader)
        readable = _first_readable(names, lambda name: measure_study(reader, name))
        if readable is None:
            _call_made_up("no study with a run", reader, BEGIN)
            return measure_study(_make_example(), STUDY)
        measured = readable
    echo(f"In {_place(reader)}: study {measured!r}")
    return measured


def find_replay(data: str | Path | None = None, run: str | None = None) -> TwoJudges:
    """Return a replay with the run that it replays, the latest or this one; else made-up ones.

    Raises ``NothingToCompare`` and ``RunNotFound`` where ``run`` is given and replays no run that
    is here, or shares no judged video with it.
    """
    reader = open_reader(data)
    if run is not None:
        pair = _pair_up(reader, reader.run(run))
    else:
        replays = [each for each in reversed(reader.runs()) if each.platform == REPLAY]
        readable = _first_readable(replays, lambda each: _pair_up(reader, each))
        if readable is None:
            fix = "Type: python -m agent run --platform replay --of latest --model MODEL"
            _call_made_up("no replay", reader, fix)
            example = _make_example()
            return _pair_up(example, example.run(f"{_RUN}-replay"))
        pair = readable
    echo(f"In {_place(reader)}: {pair.first!r}\nreplayed as {pair.second!r}")
    return pair


def find_spectrum(data: str | Path | None = None, spectrum: str | None = None) -> OpenSpectrum:
    """Return a value spectrum, or the newest one that a model answered; else a made-up one.

    Raises ``UnknownSpectrum`` and ``NothingToCompare`` where ``spectrum`` is given.
    """
    reader = open_reader(data)
    if spectrum is not None:
        return _score(reader, spectrum)
    names = [path.parent.name for path in _retrievals(reader)]
    readable = _first_readable(names, lambda name: _score(reader, name))
    if readable is None:
        fix = "Type: python -m agent spectrum --model MODEL"
        _call_made_up("no value spectrum with answers", reader, fix)
        example = _make_example()
        return _score(example, _retrievals(example)[0].parent.name)
    echo(f"In {_place(reader)}: spectrum {readable.findings.layout.retrieval.slug}")
    return readable


def find_ladder(ladder: str | Path | None = None) -> OpenLadder:
    """Return a ladder of trainings, by its folder; ``None``: ``ladder``, or else a made-up one.

    Raises ``NothingToCompare`` where a folder is given and holds no ladder that was scored.
    """
    folder = Path("ladder" if ladder is None else ladder)
    if ladder is not None:
        return OpenLadder(folder, latest(folder))
    begun = [folder] if (folder / LADDER).is_file() else []
    readable = _first_readable(begun, lambda place: OpenLadder(place, latest(place)))
    if readable is not None:
        echo(f"Ladder in {folder}")
        return readable
    echo(
        f"MADE UP: there is no finished ladder of trainings in {folder}. What follows is an\n"
        "example that nobody trained. For one of your own:\n"
        "Type: python -m agent align --example example"
    )
    made = write_ladder(_make_folder())
    return OpenLadder(made, latest(made))


def _first_readable(given: Iterable[_Given], read: Callable[[_Given], _Read]) -> _Read | None:
    """Read the first that can be read, and say of those before it why they cannot."""
    for each in given:
        try:
            return read(each)
        except (AnalysisError, StoreError) as error:
            echo(f"Passed over: {error}")
    return None


def _place(reader: DataReader) -> str:
    return show_line(str(reader.folder.root))


def _call_made_up(what: str, reader: DataReader, fix: str) -> None:
    """Say, where it cannot be missed, that nobody watched what follows."""
    echo(
        f"MADE UP: there is {what} in {_place(reader)}. What follows is an\n"
        f"example that nobody watched. For one of your own:\n{fix}"
    )


def _pair_up(reader: DataReader, replay: RunReader) -> TwoJudges:
    """Put a replay beside the run that it replays.

    Raises ``NothingToCompare`` where that run is not here, or no video was judged in both.
    """
    started = ledger.summarise(replay.path)
    source = started.started.config.get("of") if started and started.started else None
    if replay.platform != REPLAY or not isinstance(source, str):
        raise NothingToCompare(
            f"Run {replay.id} is no replay. "
            f"Type: python -m agent run --platform replay --of {replay.id} --model MODEL"
        )
    first = reader.run(source)
    pair = TwoJudges(first, replay, measure_runs(reader, [first, replay]))
    pair.compare()
    return pair


def _retrievals(reader: DataReader) -> list[Path]:
    """What spectra have retrieved, the newest first."""
    kept = reader.folder.spectra_dir.glob(f"*/{RETRIEVAL}")
    return sorted(kept, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _score(reader: DataReader, name: str) -> OpenSpectrum:
    return OpenSpectrum(reader, read_spectrum(reader.folder, name)[0])


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

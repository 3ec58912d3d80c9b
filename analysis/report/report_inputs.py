"""What a report is made of: what a study declared, and its runs, or views made elsewhere."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.data.exposures import Views, from_ledgers
from analysis.data.null_runs import NullRuns
from analysis.errors import BadStudyFolder, NothingToCompare, UnknownStudy
from store.errors import RunNotFound
from store.frames.frame_store import FrameStore
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger
from store.runs.ledger_lines import RunStarted, Step
from store.runs.ledger_site_lines import last_difference
from store.runs.rejudgements import Judgements, judgement_files, read_judgements
from store.terminal.printing import count_of
from store.untrusted.size_limits import BadToml, read_toml

FILE, DRAWS = "study.toml", "draws.json"
Texts = NDArray[np.object_]
Progress = Callable[[Sequence[Path]], Iterable[Path]]


@dataclass(frozen=True, eq=False)
class RowDetails:
    """What the ledgers tell of each row beyond the columns of ``Views``.

    ``author``, ``phash`` and ``frame`` are ``None`` where they are not known; ``frame`` is the
    SHA-256 of the first frame that shows the video.
    """

    author: Texts
    phash: Texts
    frame: Texts
    caption: Texts
    reason: Texts


@dataclass(frozen=True, eq=False)
class Material:
    """Everything that a report is made of."""

    title: str  # name of the study, or of what stands in for one
    views: Views
    command: str  # what makes this report again
    seen: RowDetails | None = None  # seen, frames: ``None`` for views that were made elsewhere
    frames: FrameStore | None = None
    started: tuple[RunStarted, ...] = ()
    """First lines of the ledgers, in the order of the runs; empty for views made elsewhere."""
    study: StudyFile | None = None  # ``None`` where the runs belong to no study
    superseded: Mapping[str, str] = field(default_factory=dict)
    """Runs of the study that a later run of the same cell stands in for, each with that run."""
    judgements: tuple[tuple[Judgements, ...], ...] = field(default=())
    """Re-judgements, in the order of the runs."""
    disputed: bool = False  # whether the site has counted otherwise than the ledger of some run
    counted: bool = False  # whether the site has counted along in every run
    null_runs: NullRuns = field(default_factory=NullRuns)  # to draw the null from, if there are any
    origin: str = ""  # SHA-256 of the file that the views were imported from

    @property
    def traits(self) -> dict[str, tuple[str, ...]]:
        """Traits by the name that the views give a persona; empty for views made elsewhere."""
        return {
            run.persona: first.persona.traits
            for run, first in zip(self.views.runs, self.started, strict=False)
        }

    @property
    def drawn(self) -> bool:
        """Whether a draw gave the accounts their personas, as far as anybody has recorded."""
        planned = {cell.key for cell in self.study.planned} if self.study else set()
        return bool(planned) and all(first.config.get("cell") in planned for first in self.started)

    @property
    def test(self) -> PrimaryTest:
        """The declared test; without a study, what fits, and nobody declared it."""
        if self.study is not None:
            return self.study.test
        arms = {run.arm for run in self.views.runs}
        controlled = "treatment" in arms and len(arms) > 1
        return PrimaryTest("controlled" if controlled else "paired", declared=False)


def is_study(data: DataFolder, name: str) -> bool:
    return (data.studies_dir / name / FILE).is_file()


def read_study(data: DataFolder, name: str, progress: Progress = iter) -> Material:
    """Gather the newest run of every cell of a study.

    Raises ``BadStudyFolder`` where its own files cannot be read, ``NothingToCompare`` before its
    first run.
    """
    study = read_study_file(data.studies_dir / name)
    newest: dict[str, Path] = {}
    superseded: dict[str, str] = {}
    for run in data.runs():
        config = run.started.config if run.started else {}
        if config.get("study") == study.name:
            cell = str(config.get("cell", run.run_id))
            if cell in newest:
                superseded[newest[cell].parent.name] = cell
            newest[cell] = run.path
    if not newest:
        raise NothingToCompare(
            f"Study {study.name} has no run yet. Type: python -m agent study study.toml"
        )
    command = f"python -m analysis report {study.name}"
    runs = _gather(data, list(newest.values()), progress, study.name, command)
    stand_in = {old: newest[cell].parent.name for old, cell in superseded.items()}
    return replace(runs, study=study, superseded=stand_in)


def read_runs(
    data: DataFolder, paths: Sequence[Path], names: Sequence[str], progress: Progress = iter
) -> Material:
    """Gather runs; ``names`` are as typed, for the command that makes the report again."""
    title = paths[0].parent.name if len(paths) == 1 else count_of(len(paths), "run")
    command = f"python -m analysis report {' '.join(names)}"
    return _gather(data, paths, progress, title, command)


def nearest_names(data: DataFolder, name: str) -> UnknownStudy:
    studies = [path.parent.name for path in data.studies_dir.glob(f"*/{FILE}")]
    runs = [path.parent.name for path in data.ledgers()]
    begun = [run for run in runs if run.startswith(name)]
    near = difflib.get_close_matches(name, [*studies, *runs], 3, 0.4)
    return UnknownStudy(name, begun[:5] or near)


def find_runs(data: DataFolder, names: Sequence[str]) -> list[Path]:
    """Ledgers of the runs that are meant (``latest``: started last), or raise ``UnknownStudy``."""
    found = []
    for name in names:
        started = [run for run in data.runs() if run.started] if name == "latest" else []
        try:
            found.append(started[-1].path if started else data.find_run(name))
        except RunNotFound:
            raise nearest_names(data, name) from None
    return found


@dataclass
class _Noted:
    """What is kept of each ledger while the table of views is built from it."""

    started: list[RunStarted] = field(default_factory=list)
    steps: list[tuple[str | None, ...]] = field(default_factory=list)
    disputed: bool = False
    counted: bool = True

    def through(self, paths: Iterable[Path]) -> Iterator[Ledger]:
        for path in paths:
            read = ledger.read(path)
            self.started.append(read.started)
            self.disputed |= bool(last_difference(read.checks))
            self.counted &= any(check.compared for check in read.checks)
            self.steps.extend(_note(step) for step in read.steps)
            yield read

    def seen(self) -> RowDetails:
        columns = np.full((5, len(self.steps)), None, dtype=object)
        for index, noted in enumerate(self.steps):
            columns[:, index] = noted
        return RowDetails(*columns)


def _note(step: Step) -> tuple[str | None, ...]:
    """Author, hash, frame, caption and reason of one step."""
    shown = [frame for frame in step.frames if frame.quality != "blank"]
    return (
        step.video.author,
        shown[0].phash if shown else None,
        shown[0].sha256 if shown else None,
        step.video.caption,
        step.judgement.reason,
    )


def _gather(
    data: DataFolder, paths: Sequence[Path], progress: Progress, title: str, command: str
) -> Material:
    noted = _Noted()
    views = from_ledgers(noted.through(progress(paths)))
    return Material(
        title=title,
        views=views,
        command=command,
        seen=noted.seen(),
        frames=FrameStore(data.frames_dir),
        started=tuple(noted.started),
        disputed=noted.disputed,
        counted=noted.counted,
        judgements=tuple(_rejudged(path.parent) for path in paths),
    )


def _rejudged(run_folder: Path) -> tuple[Judgements, ...]:
    return tuple(read_judgements(path) for path in judgement_files(run_folder))


@dataclass(frozen=True)
class PrimaryTest:
    """What is tested, and how."""

    primary: str = "controlled"
    """``controlled`` (treatment minus control), ``matrix``, ``paired`` (after minus before alone)
    or ``borrowed``."""
    sides: str = "two"  # ``two``, or ``one`` for a sway towards the persona
    alpha: float = 0.05
    declared: bool = True  # whether it was declared before anything was run


@dataclass(frozen=True)
class Planned:
    """One cell of a study: a run that was drawn, whether or not it was made."""

    platform: str
    strategy: str
    model: str
    replicate: int
    persona: str
    arm: str

    @property
    def key(self) -> str:
        """Name of the cell, as the ledgers of its runs carry it."""
        return (
            f"{self.platform}/{self.strategy}/{self.model}/{self.replicate}/"
            f"{self.persona}/{self.arm}"
        )


@dataclass(frozen=True)
class StudyFile:
    """A study as it was declared."""

    name: str
    data: Mapping[str, Any]
    """The file's own content; what it leaves out has the defaults that the ledgers hold."""
    test: PrimaryTest
    planned: tuple[Planned, ...]  # every run that was drawn


def read_study_file(folder: Path) -> StudyFile:
    """Read ``study.toml`` and ``draws.json`` of a study's folder, or raise ``BadStudyFolder``."""
    data = _toml(folder / FILE)
    test = data.get("test", {})
    return StudyFile(
        name=str(data.get("name", folder.name)),
        data=data,
        test=PrimaryTest(
            primary=str(test.get("primary", PrimaryTest.primary)),
            sides=str(test.get("sides", PrimaryTest.sides)),
            alpha=float(test.get("alpha", PrimaryTest.alpha)),
        ),
        planned=_planned(folder / DRAWS),
    )


def _toml(path: Path) -> Mapping[str, Any]:
    try:
        told = read_toml(path)
        test = told.get("test", {})
        if not isinstance(test, dict) or isinstance(test.get("alpha", 0.05), str | list | dict):
            raise BadToml("its test is none")
        return told
    except (OSError, BadToml) as error:
        raise BadStudyFolder(path, f"it cannot be read ({error}).") from None


def _planned(path: Path) -> tuple[Planned, ...]:
    """Every cell that was drawn; none where nothing was drawn yet."""
    if not path.exists():
        return ()
    names = ("platform", "strategy", "model", "replicate", "persona", "arm")
    try:
        cells = json.loads(path.read_bytes())
        return tuple(Planned(**{name: cell[name] for name in names}) for cell in cells)
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadStudyFolder(path, f"it cannot be read ({error!r}).") from None

"""What a report is made of: what a study declared, and its runs, or views made elsewhere."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from analysis.data.exposures import Views
from analysis.data.null_runs import NullRuns
from analysis.data.people_labels import PeopleAnswers, as_judgements, read_people
from analysis.errors import NotAHistory, NothingToCompare, UnknownStudy
from analysis.report.compact_ledgers import read_ledgers
from analysis.report.declared_study import FILE, PrimaryTest, StudyFile, read_looked_at
from analysis.report.ledger_rows import LedgerRows, RowDetails, RunNotes, Served
from analysis.report.site_changes import SiteChange, find_logged_changes
from analysis.statistics.estimate import Ints
from store.errors import RunNotFound, StoreError
from store.frames.frame_store import FrameStore
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import ObservedVideo, RunStarted, Step
from store.runs.rejudgements import Judgements, judgement_files, read_judgements
from store.runs.run_outline import outline_run
from store.runs.study_looks import read_tested
from store.terminal.printing import count_of

Progress = Callable[[Sequence[Path]], Iterable[Path]]


@dataclass(frozen=True)
class FormerRun:
    """A run that a later one of the same cell stands in for.

    ``answered``: whether a video was judged in it; ``changed``: whether it went beyond the before
    window. Both hold where its ledger cannot be read.
    """

    cell: str
    arm: str
    at: datetime
    answered: bool = True
    changed: bool = True


@dataclass(frozen=True, eq=False)
class Material:
    """Everything that a report is made of."""

    title: str  # name of the study, or of what stands in for one
    views: Views
    command: str  # what makes this report again
    seen: RowDetails | None = None  # seen, frames: ``None`` for views that were made elsewhere
    labels: Ints | None = None  # ``label_codes`` of each row; ``None`` as ``seen``
    frames: FrameStore | None = None
    started: tuple[RunStarted, ...] = ()
    """First lines of the ledgers, in the order of the runs; empty for views made elsewhere."""
    study: StudyFile | None = None  # ``None`` where the runs belong to no study
    superseded: Mapping[str, str] = field(default_factory=dict)
    """Runs of the study that a later run of the same cell stands in for, each with that run."""
    former: tuple[FormerRun, ...] = ()  # the same runs, and how far each went
    used_before: frozenset[str] = frozenset()
    """Accounts of the study that an earlier run had used for another persona, arm or study."""
    tested: tuple[int, ...] = ()  # sizes in runs at which the study was over and tested before
    judgements: tuple[tuple[Judgements, ...], ...] = field(default=())
    """Re-judgements, and people's answers for the persona matrix, in the order of the runs."""
    people: tuple[PeopleAnswers, ...] = ()  # labels of every draw that is about these runs
    differing: frozenset[str] = frozenset()  # runs where the site has counted otherwise
    disputed: frozenset[str] = frozenset()  # of these, where more than single dwells differ
    counted: frozenset[str] = frozenset()  # runs in which the site has counted along
    served: Mapping[str, Served] = field(default_factory=dict)  # by run, where services tell it
    site_changes: tuple[SiteChange, ...] = ()  # what runs and probes found while it was made
    null_runs: NullRuns = field(default_factory=NullRuns)  # to draw the null from, if there are any
    beside: LedgerRows | None = None  # watch histories of people, to stand beside the feeds
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


def read_study(
    data: DataFolder, name: str, progress: Progress = iter, upto: int | None = None
) -> Material:
    """Gather the newest run of every cell of a study.

    ``upto``: replicates that a look is taken at; those that were looked at, if it is not given.
    Raises ``BadStudyFolder`` where its own files cannot be read, ``NothingToCompare`` before its
    first run.
    """
    study = read_looked_at(data.studies_dir / name, upto)
    newest, superseded = newest_runs(data, study)
    command = f"python -m analysis report {study.name}"
    runs = _gather(data, newest, progress, study.name, command)
    return replace(
        runs,
        study=study,
        superseded=superseded,
        former=tuple(_former(data.ledger_path(run)) for run in superseded),
        used_before=_used_before(study.name, data.runs()),
        tested=tuple(sorted(one.cells for one in read_tested(data.studies_dir / name))),
    )


def newest_runs(data: DataFolder, study: StudyFile) -> tuple[list[Path], dict[str, str]]:
    """Ledgers of the newest run of each cell of a study, and what these stand in for.

    The second are the older runs, each with the newer one. With looks, runs of a replicate that is
    under way are left out. Raises ``NothingToCompare`` before the study's first run, or look.
    """
    closed = {cell.key for cell in study.planned} if study.test.looks else None
    newest: dict[str, Path] = {}
    older: dict[str, str] = {}
    for run in data.runs():
        config = run.started.config if run.started else {}
        cell = str(config.get("cell", run.run_id))
        if config.get("study") == study.name and (closed is None or cell in closed):
            if cell in newest:
                older[newest[cell].parent.name] = cell
            newest[cell] = run.path
    if not newest:
        what = "look" if study.test.looks else "run"
        raise NothingToCompare(
            f"Study {study.name} has no {what} yet. Type: python -m agent study study.toml"
        )
    stand_in = {old: newest[cell].parent.name for old, cell in older.items()}
    return list(newest.values()), stand_in


def _former(path: Path) -> FormerRun:
    """How far a run went that a later one stands in for."""
    summary = ledger.summarise(path)
    started = summary.started if summary else None
    at, arm = (started.at, started.arm) if started else (datetime.min.replace(tzinfo=UTC), "")
    cell = str(started.config.get("cell")) if started else ""
    answered = changed = False

    def take(video: ObservedVideo) -> None:
        nonlocal answered, changed
        if isinstance(video, Step):
            answered = answered or video.judgement.answer is not None
            changed = changed or video.phase != "before"

    try:
        with ledger.open_stream(path) as stream:
            outline_run(stream, take)
    except StoreError:
        return FormerRun(cell, arm, at)
    return FormerRun(cell, arm, at, answered, changed)


def _used_before(study: str, runs: Sequence[ledger.RunSummary]) -> frozenset[str]:
    """Accounts of a study that an earlier run had used otherwise; runs come by their start."""
    users: dict[tuple[str, str], tuple[str, str, str]] = {}
    used = set()
    for first in (run.started for run in runs if run.started):
        mine = str(first.config.get("cell", first.run_id))
        use = (str(first.config.get("study")), mine, first.persona.identity)
        former = users.setdefault((first.platform, first.account), use)
        if former != use and first.config.get("study") == study:
            used.add(first.account)
    return frozenset(used)


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


def named_runs(data: DataFolder, names: Sequence[str]) -> tuple[list[Path], dict[str, str]]:
    """Ledgers that a study's name stands for, as ``newest_runs`` has them, or the runs' own."""
    if len(names) == 1 and is_study(data, names[0]):
        return newest_runs(data, read_looked_at(data.studies_dir / names[0]))
    return find_runs(data, names), {}


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


def add_histories(data: DataFolder, material: Material, names: Sequence[str]) -> Material:
    """Put watch histories beside the feeds, by the names of their runs.

    Raises ``UnknownStudy``, ``NotAHistory``, and ``NothingToCompare`` for one of another platform.
    """
    if not names:
        return material
    rows = read_ledgers(data, list(dict.fromkeys(find_runs(data, names))))
    platforms = {run.platform for run in material.views.runs}
    for first in (note.started for note in rows.notes):
        if not first.from_elsewhere:
            raise NotAHistory(first.run_id)
        if first.platform not in platforms:
            raise NothingToCompare(
                f"{first.run_id} is of {first.platform}, and no run of this report is. "
                "Type: the same without it"
            )
    return replace(material, beside=rows)


def _gather(
    data: DataFolder, paths: Sequence[Path], progress: Progress, title: str, command: str
) -> Material:
    rows = read_ledgers(data, paths, progress)
    started = tuple(note.started for note in rows.notes)
    people = read_people(data, [path.parent.name for path in paths])
    gone = _gone(rows) if people else set()
    labelled = [as_judgements(one, gone) for one in people]
    changes = [change for note in rows.notes for change in note.changes]
    return Material(
        title=title,
        views=rows.views,
        command=command,
        seen=rows.seen,
        labels=rows.labels,
        frames=FrameStore(data.frames_dir),
        started=started,
        differing=_runs_that(rows.notes, "differing"),
        disputed=_runs_that(rows.notes, "disputed"),
        counted=_runs_that(rows.notes, "counted"),
        served={note.started.run_id: note.served for note in rows.notes},
        site_changes=(*changes, *find_logged_changes(data, started)),
        judgements=tuple(
            _rejudged(path.parent)
            + tuple(file for one in labelled for file in one.get(path.parent.name, ()))
            for path in paths
        ),
        people=tuple(people),
    )


def _gone(rows: LedgerRows) -> set[tuple[str, int]]:
    """Runs and positions of videos without a picture, as forgetting leaves them."""
    blank = [at for at, frame in enumerate(rows.seen.frame) if frame is None]
    ids = [run.run_id for run in rows.views.runs]
    return {(ids[rows.views.run[at]], int(rows.views.position[at])) for at in blank}


def _runs_that(
    notes: Sequence[RunNotes], mark: Literal["differing", "disputed", "counted"]
) -> frozenset[str]:
    return frozenset(note.started.run_id for note in notes if getattr(note, mark))


def _rejudged(run_folder: Path) -> tuple[Judgements, ...]:
    return tuple(read_judgements(path) for path in judgement_files(run_folder))

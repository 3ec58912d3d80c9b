"""Checks everything that is kept against everything else, and re-derives every hash.

Nothing is mended: each problem says what a person can do.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from store.errors import (
    DamagedFrame,
    DataUnreadable,
    DataUnwritable,
    IndexLocked,
    StoreError,
)
from store.frames.frame_store import Description, FrameStore, describe
from store.index.entries import entry_id
from store.index.entry_ids import EntryIds
from store.jsonl.atomic import TEMPORARY
from store.maintenance.frame_namings import FrameNaming, FrameNamings, RunNamings
from store.maintenance.hash_checks import check_database, check_hashes
from store.privacy import derived_files, forget
from store.runs import ledger
from store.runs.canary_log import find_canary_damage
from store.runs.data_folder import DataFolder
from store.runs.labels import check_labels
from store.runs.ledger_lines import ObservedVideo, Step
from store.runs.ledger_site_lines import last_difference
from store.runs.run_outline import outline_run
from store.terminal.printing import count_of

PHASH_TOLERANCE = 2
"""Bits by which a perceptual hash may differ: JPEG decoders round differently."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong, and what to do about it."""

    where: str
    what: str
    fix: str


@dataclass(slots=True)
class VerifyReport:
    """What was checked and what was found."""

    runs: int = 0
    steps: int = 0
    frames: int = 0
    """Distinct frames that ledgers name."""
    indexed: dict[str, int] = field(default_factory=dict)
    orphans: int = 0
    """Frames that no ledger names: of steps that were cut off, or of a forgotten run."""
    temporary: list[str] = field(default_factory=list)
    """Files left behind by killed writers, safe to delete while nothing runs."""
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: int = 0
    """Files that are under a hash."""
    uncovered: dict[str, int] = field(default_factory=dict)
    """Files of caches and logs, which are under none, by their folder."""
    unsealed: int = 0
    """Files that an older version wrote, which are under none either, or in part."""

    @property
    def sound(self) -> bool:
        return not self.problems


def verify(
    data: DataFolder,
    progress: Callable[[int, int], None] | None = None,
    url: str | None = None,
) -> VerifyReport:
    """Check a data folder; ``progress`` counts frames.

    ``url`` is a Chroma server to look at as well; it may hold other data folders' frames too.
    """
    report, kept = VerifyReport(), _KeptRuns()
    for path in data.foreign_ledgers():
        mend = "Move the run's folder to where its link is."
        _found(report, path, "a link leads to it out of the data folder: it is not read", mend)
    for path in data.ledgers():
        summary = ledger.summarise(path)
        if summary is None:
            report.notes.append(f"{path}: nothing was committed to it; the folder can be deleted.")
            continue
        report.runs += 1
        try:
            _check_ledger(report, kept, summary)
        except StoreError as error:
            mend = "Restore it from a copy, or move its folder out."
            _found(report, path, str(error), mend)
            kept.unread += 1
    if forget.pending(data) is not None:
        mend = "Nothing else is wrong. Type: python -m store forget --resume"
        _found(report, data.forgetting, "a request to forget was cut off", mend)
    _check_lines(report, data)
    if kept.unread:
        report.notes.append(
            f"{count_of(kept.unread, 'ledger')} cannot be read, so what shows frames was not held "
            "against what ledgers name."
        )
    named = FrameNamings(kept.namings)
    _check_frames(report, data, named, progress)
    if not kept.unread:
        report.orphans = named.count_unnamed(FrameStore(data.frames_dir).all())
    _check_derived(report, data, None if kept.unread else named, kept.forgotten)
    _check_hashes(report, data, named)
    _check_index(report, data, kept)
    if url is not None:
        _check_server(report, data, kept.ids, url)
    return report


@dataclass(slots=True)
class _KeptRuns:
    """What the ledgers say that is held against everything else."""

    namings: list[RunNamings] = field(default_factory=list)
    ids: EntryIds = field(default_factory=EntryIds)
    forgotten: dict[str, datetime | None] = field(default_factory=dict)
    """When something of a run was forgotten last."""
    unread: int = 0
    """Ledgers that cannot be read: what they name is not known."""


class _RunCheck:
    """One ledger as it is looked through."""

    def __init__(self, folder: str, run_id: str) -> None:
        self.namings, self.ids = RunNamings(folder), EntryIds()
        self.gaps: list[str] = []
        self.eligible = 0
        self._run_id, self._expected = run_id, 0

    def take(self, video: ObservedVideo) -> None:
        """Take a step; what opened it says the same of its frames."""
        if not isinstance(video, Step):
            return
        self.namings.add(video)
        for number in range(len(video.frames)):
            self.ids.add(entry_id(self._run_id, video.position, number))
        self.eligible += video.eligible
        if video.position != self._expected:
            self.gaps.append(f"positions {self._expected} to {video.position - 1} are missing")
        self._expected = video.position + 1


def _found(report: VerifyReport, where: Path | str, what: str, fix: str) -> None:
    report.problems.append(Problem(str(where), what, fix))


def _check_lines(report: VerifyReport, data: DataFolder) -> None:
    """What lies beside the runs, and can be read."""
    for damage in find_canary_damage(data):
        mend = "Restore the file from a copy. Without one, leave it: reports leave the line out."
        _found(report, damage.path, str(damage), mend)
    mend = "Restore the file from a copy. Without one, leave it: damaged labels are left out."
    for finding in check_labels(data):
        if finding.sound:
            report.notes.append(f"{finding.path}: {finding.what}.")
        else:
            _found(report, finding.path, finding.what, mend)


def _check_ledger(report: VerifyReport, kept: _KeptRuns, summary: ledger.RunSummary) -> None:
    """Look through a ledger, and keep what it says once that is the whole of it."""
    path, folder = summary.path, summary.run_id
    check = _RunCheck(folder, summary.started.run_id if summary.started else folder)
    with ledger.open_stream(path) as stream:
        run = outline_run(stream, check.take)
        remains = forget.remains(stream, run.forgotten)
    if run.open_step is not None:
        check.namings.add(run.open_step)
    kept.namings.append(check.namings)
    kept.ids.update(check.ids)
    kept.forgotten[run.started.run_id] = max((line.at for line in run.forgotten), default=None)
    report.steps += run.steps
    if run.torn:
        report.notes.append(f"{path}: a torn last line of {run.torn} bytes is left out.")
    if told := last_difference(run.checks):
        report.notes.append(f"{path}: the site itself has counted otherwise: {told}.")
    lost = "Restore the file from a copy; figures made from it are incomplete."
    if folder != run.started.run_id:
        name = f"Rename the folder to {run.started.run_id}."
        _found(report, path, f"it is the ledger of run {run.started.run_id}", name)
    for problem in remains:
        _found(report, path, problem, "Restore the ledger from a copy, and forget again.")
    for gap in check.gaps:
        _found(report, path, gap, lost)
    if run.finished is None:
        return
    for name, said, counted in (
        ("steps", run.finished.steps, run.steps),
        ("eligible steps", run.finished.eligible, check.eligible),
    ):
        if said != counted:
            _found(report, path, f"run_finished says {said} {name}, {counted} are there", lost)


def _check_frames(
    report: VerifyReport,
    data: DataFolder,
    named: FrameNamings,
    progress: Callable[[int, int], None] | None,
) -> None:
    store = FrameStore(data.frames_dir)
    report.frames = len(named)
    for done, (sha256, namings) in enumerate(named, 1):
        path = store.path(sha256)
        restore = f"Restore it from a copy; step {namings[0].step} shows it."
        try:
            seen = describe(store.read(sha256))
        except DataUnreadable:
            _found(report, path, "it is missing or cannot be read", restore)
        except (DamagedFrame, ValueError):
            _found(report, path, "its bytes do not match its name", restore)
        else:
            for naming in namings:
                if not _alike(seen, naming):
                    what = "the ledger describes another picture"
                    fix = "Restore the ledger from a copy."
                    _found(report, f"{path} in step {naming.step}", what, fix)
        if progress is not None:
            progress(done, len(named))
    report.temporary = [str(path) for path in store.unfinished()]
    report.temporary += [str(path) for path in sorted(data.root.glob(f".*{TEMPORARY}"))]
    for ending in ("building", "merging"):
        report.temporary += [str(path) for path in sorted(data.index_dir.glob(f"*.{ending}"))]


def _alike(seen: Description, naming: FrameNaming) -> bool:
    differ = (int(seen.phash, 16) ^ naming.phash).bit_count()
    return differ <= PHASH_TOLERANCE and (seen.width, seen.height) == (naming.width, naming.height)


def _check_derived(
    report: VerifyReport,
    data: DataFolder,
    named: FrameNamings | None,
    forgotten: dict[str, datetime | None],
) -> None:
    """What was made of frames shows none that no ledger names, and was made after forgetting.

    ``named``: ``None`` where not every ledger can be read.
    """
    for entry in derived_files.entries(data):
        if not entry.is_there(data):
            continue
        own = entry.runs or (() if entry.frames else tuple(forgotten))
        late = any((at := forgotten.get(run)) and entry.at <= at for run in own)
        place = entry.place(data)
        again = f"Type: rm -r {shlex.quote(str(place))}"
        if named is not None and named.count_unnamed(entry.frames):
            what = f"this {entry.kind} shows pictures that no ledger names any more"
            _found(report, place, what, again)
        elif late:
            what = f"this {entry.kind} was made before something of it was forgotten"
            _found(report, place, what, again)
    for path in derived_files.strays(data):
        what = "nobody entered what this was made of, so it may show what was forgotten"
        _found(report, path, what, f"Make it again, or type: rm -r {path}")


def _check_hashes(report: VerifyReport, data: DataFolder, frames: FrameNamings) -> None:
    """Every file is as it was written; what was told of one already is not told again."""
    found = check_hashes(data, frames)
    report.files, report.uncovered = found.files, found.uncovered
    report.unsealed = found.unsealed
    report.notes += found.notes
    known = {Path(problem.where).absolute() for problem in report.problems}
    for path, what in found.faults:
        if path not in known:
            _found(report, path, what, "Restore it from a copy, or make it again.")


def _check_index(report: VerifyReport, data: DataFolder, kept: _KeptRuns) -> None:
    """Every embedded index opens, and holds frames that ledgers name.

    One that lacks some is behind, which a cache may be.
    """
    from store.index.search import embedded  # loads chromadb

    rebuild = "Nothing is lost. Type: python -m store index --rebuild"
    for index in embedded(data):
        where = data.index_dir / index.name
        if (fault := check_database(where / "chroma.sqlite3")) is not None:
            _found(report, where, f"SQLite finds it damaged ({fault})", rebuild)
        try:
            told = kept.ids.compare(index.id_pages())
        except (IndexLocked, DataUnwritable) as error:
            report.notes.append(f"{index.name} was not checked. {error}")
            continue
        except StoreError as error:
            _found(report, where, str(error), rebuild)
            continue
        report.indexed[index.name] = told.rows
        if told.extra and not kept.unread:
            what = f"{told.extra} of {told.rows} vectors belong to no frame that a ledger names"
            _found(report, where, what, rebuild)
        if told.missing:
            report.notes.append(
                f"{index.name} lacks {told.missing} of {len(kept.ids)} frames. "
                "Type: python -m store index"
            )


def _check_server(report: VerifyReport, data: DataFolder, ids: EntryIds, url: str) -> None:
    """A server answers, and holds what ledgers name; more than that is others' affair."""
    from store.index.search import every

    with every(data, url) as indexes:
        for index in indexes:
            told = ids.compare(index.id_pages())
            report.indexed[f"{url}/{index.name}"] = told.rows
            if told.extra:
                report.notes.append(
                    f"{url}/{index.name} holds {told.extra} frames that no ledger here names."
                )
            if told.missing:
                report.notes.append(
                    f"{url}/{index.name} lacks {told.missing} of {len(ids)} frames. "
                    f"Type: python -m store index --index {url}"
                )

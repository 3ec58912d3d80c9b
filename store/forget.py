"""Takes frames, vectors and text out of what is kept: of a video, of an author, or by age.

Everything that hangs on a ledger goes first and the ledger's own lines last, so that a call that
was cut off finds what is left to do; the request itself lies in the data folder until then.

Refuses to know how a line is rewritten (``redaction``) and how the index is made (``index_copy``).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from store import derived, keyed, ledger, redaction, traces
from store.data import DataFolder
from store.derived import DerivedEntry
from store.entries import entries
from store.errors import (
    CopiesElsewhere,
    CopiesRemain,
    DamagedLedger,
    DataUnwritable,
    NewerSchema,
    NothingToForget,
    OutsideFolder,
    RunLocked,
)
from store.files import sync_folder, write_whole
from store.frames import FrameStore
from store.judgements import Asked, judgement_files, read_known
from store.ledger import LOCK, Ledger
from store.locks import Held, NamedLock, holder
from store.names import Names, plain
from store.records import Forgotten, Record, Seen, Step

_HASH = re.compile(rb"[0-9a-f]{64}")


class Request(Record):
    """What is to be forgotten."""

    asked: Literal["video", "author", "before"]
    value: str
    """Id of the video, handle of the author, or the date."""
    at: datetime
    url: str | None = None
    """A Chroma server that holds vectors as well."""
    remove_copies: bool = False
    """Whether exports and trainings that hold it are deleted as well."""
    ids: tuple[str, ...] = ()
    """Of the videos, by which texts about others could name them; gone once all is done."""
    salt: str = ""
    """Makes the ids that stand for forgotten videos; gone once all is done."""

    def hits(self, step: Seen) -> bool:
        """Whether a step is to be emptied."""
        if self.asked == "video":
            return step.video.id == self.value
        if self.asked == "author":
            return step.video.author is not None and plain(step.video.author) == plain(self.value)
        return step.at < datetime.fromisoformat(self.value)

    def change(self, text: str) -> str:
        """A text without the author's name and the videos' ids."""
        author = self.value if self.asked == "author" else ""
        return _names(author, self.ids).replace(text) if author or self.ids else text

    def token(self, name: str) -> str:
        """What stands for an id or a hash: the same in all runs, nothing after the request."""
        mark = hashlib.sha256(f"{self.salt}\0{name}".encode()).hexdigest()
        return f"{redaction.STAND_IN}{mark[:12]}"


@lru_cache(maxsize=4)
def _names(author: str, ids: tuple[str, ...]) -> Names:
    instead = {author: "forgotten"} if author else {}
    return Names(instead, ids=dict.fromkeys(ids, "forgotten"))


@dataclass(slots=True)
class RunPlan:
    """What changes in one run."""

    path: Path
    line: Forgotten
    steps: dict[int, Seen]
    """Steps as they will be."""


@dataclass(slots=True)
class Plan:
    """What a request comes to."""

    runs: list[RunPlan] = field(default_factory=list)
    videos: set[str] = field(default_factory=set)
    frames: set[str] = field(default_factory=set)
    """Frames to delete."""
    shared: set[str] = field(default_factory=set)
    """Frames of these videos that stay, since another kept video shows the same bytes."""
    entries: set[str] = field(default_factory=set)
    """Of the index, about emptied steps."""
    keys: set[str] = field(default_factory=set)
    """Entries to delete: those, and of steps that only lose a name."""
    texts: set[str] = field(default_factory=set)
    """What judges said, to tell kept replies by."""
    studies: set[str] = field(default_factory=set)
    derived: list[DerivedEntry] = field(default_factory=list)
    """What was made of it, wherever it lies."""
    unread: list[str] = field(default_factory=list)
    """Why ledgers cannot be read, which may tell of it still; the frames that they name stay."""

    def copies(self, data: DataFolder) -> list[Path]:
        """Exports and trainings in the data folder that hold it."""
        there = [e for e in self.derived if e.is_there(data) and e.is_ours(data)]
        return [entry.place(data) for entry in there if entry.kind in derived.APART]

    def elsewhere(self, data: DataFolder) -> list[Path]:
        """What was made of it and lies outside the data folder."""
        there = [entry for entry in self.derived if entry.is_there(data)]
        return [entry.place(data) for entry in there if not entry.is_ours(data)]

    @property
    def emptied(self) -> int:
        """How many steps lose everything but their measurement."""
        return sum(len(run.line.positions) for run in self.runs)

    @property
    def edited(self) -> int:
        """How many steps only lose a name."""
        return sum(len(run.line.edited) for run in self.runs)


@dataclass(frozen=True, slots=True)
class Done:
    """What was taken out."""

    videos: int
    steps: int
    edited: int
    runs: int
    frames: int
    shared: int
    vectors: int
    replies: int
    reports: int
    unread: tuple[str, ...] = ()
    """Why ledgers could not be read; they may tell of it still."""


def plan(data: DataFolder, request: Request) -> Plan:
    """Find what a request comes to.

    Raises
    ------
    DataUnreadable, OutsideFolder
        A file that cannot be opened could name the same frames.
    """
    if foreign := data.foreign_ledgers():
        raise OutsideFolder(foreign[0], data.runs_dir)
    request = _prepared(data, request)
    found = Plan()
    named: set[str] = set()
    kept: set[str] = set()
    for path in data.ledgers():
        if ledger.summarise(path) is None:
            continue
        run = _read(found, kept, path)
        if run is None:
            continue
        done = {position for line in run.forgotten for position in line.positions}
        hit = {s.position for s in run.seen if s.position not in done and request.hits(s)}
        for step in run.seen:
            (named if step.position in hit else kept).update(f.sha256 for f in step.frames)
        _plan_run(found, run, hit, request)
    found.frames, found.shared = named - kept, named & kept
    found.texts |= traces.said_of(data, named)
    if found.runs:
        changed = {run.path.parent.name for run in found.runs}
        found.derived = derived.concerned(data, named, changed)
    return found


def _read(found: Plan, kept: set[str], path: Path) -> Ledger | None:
    """Read a ledger; of one that is damaged or of a later version, only what its bytes name."""
    try:
        return ledger.read(path)
    except (DamagedLedger, NewerSchema) as error:
        found.unread.append(str(error))
        kept.update(hash_.decode() for hash_ in _HASH.findall(path.read_bytes()))
        return None


def _prepared(data: DataFolder, request: Request) -> Request:
    """A request with the ids that it comes to, and with a salt; once, however often it is begun."""
    if request.salt:
        return request
    ids: set[str] = set()
    if request.asked != "before":
        begun = [path for path in data.ledgers() if ledger.summarise(path) is not None]
        for run in ledger.read_each(begun, []):  # which cannot be read is told by the plan
            ids |= {step.video.id for step in run.steps if request.hits(step)}
    told = {"salt": secrets.token_hex(16), "ids": tuple(sorted(ids))}
    return request.model_copy(update=told)


def _plan_run(found: Plan, run: Ledger, hit: set[int], request: Request) -> None:
    steps: dict[int, Seen] = {}
    said = _said(run.path.parent)
    for step in run.seen:
        if step.position in hit:
            found.videos.add(step.video.id)
            steps[step.position] = redaction.emptied(step, request.token(step.video.id))
        elif (new := redaction.retold(step, request.change)) != step or any(
            request.change(text) != text for text in said.get(step.position, ())
        ):
            steps[step.position] = new
        else:
            continue
        told = [step.video.caption or "", *redaction.words(step.judgement)]
        found.texts.update(told + said.get(step.position, []))
        indexed = [step] if isinstance(step, Step) else []
        keys = {entry.id for entry in entries(run.started, indexed)}
        found.keys |= keys
        if step.position in hit:
            found.entries |= keys
    faults = any(redaction.reported(f, request.change) != f for f in run.faults)
    if steps or faults:
        line = Forgotten(
            at=request.at, position=run.next_position, positions=tuple(sorted(hit)),
            edited=tuple(sorted(steps.keys() - hit)), asked=request.asked,
            before=datetime.fromisoformat(request.value) if request.asked == "before" else None,
        )  # fmt: skip
        found.runs.append(RunPlan(run.path, line, steps))
        if run.started.study:
            found.studies.add(run.started.study)


def _said(run_folder: Path) -> dict[int, list[str]]:
    """What re-judgements say about each step."""
    said: dict[int, list[str]] = {}
    for path in judgement_files(run_folder):
        for line in read_known(path):
            if isinstance(line, Asked):
                said.setdefault(line.position, []).extend(redaction.words(line.judgement))
    return said


def pending(data: DataFolder) -> Request | None:
    """Return the request that a call which was cut off did not finish."""
    try:
        return Request.model_validate_json(data.forgetting.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def forget(
    data: DataFolder,
    request: Request,
    made: Callable[[Plan], None] = lambda _: None,
) -> Done:
    """Carry out a request, or go on with it.

    Parameters
    ----------
    data
        Where everything lies.
    request
        What to forget; one from ``pending`` goes on.
    made
        Told the plan before anything is done; it may refuse by raising.

    Raises
    ------
    NothingToForget
        Nothing that is kept fits.
    CopiesElsewhere
        Something made of it lies outside the data folder, where nothing is ever deleted.
    CopiesRemain
        Exports or trainings hold it, and are not to be removed.
    RunLocked, IndexLocked
        Somebody writes here at the moment.
    """
    from store import index_copy  # loads chromadb

    _refuse_writers(data)
    going_on = bool(request.salt)
    request = _prepared(data, request)
    todo = plan(data, request)
    if not todo.runs and not going_on:
        raise NothingToForget(request.asked, request.value, todo.unread)
    _refuse_copies(data, todo, request)
    made(todo)
    try:
        write_whole(data.forgetting, request.model_dump_json().encode())
        vectors = index_copy.forget(data, todo.keys, request.url)
        preferences = keyed.Gone(todo.frames, todo.videos)
        gone = _gone(data, todo, request, preferences)
        replies = traces.forget_replies(data, gone)
        traces.forget_spectra(data, gone)
        reports = traces.forget_reports(data, gone) + traces.forget_derived(data, todo.derived)
        _forget_frames(data, todo)
        for folder in (data.pairs_dir, data.probes_dir):
            keyed.forget(folder, preferences, request.change)
        for run in todo.runs:
            _rewrite(run, request)
        traces.sweep(data)
        data.forgetting.unlink()
        sync_folder(data.root)
    except OSError as error:
        raise DataUnwritable(data.root, error.strerror or str(error)) from None
    return Done(
        len(todo.videos), todo.emptied, todo.edited, len(todo.runs),
        len(todo.frames), len(todo.shared), vectors, replies, reports, tuple(todo.unread),
    )  # fmt: skip


def _refuse_copies(data: DataFolder, todo: Plan, request: Request) -> None:
    """What was made of it and must not be deleted unasked comes first."""
    if elsewhere := todo.elsewhere(data):
        raise CopiesElsewhere(elsewhere)
    if (copies := todo.copies(data)) and not request.remove_copies:
        raise CopiesRemain(copies)


def _refuse_writers(data: DataFolder) -> None:
    """A run that goes on could show the same frames while they are deleted."""
    for folder in (data.runs_dir, data.spectra_dir):
        for lock in sorted(folder.glob("**/*.lock")):
            if who := holder(lock):
                raise RunLocked(lock.relative_to(folder).parts[0], who)


def _gone(data: DataFolder, todo: Plan, request: Request, preferences: keyed.Gone) -> traces.Gone:
    """What leaves everything else that was made of ledgers and frames."""
    folders = (data.pairs_dir, data.probes_dir)
    texts = todo.texts.union(*(keyed.said(folder, preferences) for folder in folders))
    runs = {run.path.parent.name for run in todo.runs}
    return traces.Gone(
        todo.entries, todo.frames, todo.shared, texts, runs, todo.studies,
        request.change, request.token,
    )  # fmt: skip


def _forget_frames(data: DataFolder, todo: Plan) -> None:
    """Delete frames, and the pictures of walls that were met on the way to emptied steps."""
    frames = FrameStore(data.frames_dir)
    for sha256 in todo.frames:
        frames.remove(sha256)
    for run in todo.runs:
        for position in run.line.positions:
            for picture in (run.path.parent / "pictures").glob(f"{position:06}-*"):
                data.remove(picture)


def _rewrite(run: RunPlan, request: Request) -> None:
    """Re-judgements, then the ledger, with nobody else writing it."""
    lock = NamedLock(run.path.parent / LOCK)
    try:
        lock.acquire()
    except Held as error:
        raise RunLocked(run.path.parent.name, str(error)) from None
    try:
        for path in judgement_files(run.path.parent):
            redaction.redact_judgements(
                path,
                lambda asked: asked.position in run.line.positions,
                request.change,
                request.token,
                lambda line: bool(run.line.positions) and '"judge"' not in line,  # could name any
            )
        redaction.redact_ledger(run.path, run.steps, run.line, request.change)
    finally:
        lock.release()


def remains(run: Ledger) -> list[str]:
    """What is left in steps that the ledger says were emptied."""
    emptied = {position for line in run.forgotten for position in line.positions}
    lines: dict[int, list[Seen]] = {}
    for line in (*run.openings, *run.steps):
        lines.setdefault(line.position, []).append(line)
    return [
        f"step {position} was forgotten and still tells of its video"
        for position in sorted(emptied)
        if position not in lines
        or any(redaction.emptied(line, line.video.id) != line for line in lines[position])
    ]

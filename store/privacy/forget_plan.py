"""What a request to forget comes to: which steps, frames, entries and copies."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from store.errors import DamagedLedger, NewerSchema, OutsideFolder
from store.index.entries import entries
from store.jsonl.base_record import Record
from store.privacy import derived_files, redaction
from store.privacy.derived_files import DerivedEntry
from store.privacy.person_names import Names, plain
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger
from store.runs.ledger_lines import Forgotten, ObservedVideo, Step
from store.runs.ledger_site_lines import id_digest
from store.runs.rejudgements import RejudgedAnswer, judgement_files, read_known

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
    ids: tuple[str, ...] = ()
    """Of the videos, by which texts about others could name them; gone once all is done."""
    makers: tuple[str, ...] = ()
    """Names of the author as sites show them, by which sounds name their author."""
    salt: str = ""
    """Makes the ids that stand for forgotten videos; gone once all is done."""

    @model_validator(mode="after")
    def _names_a_day(self) -> Self:
        if self.asked == "before":
            datetime.fromisoformat(self.value)
        return self

    def hits(self, step: ObservedVideo) -> bool:
        if self.asked == "video":
            return step.video.id == self.value
        if self.asked == "author":
            return step.video.author is not None and plain(step.video.author) == plain(self.value)
        return step.at < datetime.fromisoformat(self.value)

    def change(self, text: str) -> str:
        """A text without the author's name and the videos' ids."""
        author = self.value if self.asked == "author" else ""
        return _names(author, self.ids).replace(text) if author or self.ids else text

    def digests(self) -> dict[str, str]:
        """What stands for the videos' digests in lists of what a site had ready.

        A run that listed one without showing it holds no more of it than that.
        """
        names = {*self.ids, self.value} if self.asked == "video" else set(self.ids)
        return {id_digest(name): id_digest(self.token(name)) for name in names}

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
    steps: dict[int, ObservedVideo]


@dataclass(slots=True)
class ForgetPlan:
    """What a request comes to."""

    runs: list[RunPlan] = field(default_factory=list)
    videos: set[str] = field(default_factory=set)
    frames: set[str] = field(default_factory=set)
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
        return [entry.place(data) for entry in there if entry.kind in derived_files.APART]

    def elsewhere(self, data: DataFolder) -> list[Path]:
        """What was made of it and lies outside the data folder."""
        there = [entry for entry in self.derived if entry.is_there(data)]
        return [entry.place(data) for entry in there if not entry.is_ours(data)]

    def reports(self, data: DataFolder) -> list[Path]:
        """Further reports and sheets that go, since they may show it; none that is in ``derived``.

        Paths are absolute.
        """
        known = {entry.place(data) for entry in self.derived}
        runs = {run.path.parent.name for run in self.runs}
        found = [path.absolute() for path in redaction.find_reports(data, runs)]
        return [path for path in found if path not in known]

    @property
    def emptied(self) -> int:
        return sum(len(run.line.positions) for run in self.runs)

    @property
    def edited(self) -> int:
        return sum(len(run.line.edited) for run in self.runs)


def plan(data: DataFolder, request: Request) -> ForgetPlan:
    """Find what a request comes to.

    Raises ``DataUnreadable`` and ``OutsideFolder``: a file that cannot be opened could name the
    same frames.
    """
    if foreign := data.foreign_ledgers():
        raise OutsideFolder(foreign[0], data.runs_dir)
    request = prepared(data, request)
    found = ForgetPlan()
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
    found.texts |= redaction.said_of(data, named)
    if found.runs:
        changed = {run.path.parent.name for run in found.runs}
        found.derived = derived_files.concerned(data, named, changed)
    return found


def _read(found: ForgetPlan, kept: set[str], path: Path) -> Ledger | None:
    """Read a ledger; of one that is damaged or of a later version, only what its bytes name."""
    try:
        return ledger.read(path)
    except (DamagedLedger, NewerSchema) as error:
        found.unread.append(str(error))
        kept.update(hash_.decode() for hash_ in _HASH.findall(path.read_bytes()))
        return None


def prepared(data: DataFolder, request: Request) -> Request:
    """A request with the ids that it comes to, and with a salt; once, however often it is begun."""
    if request.salt:
        return request
    ids: set[str] = set()
    makers: set[str] = set()
    if request.asked != "before":
        begun = [path for path in data.ledgers() if ledger.summarise(path) is not None]
        for run in ledger.read_each(begun, []):  # which cannot be read is told by the plan
            videos = [step.video for step in run.steps if request.hits(step)]
            ids |= {video.id for video in videos}
            makers |= {plain(video.author_name) for video in videos if video.author_name}
    if request.asked == "author":
        makers.add(plain(request.value))
    told = {
        "salt": secrets.token_hex(16),
        "ids": tuple(sorted(ids)),
        "makers": tuple(sorted(makers)) if request.asked == "author" else (),
    }
    return request.model_copy(update=told)


def _plan_run(found: ForgetPlan, run: Ledger, hit: set[int], request: Request) -> None:
    steps: dict[int, ObservedVideo] = {}
    said = _said(run.path.parent)
    for step in run.seen:
        if step.position in hit:
            found.videos.add(step.video.id)
            steps[step.position] = redaction.emptied(step, request.token(step.video.id))
        elif (
            new := redaction.retold(step, request.change, frozenset(request.makers))
        ) != step or any(request.change(text) != text for text in said.get(step.position, ())):
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
    digests = request.digests()
    listed = any(one in digests for batch in run.batches for one in batch.order)
    if steps or faults or listed:
        line = Forgotten(
            at=request.at,
            position=run.next_position,
            positions=tuple(sorted(hit)),
            edited=tuple(sorted(steps.keys() - hit)),
            asked=request.asked,
            before=datetime.fromisoformat(request.value) if request.asked == "before" else None,
        )
        found.runs.append(RunPlan(run.path, line, steps))
        if run.started.study:
            found.studies.add(run.started.study)


def _said(run_folder: Path) -> dict[int, list[str]]:
    said: dict[int, list[str]] = {}
    for path in judgement_files(run_folder):
        for line in read_known(path):
            if isinstance(line, RejudgedAnswer):
                said.setdefault(line.position, []).extend(redaction.words(line.judgement))
    return said

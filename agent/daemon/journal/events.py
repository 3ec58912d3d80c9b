"""The daemon's journal: what it decided and what became of it, one line an event.

An occurrence is one due time of one entry of the watch file. Whatever the daemon must still know
after ``kill -9`` is here or in a ledger.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from agent.run_config import ZoneName
from store.jsonl.append_only import LineFile, committed
from store.jsonl.base_record import Record
from store.jsonl.paths import PathName

Outcome = Literal[
    "complete", "interrupted", "busy", "fault", "wall", "refused", "deadline", "killed"
]
"""How a child ended: all done; to be resumed; somebody else uses what it needs; a fault; a wall of
the site; yours to mend (exit code 2); ended by us at its deadline; gone without an exit code."""
Trouble = Literal["disk", "memory", "clock", "orphan", "index", "hook", "files", "journal"]
"""``files``: the machine refuses them; ``journal``: lines of it cannot be read."""


class Event(Record):
    """Something that happened; times are UTC."""

    at: AwareDatetime


class DaemonStarted(Event):
    """A daemon took the data folder."""

    kind: Literal["daemon_started"] = "daemon_started"
    pid: int
    file: str


class DaemonStopped(Event):
    """It let go in order. Where this is missing, it was killed."""

    kind: Literal["daemon_stopped"] = "daemon_stopped"
    reason: str


class FileAccepted(Event):
    """The watch file, as it is from now on."""

    kind: Literal["file_taken"] = "file_taken"
    sha256: str
    entries: tuple[str, ...]
    timezone: ZoneName = "UTC"
    zones: dict[str, ZoneName] = Field(default_factory=dict)
    """Entries that are due by another zone's clock."""


class FileRefused(Event):
    """A changed watch file that is wrong; the one before stays in force."""

    kind: Literal["file_refused"] = "file_refused"
    problem: str


class OccurrenceQueued(Event):
    """A due time was taken up: it waits until it may be started, also after a restart."""

    kind: Literal["queued"] = "queued"
    entry: str
    due: AwareDatetime


def name_occurrence(entry: str, due: AwareDatetime) -> str:
    """Name of an occurrence, as the ledger of its run keeps it."""
    return f"{entry}@{due:%Y%m%dT%H%M%SZ}"


class ChildStarted(Event):
    """A child was started for an occurrence."""

    kind: Literal["started"] = "started"
    entry: str
    due: AwareDatetime
    pid: int
    attempt: int = 1
    log: str
    """Path below the data folder."""
    study: PathName | None = None


class ChildEnded(Event):
    """That child ended."""

    kind: Literal["ended"] = "ended"
    entry: str
    due: AwareDatetime
    outcome: Outcome
    code: int | None = None
    reason: str = ""
    """In words, without secrets."""


class OccurrenceSkipped(Event):
    """An occurrence that will not be started, and why."""

    kind: Literal["skipped"] = "skipped"
    entry: str
    due: AwareDatetime
    reason: str


class BreakerChanged(Event):
    """A platform's breaker after failures in a row: nothing of it is started while open."""

    kind: Literal["breaker"] = "breaker"
    platform: str
    open: bool
    failures: int = 0
    reason: str = ""


class WallReported(Event):
    """A wall that waits for a person (``open``), or that a person has looked at."""

    kind: Literal["wall"] = "wall"
    platform: str
    account: str
    open: bool
    wall: str = ""
    """What the site showed, such as ``LoginRequired``; ``LayoutChanged`` where its page or its
    responses are not as the adapter knows them."""
    found: str = ""
    """What in particular, without secrets."""
    run_id: str = ""


class PauseChanged(Event):
    """A person paused or resumed an entry, or everything (``entry`` is ``None``)."""

    kind: Literal["held"] = "held"
    entry: str | None = None
    paused: bool


class ActionRequested(Event):
    """A person asked for an occurrence now, or for another try of the last one."""

    kind: Literal["asked"] = "asked"
    entry: str
    what: Literal["run_now", "retry"]


class MachineNotice(Event):
    """Something about the machine (``open``), or that it is over."""

    kind: Literal["noticed"] = "noticed"
    trouble: Trouble
    open: bool = True
    detail: str = ""


AnyEvent = Annotated[
    DaemonStarted
    | DaemonStopped
    | FileAccepted
    | FileRefused
    | OccurrenceQueued
    | ChildStarted
    | ChildEnded
    | OccurrenceSkipped
    | BreakerChanged
    | WallReported
    | PauseChanged
    | ActionRequested
    | MachineNotice,
    Field(discriminator="kind"),
]
_EVENT: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)


class Journal:
    """The journal open for appending; each event is on the disk before ``write`` returns."""

    def __init__(self, path: Path) -> None:
        self._file = LineFile(path)

    def write(self, event: AnyEvent) -> None:
        self._file.append(event.model_dump_json().encode() + b"\n")

    def close(self) -> None:
        self._file.close()


def read_events(path: Path) -> Iterable[AnyEvent]:
    """Return the events in order; none where there is no journal yet."""
    lines, _ = committed(path.read_bytes()) if path.exists() else ([], 0)
    return [parse_event(line) for line in lines]


def parse_event(line: bytes) -> AnyEvent:
    return _EVENT.validate_json(line)

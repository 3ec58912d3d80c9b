"""What the journal's events amount to: what runs, what waits, what is paused, walled or broken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from agent.daemon.journal.events import (
    ActionRequested,
    AnyEvent,
    BreakerChanged,
    ChildEnded,
    ChildStarted,
    DaemonStarted,
    DaemonStopped,
    FileAccepted,
    FileRefused,
    MachineNotice,
    OccurrenceQueued,
    OccurrenceSkipped,
    PauseChanged,
    Trouble,
    WallReported,
)

FAILURES = ("fault", "killed", "refused")
"""Outcomes after which the same is tried again, so many times."""
REMEMBERED = 2000
"""Due times of an entry that are known to be dealt with, the newest."""
Key = tuple[str, datetime]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Occurrence:
    """One due time of one entry, and what became of it."""

    entry: str
    due: datetime
    attempts: int = 0
    started: datetime | None = None
    ended: ChildEnded | None = None
    skipped: str | None = None
    """Why it will not be started, if so."""
    failures: int = 0
    """Children that failed since it was last asked for."""
    number: int = 0
    """Counted from 1 over the entry's occurrences that were ever started."""

    @property
    def key(self) -> Key:
        return self.entry, self.due

    @property
    def settled(self) -> bool:
        """Whether nothing more will be started for it by itself."""
        done = self.ended is not None and self.ended.outcome in ("complete", "deadline")
        return done or self.skipped is not None


@dataclass
class State:
    """Everything that the journal tells."""

    paused_all: bool = False
    paused: frozenset[str] = frozenset()
    breakers: dict[str, BreakerChanged] = field(default_factory=dict)
    """Open ones, by platform."""
    failures: dict[str, int] = field(default_factory=dict)
    """Faults in a row, by platform."""
    walls: dict[tuple[str, str], WallReported] = field(default_factory=dict)
    """Open ones, by platform and account."""
    running: dict[Key, ChildStarted] = field(default_factory=dict)
    queued: dict[str, tuple[datetime, ...]] = field(default_factory=dict)
    """By entry, due times that were taken up and not begun."""
    open: dict[Key, Occurrence] = field(default_factory=dict)
    """Occurrences begun or asked for, and neither complete, skipped nor past their deadline."""
    last: dict[str, Occurrence] = field(default_factory=dict)
    """By entry, what an event was last about."""
    tried: dict[str, Occurrence] = field(default_factory=dict)
    """By entry, what a child was last started for."""
    dealt: dict[str, tuple[datetime, ...]] = field(default_factory=dict)
    """By entry, due times that were taken up, started, asked for or skipped."""
    numbers: dict[str, int] = field(default_factory=dict)
    """By entry, occurrences that were ever started."""
    known: dict[str, datetime] = field(default_factory=dict)
    """By entry, when it first was in the file."""
    troubles: dict[Trouble, MachineNotice] = field(default_factory=dict)
    file: FileAccepted | None = None
    refused: FileRefused | None = None
    started: DaemonStarted | None = None
    stopped: DaemonStopped | None = None

    def apply_event(self, event: AnyEvent) -> None:
        match event:
            case OccurrenceQueued():
                self._queue(event)
            case ChildStarted() | ChildEnded() | OccurrenceSkipped() | ActionRequested():
                self._occur(event)
            case DaemonStarted():
                self.started, self.stopped = event, None
            case DaemonStopped():
                self.stopped = event
            case FileAccepted():
                self.file, self.refused = event, None
                self.known = {name: self.known.get(name, event.at) for name in event.entries}
            case FileRefused():
                self.refused = event
            case MachineNotice():
                _put(self.troubles, event.trouble, event if event.open else None)
            case BreakerChanged() | WallReported() | PauseChanged():
                self._hold(event)

    def _hold(self, event: BreakerChanged | WallReported | PauseChanged) -> None:
        match event:
            case BreakerChanged():
                _put(self.breakers, event.platform, event if event.open else None)
                _put(self.failures, event.platform, event.failures or None)
            case WallReported():
                place = (event.platform, event.account)
                _put(self.walls, place, event if event.open else None)
            case PauseChanged(entry=None):
                self.paused_all = event.paused
            case PauseChanged():
                name = frozenset([str(event.entry)])
                self.paused = self.paused | name if event.paused else self.paused - name

    def _occur(
        self, event: ChildStarted | ChildEnded | OccurrenceSkipped | ActionRequested
    ) -> None:
        found = self._about(event)
        if found is None:
            return
        match event:
            case ChildStarted():
                found = replace(found, attempts=found.attempts + 1, started=event.at, ended=None)
                if found.number == 0:
                    found = replace(found, number=self.numbers.get(event.entry, 0) + 1)
                    _put(self.numbers, event.entry, found.number)
                _put(self.running, found.key, event)
            case ChildEnded():
                failed = found.failures + (event.outcome in FAILURES)
                found = replace(found, ended=event, failures=failed)
                _put(self.running, found.key, None)
            case OccurrenceSkipped():
                found = replace(found, skipped=event.reason)
            case ActionRequested():
                found = replace(found, ended=None, skipped=None, failures=0)
        self._keep(found)

    def _queue(self, event: OccurrenceQueued) -> None:
        queued = self.queued.get(event.entry, ())
        if event.due not in queued:
            self.queued[event.entry] = (*queued, event.due)
        self._deal(event.entry, event.due)

    def _deal(self, entry: str, due: datetime) -> None:
        dealt = self.dealt.get(entry, ())
        if due not in dealt[-50:] and due not in dealt:
            self.dealt[entry] = (*dealt, due)[-REMEMBERED:]

    def _about(
        self, event: ChildStarted | ChildEnded | OccurrenceSkipped | ActionRequested
    ) -> Occurrence | None:
        """Return the occurrence that an event is about, new if need be."""
        if isinstance(event, ActionRequested) and event.what == "retry":
            return self.tried.get(event.entry)
        due = event.at if isinstance(event, ActionRequested) else event.due
        for known in (self.open.get((event.entry, due)), self.tried.get(event.entry)):
            if known is not None and known.due == due:
                return known
        return Occurrence(event.entry, due)

    def _keep(self, found: Occurrence) -> None:
        _put(self.open, found.key, None if found.settled else found)
        _put(self.last, found.entry, found)
        if found.started is not None:
            _put(self.tried, found.entry, found)
        left = tuple(due for due in self.queued.get(found.entry, ()) if due != found.due)
        _put(self.queued, found.entry, left or None)
        self._deal(found.entry, found.due)


def fold(events: Iterable[AnyEvent]) -> State:
    state = State()
    for event in events:
        state.apply_event(event)
    return state


def _put(mapping: dict[K, V], key: K, value: V | None) -> None:
    if value is None:
        mapping.pop(key, None)
    else:
        mapping[key] = value

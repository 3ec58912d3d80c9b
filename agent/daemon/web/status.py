"""What a person who looks in wants to know: one frozen view, made of journal and ledgers alone.

The page, the terminal, ``--json`` and the metrics all show this and nothing else. Shares of yes
are descriptions of what was answered; what they mean is the report's to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain, islice
from time import monotonic
from zoneinfo import ZoneInfo

from pydantic import Field

from agent.daemon.journal.damage import SHOWN, UnreadableLine
from agent.daemon.journal.events import BreakerChanged, ChildEnded, MachineNotice, OccurrenceSkipped
from agent.daemon.journal.run_tally import QUARTER_S, RunTally
from agent.daemon.journal.state import State
from agent.daemon.journal.tail import CalendarDay, Events, Ledgers
from agent.daemon.journal.wall_status import WaitingWall, list_waiting
from agent.daemon.redact_secrets import SecretRedactor
from agent.daemon.web.run_status import LiveRun, list_running
from agent.daemon.web.study_status import StudyStatus, list_studies
from agent.run_config import FrozenValue
from store.jsonl.locks import holder
from store.maintenance.stats import RECENT, Disk, disk_of
from store.runs.canary_log import CanaryRecord, read_newest
from store.runs.data_folder import DataFolder

LOCK = "lock"
JOURNAL = "journal.jsonl"
_NAMES = {
    "name",
    "entry",
    "platform",
    "account",
    "persona",
    "arm",
    "study",
    "run_id",
    "frame",
    "kind",
    "outcome",
    "trouble",
}
"""Fields that hold no text: names that a person gave, which buttons ask by, and our own words."""
_SELDOM = 100
"""One part in so many of the time goes into measuring the folder: a big one takes long."""
Upcoming = Sequence[tuple[datetime, str]]


class SiteStatus(FrozenValue):
    """What was last found of a site, by a run's first videos or by a probe."""

    platform: str
    at: datetime
    skin: bool
    source: str
    """``probe``, ``run``, or ``layout_changed`` for a run that ended by it."""
    fails: tuple[str, ...] = ()
    """Capabilities that failed, each with its reason."""


class NextOccurrence(FrozenValue):
    """An entry that will start."""

    at: datetime
    entry: str


class LastOccurrence(FrozenValue):
    """The newest occurrence of an entry."""

    due: datetime
    at: datetime | None = None
    outcome: str | None = None
    """``None`` while it runs."""
    reason: str = ""
    attempts: int = 0


class EntryStatus(FrozenValue):
    """One entry of the watch file."""

    name: str
    paused: bool = False
    running: bool = False
    last: LastOccurrence | None = None
    next: datetime | None = None
    timezone: str | None = None
    """By whose clock it is due, where that is not the status's."""


class FailureNotice(FrozenValue):
    """Something that did not end well."""

    at: datetime
    entry: str
    due: datetime
    outcome: str
    reason: str


class Cost(FrozenValue):
    """What the models' services were paid, as far as prices are known."""

    total_usd: float = 0.0
    today_usd: float = 0.0
    unpriced_calls: int = 0


class Machine(FrozenValue):
    """The disk below the data folder."""

    free: int
    used: int
    per_day: float | None = None
    days_left: float | None = None


class FolderCounts(FrozenValue):
    """How much there is."""

    runs: int = 0
    complete: int = 0
    videos: int = 0
    today: int = 0
    """Videos of this day, in the status's time zone."""
    damaged: int = 0
    unreadable: int = 0
    """Lines of ledgers and of the journal that cannot be read."""
    outcomes: dict[str, dict[str, int]] = Field(default_factory=dict)
    """By entry and outcome, since the journal began."""


class Status(FrozenValue):
    """Everything, at one moment; times are UTC."""

    at: datetime
    timezone: str = "UTC"
    """Whose days are counted: that of the watch file."""
    daemon: str | None = None
    """Who holds the data folder; ``None`` where no daemon runs."""
    since: datetime | None = None
    file: str | None = None
    file_problem: str | None = None
    stopped: str | None = None
    paused: bool = False
    running: tuple[LiveRun, ...] = ()
    upcoming: tuple[NextOccurrence, ...] = ()
    entries: tuple[EntryStatus, ...] = ()
    walls: tuple[WaitingWall, ...] = ()
    sites: tuple[SiteStatus, ...] = ()
    breakers: tuple[BreakerChanged, ...] = ()
    troubles: tuple[MachineNotice, ...] = ()
    failures: tuple[FailureNotice, ...] = ()
    unreadable: tuple[UnreadableLine, ...] = ()
    """The first of them, by file and line."""
    studies: tuple[StudyStatus, ...] = ()
    counts: FolderCounts = FolderCounts()
    cost: Cost = Cost()
    machine: Machine


class StatusReader:
    """Looks again and again, and reads only what is new."""

    def __init__(self, data: DataFolder, hide: SecretRedactor | None = None) -> None:
        self._data = data
        self._hide = hide or SecretRedactor()
        self._events = Events(data.daemon_dir / JOURNAL)
        self._ledgers = Ledgers(data)
        self._disk = Disk()
        self._measure_at = 0.0

    def look(self, now: datetime, upcoming: Upcoming = ()) -> Status:
        self._events.catch_up()
        state = self._events.state
        runs = self._ledgers.now()
        everything = [*runs, *self._ledgers.nameless]
        held = holder(self._data.daemon_dir / LOCK)
        started = state.started
        timezone = state.file.timezone if state.file else "UTC"
        today = CalendarDay.of(now, ZoneInfo(timezone))
        status = Status(
            at=now,
            timezone=timezone,
            daemon=held,
            since=started.at if started and held else None,
            file=started.file if started else None,
            file_problem=state.refused.problem if state.refused else None,
            stopped=state.stopped.reason if state.stopped and not held else None,
            paused=state.paused_all,
            running=list_running(self._data, runs, state.running.values() if held else ()),
            upcoming=tuple(NextOccurrence(at=at, entry=entry) for at, entry in upcoming),
            entries=_entries(state, upcoming, alive=held is not None),
            walls=list_waiting(state.walls.values()),
            sites=tuple(map(_site, read_newest(self._data))),
            breakers=tuple(state.breakers.values()),
            troubles=tuple(state.troubles.values()),
            failures=_failures(self._events.failures),
            unreadable=self._unreadable(),
            studies=list_studies(self._data, runs),
            counts=self._counts(everything, today),
            cost=_cost(everything, today),
            machine=self._machine(everything, now),
        )
        return Status.model_validate(self._hide.everywhere(status.model_dump(), _NAMES))

    def _unreadable(self) -> tuple[UnreadableLine, ...]:
        of_ledgers = (line for run in self._ledgers.damaged for line in run.unreadable)
        return tuple(islice(chain(self._events.reader.unreadable, of_ledgers), SHOWN))

    def _counts(self, runs: Sequence[RunTally], today: CalendarDay) -> FolderCounts:
        outcomes: dict[str, dict[str, int]] = {}
        for (entry, outcome), count in sorted(self._events.outcomes.items()):
            outcomes.setdefault(entry, {})[outcome] = count
        return FolderCounts(
            runs=len(runs),
            complete=sum(run.finished for run in runs),
            videos=sum(run.steps for run in runs),
            today=sum(today.count(run.watched) for run in runs),
            damaged=len(self._ledgers.damaged),
            unreadable=self._events.reader.lost + sum(run.lost for run in self._ledgers.damaged),
            outcomes=outcomes,
        )

    def _machine(self, runs: Sequence[RunTally], now: datetime) -> Machine:
        """Measure the folder now and then, since that takes a while; free space each time."""
        began = monotonic()
        if began >= self._measure_at:
            first = (now - RECENT).timestamp() // QUARTER_S
            recent = sum(n for run in runs for at, n in run.watched.items() if at > first)
            self._disk = disk_of(self._data, sum(run.steps for run in runs), recent)
            self._measure_at = monotonic() + _SELDOM * max(0.1, monotonic() - began)
        disk = self._disk
        free = self._data.free_bytes()
        return Machine(
            free=free,
            used=sum(disk.used.values()),
            per_day=disk.per_day,
            days_left=free / disk.per_day if disk.per_day else None,
        )


def read_status(
    data: DataFolder, now: datetime, upcoming: Upcoming, hide: SecretRedactor | None = None
) -> Status:
    """Return how things stand, for somebody who looks once."""
    return StatusReader(data, hide).look(now, upcoming)


def _site(record: CanaryRecord) -> SiteStatus:
    fails = [name for name, verdict in record.verdicts.items() if verdict == "fails"]
    return SiteStatus(
        platform=record.platform,
        at=record.at,
        skin=record.skin,
        source=record.kind,
        fails=tuple(f"{name}: {record.reasons.get(name, '')}" for name in fails),
    )


def _cost(runs: Sequence[RunTally], today: CalendarDay) -> Cost:
    return Cost(
        total_usd=sum(run.cost.total() for run in runs) / 1e6,
        today_usd=sum(today.count(run.cost) for run in runs) / 1e6,
        unpriced_calls=sum(run.unpriced for run in runs),
    )


def _entries(state: State, upcoming: Upcoming, *, alive: bool) -> tuple[EntryStatus, ...]:
    names = state.file.entries if state.file else ()
    runs = {entry for entry, _ in state.running} if alive else set()
    return tuple(
        EntryStatus(
            name=name,
            paused=name in state.paused,
            running=name in runs,
            last=_last(state, name),
            next=next((at for at, entry in upcoming if entry == name), None),
            timezone=state.file.zones.get(name) if state.file else None,
        )
        for name in names
    )


def _last(state: State, name: str) -> LastOccurrence | None:
    """What a child was last started for, else what was last left out."""
    occurrence = state.tried.get(name) or state.last.get(name)
    if occurrence is None:
        return None
    ended = occurrence.ended
    return LastOccurrence(
        due=occurrence.due,
        at=ended.at if ended else occurrence.started,
        outcome=ended.outcome if ended else "skipped" if occurrence.skipped else None,
        reason=ended.reason if ended else occurrence.skipped or "",
        attempts=occurrence.attempts,
    )


def _failures(events: Iterable[ChildEnded | OccurrenceSkipped]) -> tuple[FailureNotice, ...]:
    """Return them, the newest first."""
    found = [
        FailureNotice(
            at=event.at,
            entry=event.entry,
            due=event.due,
            outcome=event.outcome if isinstance(event, ChildEnded) else "skipped",
            reason=event.reason,
        )
        for event in events
    ]
    return tuple(reversed(found))

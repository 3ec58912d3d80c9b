"""Which due times are taken up, which wait, and which are skipped as missed or overlapping.

A due time is taken up once, whatever the clock does meanwhile; that it waits is in the journal.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from agent.daemon.config.watch_file import WatchEntry, WatchFile
from agent.daemon.journal.events import OccurrenceQueued, OccurrenceSkipped
from agent.daemon.journal.state import Occurrence, State
from agent.daemon.schedule import next_due

LATE = timedelta(seconds=60)
"""What is found due later than this was missed."""


class DueQueue:
    """Finds what has become due."""

    def __init__(self) -> None:
        self._looked: dict[str, datetime] = {}

    def collect(
        self, watch: WatchFile, state: State, now: datetime
    ) -> list[OccurrenceQueued | OccurrenceSkipped]:
        """Return what has become due since the last look: each is taken up, or skipped."""
        events: list[OccurrenceQueued | OccurrenceSkipped] = []
        names = {entry.name for entry in watch.entries}
        for name in self._looked.keys() - names:
            del self._looked[name]
        for entry in watch.entries:
            dealt = set(state.dealt.get(entry.name, ()))
            found = [due for due in self._found(watch, entry, state, now) if due not in dealt]
            self._looked[entry.name] = now
            if found:
                events += self._sort_out(entry, found, state, now)
        return events

    def candidates(self, state: State) -> list[Occurrence]:
        """Return what may be started or resumed, the earliest due first."""
        fresh = [Occurrence(name, due) for name, dues in state.queued.items() for due in dues[:1]]
        begun = [one for key, one in state.open.items() if key not in state.running]
        return sorted([*begun, *fresh], key=lambda one: one.due)

    def set_back(self, now: datetime) -> None:
        """Go on from here after the clock was set back."""
        self._looked = {name: min(then, now) for name, then in self._looked.items()}

    def _found(
        self, watch: WatchFile, entry: WatchEntry, state: State, now: datetime
    ) -> list[datetime]:
        since = self._looked.get(entry.name)
        if since is None:
            dealt = state.dealt.get(entry.name, ())
            if not dealt and entry.every is not None:
                return [now.replace(microsecond=0)]  # its first is due at once
            earlier = [due for due in dealt if due <= now]
            since = max(earlier) if earlier else state.known.get(entry.name, now)
        return next_due.due_between(watch, entry, since, now)

    def _sort_out(
        self, entry: WatchEntry, found: list[datetime], state: State, now: datetime
    ) -> list[OccurrenceQueued | OccurrenceSkipped]:
        *missed, due = found
        if now - due > LATE and entry.missed == "skip":
            missed, due_now = found, None
        else:
            due_now = due
        events: list[OccurrenceQueued | OccurrenceSkipped] = []
        if missed:
            more = f", as were {len(missed) - 1} before it" if len(missed) > 1 else ""
            events.append(_skipped(entry, missed[-1], now, f"missed{more}"))
        if due_now is None:
            return events
        waiting = state.queued.get(entry.name, ())
        before = [*(key[1] for key in state.open if key[0] == entry.name), *waiting]
        if before and (entry.overlap == "skip" or waiting):
            why = f"the one due {min(before):%Y-%m-%d %H:%M:%S} UTC was not over"
            events.append(_skipped(entry, due_now, now, why))
        else:
            events.append(OccurrenceQueued(at=now, entry=entry.name, due=due_now))
        return events


def _skipped(entry: WatchEntry, due: datetime, now: datetime, reason: str) -> OccurrenceSkipped:
    return OccurrenceSkipped(at=now, entry=entry.name, due=due, reason=reason)

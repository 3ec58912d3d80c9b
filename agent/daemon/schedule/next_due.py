"""When each entry is due: a pure function of the watch file and the time asked about.

A wall time that a change of the clocks leaves out is due an hour later; one that comes twice is due
the first time, unless the entry is due every hour anyway. Intervals are counted in UTC from 1970,
and a moment within hours is drawn from the seed, the name and the day, so that a restarted daemon
finds the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from heapq import merge
from itertools import islice
from typing import Protocol
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from agent.daemon.config.watch_file import WatchEntry, WatchFile
from agent.run.pacing import Hours

LONGEST_CHANGE = timedelta(hours=3)
"""No clock is put on or back by more."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LOOK_BACK = timedelta(days=32)
"""What was missed longer ago is not caught up."""


class Trigger(Protocol):
    """APScheduler's triggers, as far as they are asked."""

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """Return the first moment at or after ``now``."""
        ...


class OncePerDay(BaseTrigger):  # type: ignore[misc]
    """A moment a day, drawn evenly within hours that may span midnight."""

    def __init__(self, hours: Hours, zone: ZoneInfo, seed: str) -> None:
        self._hours, self._zone, self._seed = hours, zone, seed

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        now = _later(previous, now)
        day = now.astimezone(self._zone).date() - timedelta(days=1)
        while (drawn := self._drawn(day)) < now:
            day += timedelta(days=1)
        return drawn

    def _drawn(self, day: date) -> datetime:
        digest = hashlib.sha256(f"{self._seed}/{day}".encode()).digest()
        share = int.from_bytes(digest[:6], "big") / 2**48
        last_day = day + timedelta(days=self._hours.end <= self._hours.start)
        start, end = self._moment(day, self._hours.start), self._moment(last_day, self._hours.end)
        return (start + share * (end - start)).replace(microsecond=0)

    def _moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self._zone).astimezone(UTC)


class WallTimes(BaseTrigger):  # type: ignore[misc]
    """A crontab: times as a clock on the wall shows them.

    The crontab is asked for wall times alone, which know no change of the clocks, and each is then
    looked up in the zone.
    """

    def __init__(self, crontab: str, zone: ZoneInfo) -> None:
        self._zone = zone
        self._wall = CronTrigger.from_crontab(crontab, UTC)
        self._hourly = crontab.split()[1] == "*"

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        now = _later(previous, now).astimezone(UTC)
        face = now.astimezone(self._zone).replace(tzinfo=UTC) - self._doubt(now)
        found: datetime | None = None
        until = datetime.max.replace(tzinfo=UTC)
        while (wall := self._wall.get_next_fire_time(None, face)) is not None and wall <= until:
            for moment in self._moments(wall):
                if moment >= now and (found is None or moment < found):
                    found, until = moment, min(until, wall + self._doubt(moment))
            face = wall + timedelta(seconds=1)
        return found

    def _doubt(self, moment: datetime) -> timedelta:
        """How far wall times may be out of order: not at all but near a change of the clocks."""
        around = (moment - LONGEST_CHANGE, moment + LONGEST_CHANGE)
        offsets = {at.astimezone(self._zone).utcoffset() for at in around}
        return LONGEST_CHANGE if len(offsets) > 1 else timedelta()

    def _moments(self, wall: datetime) -> list[datetime]:
        """Moments at which the clock shows a time: none is there twice unless it is every hour."""
        first, second = (
            wall.replace(tzinfo=self._zone, fold=fold).astimezone(UTC) for fold in (0, 1)
        )
        return [first, second] if self._hourly and second > first else [first]


def _later(previous: datetime | None, now: datetime) -> datetime:
    return now if previous is None else max(now, previous + timedelta(microseconds=1))


def make_trigger(watch: WatchFile, entry: WatchEntry) -> Trigger:
    zone = watch.zone(entry)
    made: Trigger
    if entry.cron is not None:
        made = WallTimes(entry.cron, zone)
    elif entry.every is not None:
        made = IntervalTrigger(seconds=entry.every, start_date=EPOCH, timezone=UTC)
    else:
        assert entry.between is not None
        made = OncePerDay(Hours.parse(entry.between), zone, f"{watch.seed}/{entry.name}")
    return made


def due_after(watch: WatchFile, entry: WatchEntry, moment: datetime) -> Iterator[datetime]:
    """Due times of an entry later than ``moment``, in UTC, without end (a crontab may have one)."""
    made, zone = make_trigger(watch, entry), watch.zone(entry)
    while True:
        later = moment + timedelta(microseconds=1)
        found = made.get_next_fire_time(None, later.astimezone(zone))
        if found is None:
            return
        moment = found.astimezone(UTC)
        yield moment


def due_between(
    watch: WatchFile, entry: WatchEntry, since: datetime, until: datetime
) -> list[datetime]:
    """Due times later than ``since`` and not later than ``until``."""
    found: list[datetime] = []
    for due in due_after(watch, entry, max(since, until - LOOK_BACK)):
        if due > until:
            break
        found.append(due)
    return found


def upcoming(watch: WatchFile, now: datetime, count: int) -> list[tuple[datetime, str]]:
    """Return the nearest due times, and the first of each entry that has none among them."""

    def of(entry: WatchEntry) -> Iterator[tuple[datetime, str]]:
        return ((due, entry.name) for due in due_after(watch, entry, now))

    nearest = list(islice(merge(*(of(entry) for entry in watch.entries)), count))
    named = {name for _, name in nearest}
    later = (next(of(entry), None) for entry in watch.entries if entry.name not in named)
    return nearest + sorted(due for due in later if due is not None)

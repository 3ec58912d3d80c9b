"""Keeps a run on a live site slow: floor between actions, daily cap, quiet hours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import takewhile
from time import monotonic
from zoneinfo import ZoneInfo

import numpy as np

from agent.errors import BadConfig, PaceReached
from agent.run_config import HandPace
from store.runs.data_folder import DataFolder
from store.runs.ledger import read_each

SLOWEST = 8.0
"""Errors double the floor up to this factor; nothing makes it lower again."""


@dataclass(frozen=True)
class Hours:
    """A part of the day, which may span midnight."""

    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> Hours:
        """Read ``23:00-07:00``, or raise ``BadConfig``."""
        try:
            start, end = (time.fromisoformat(part.strip()) for part in text.split("-"))
            if start.tzinfo or end.tzinfo:
                raise ValueError("the zone is told elsewhere")
        except ValueError:
            raise BadConfig(f"{text!r} are no hours. Type: --quiet-hours 23:00-07:00") from None
        return cls(start, end)

    def hold(self, now: time) -> bool:
        """Whether the time of day lies within."""
        if self.start <= self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end

    def end_after(self, now: datetime) -> datetime:
        end = datetime.combine(now.date(), self.end, now.tzinfo)
        return end if end > now else end + timedelta(days=1)


def zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise BadConfig(f"{name!r} is no time zone. Type: --timezone Europe/Berlin") from None


@dataclass(frozen=True)
class PaceLimits:
    """When an account may watch at all; no part of what a run is."""

    per_day: int | None = None
    """Videos a calendar day over all runs of the account."""
    quiet: Hours | None = None
    zone: ZoneInfo | None = None
    """Time zone of these days and hours; ``None``: the machine's own."""

    def clock(self) -> datetime:
        return datetime.now(UTC).astimezone(self.zone)


class SlowHands:
    """Waits before each action as long as the pace asks for.

    ``watched`` counts the account's videos of today; ``now`` tells time where days are counted.
    """

    def __init__(
        self,
        pace: HandPace,
        limits: PaceLimits,
        watched: int,
        rng: np.random.Generator,
        now: Callable[[], datetime],
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._pace, self._limits = pace, limits
        self._rng, self._now, self._wait = rng, now, wait
        self._day, self._watched = now().date(), watched
        self._factor = 1.0
        self._last: float | None = None

    async def before_action(self) -> None:
        """Wait until the next action may be taken; raise ``PaceReached`` where none may be."""
        self._check()
        drawn = 1 + self._pace.jitter * float(self._rng.random())
        if self._last is not None:
            left = self._last + self._pace.floor_s * self._factor * drawn - monotonic()
            if left > 0:
                await self._wait(left)
        self._last = monotonic()
        self._watched += 1

    def erred(self) -> None:
        self._factor = min(SLOWEST, 2 * self._factor)

    def _check(self) -> None:
        now = self._now()
        if now.date() != self._day:
            self._day, self._watched = now.date(), 0
        cap, quiet = self._limits.per_day, self._limits.quiet
        if cap is not None and self._watched >= cap:
            zone = self._limits.zone or now.tzname()
            raise PaceReached(
                f"{self._watched} videos were watched today ({zone}), and {cap} are allowed"
            )
        if quiet is not None and quiet.hold(now.time()):
            zone = self._limits.zone or now.tzname()
            raise PaceReached(f"it is {now:%H:%M} ({zone}), within the quiet hours")


def count_watched_today(
    data: DataFolder, platform: str, account: str, now: datetime, problems: list[str]
) -> int:
    """Count the account's videos since midnight; ``problems`` takes unreadable ledgers."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    since = midnight - timedelta(days=31)
    mine = [
        run.path
        for run in data.runs()
        if run.started is not None
        and run.started.at >= since
        and (run.started.platform, run.started.account) == (platform, account)
    ]
    count = 0
    for run in read_each(mine, problems):
        count += sum(1 for _ in takewhile(lambda step: step.at >= midnight, reversed(run.steps)))
    return count

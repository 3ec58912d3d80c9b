"""Hands on a live site: never faster than the floor, slower after errors, still at night."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time, timedelta

import numpy as np
import pytest

from agent.errors import BadConfig, PaceReached
from agent.run import pacing
from agent.run.pacing import Hours, PaceLimits, SlowHands
from agent.run_config import HandPace

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Clock:
    """A clock that goes on only while it is waited for."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at
        self.waits: list[float] = []

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pacing, "monotonic", clock.monotonic)
    return clock


def hands(clock: Clock, limits: PaceLimits | None = None, watched: int = 0) -> SlowHands:
    rng = np.random.default_rng(0)
    limits = limits or PaceLimits()
    return SlowHands(HandPace(floor_s=3, jitter=0.5), limits, watched, rng, clock.now, clock.wait)


def act(slow: SlowHands, times: int = 1) -> None:
    async def acting() -> None:
        for _ in range(times):
            await slow.before_action()

    asyncio.run(acting())


def test_the_floor_holds_and_waits_differ(clock: Clock) -> None:
    act(hands(clock), 50)
    assert len(clock.waits) == 49  # the first action waits for nothing
    assert min(clock.waits) >= 3
    assert max(clock.waits) <= 4.5
    assert len({round(wait, 3) for wait in clock.waits}) > 40


def test_time_that_passed_anyway_counts(clock: Clock) -> None:
    slow = hands(clock)
    act(slow)
    clock.at += timedelta(seconds=10)
    act(slow)
    assert clock.waits == []


def test_errors_make_it_slower_and_nothing_makes_it_faster(clock: Clock) -> None:
    slow = hands(clock)
    act(slow)
    slow.erred()
    act(slow, 20)
    assert min(clock.waits) >= 6
    for _ in range(20):
        slow.erred()
    clock.waits.clear()
    act(slow, 5)
    assert 24 <= min(clock.waits) <= max(clock.waits) <= 36


def test_the_daily_cap_counts_what_was_watched_before(clock: Clock) -> None:
    slow = hands(clock, PaceLimits(per_day=10), watched=8)
    act(slow, 2)
    with pytest.raises(PaceReached, match="10 videos were watched today"):
        act(slow)
    clock.at += timedelta(days=1)
    act(slow, 2)


@pytest.mark.parametrize(
    ("hour", "still"), [(22, False), (23, True), (3, True), (6, True), (7, False), (12, False)]
)
def test_quiet_hours_span_midnight(clock: Clock, hour: int, still: bool) -> None:
    clock.at = NOON.replace(hour=hour)
    slow = hands(clock, PaceLimits(quiet=Hours.parse("23:00-07:00")))
    if not still:
        act(slow)
        return
    with pytest.raises(PaceReached, match="quiet hours"):
        act(slow)


def test_hours_within_a_day() -> None:
    lunch = Hours.parse("12:00-13:30")
    assert [lunch.hold(time(hour)) for hour in (11, 12, 13, 14)] == [False, True, True, False]


@pytest.mark.parametrize("text", ["", "23", "23:00", "25:00-07:00", "a-b", "1-2-3"])
def test_what_are_no_hours(text: str) -> None:
    with pytest.raises(BadConfig, match="--quiet-hours 23:00-07:00"):
        Hours.parse(text)

"""Hands on a live site: never faster than the floor, slower after errors, still at night."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pytest

from agent.errors import BadConfig, PaceReached
from agent.run import pacing
from agent.run.pacing import Hours, PaceLimits, SlowHands
from agent.run.start_or_resume import LiveOptions, RunFolder, SilentWatcher, _pacer
from agent.run_config import HandPace, RunConfig
from personas.library import find
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from tests.store.samples import started, step

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


class Told(SilentWatcher):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def doing(self, what: str) -> None:
        self.words.append(what)


def test_what_an_account_watched_today_counts_towards_its_day(tmp_path: Path) -> None:
    """On its platform and since midnight; a damaged run is named, and does not count."""
    data, now = DataFolder(tmp_path), datetime.now(UTC).astimezone()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    runs = (("r1", "tiktok", "a1"), ("r2", "tiktok", "a2"), ("r3", "youtube", "a1"))
    for run_id, platform, account in runs:
        with LedgerWriter(data.ledger_path(run_id), fsync=False) as writer:
            first = midnight - timedelta(seconds=2)
            writer.append(started(run_id, at=first, platform=platform, account=account))
            for position in range(5):
                writer.append(step(position, at=first + timedelta(seconds=position)))
    config = RunConfig(
        persona=find("p12"), platform="tiktok", account="a1", site=None, pace=HandPace(floor_s=0)
    )
    told = Told()
    slow = _pacer(config, RunFolder(data, None, live=LiveOptions(PaceLimits(per_day=4))), told)
    assert slow is not None
    act(slow)
    with pytest.raises(PaceReached, match=r"4 videos were watched today .* and 4 are allowed"):
        act(slow)
    assert told.words == []
    lines = data.ledger_path("r1").read_text(encoding="utf-8").splitlines()
    lines[2] = "{}"
    data.ledger_path("r1").write_text("\n".join([*lines, ""]), encoding="utf-8")
    unlimited = _pacer(config, RunFolder(data, None), told)
    assert unlimited is not None
    act(unlimited, 5)
    (said,) = told.words
    assert said.startswith("what a former run showed does not count towards today: ")
    assert "r1" in said
    assert _pacer(config.model_copy(update={"pace": None}), RunFolder(data, None), told) is None


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

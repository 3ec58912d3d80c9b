"""No video is passed over: whichever way to move is missing or lags, on however busy a machine."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from time import perf_counter
from typing import Any

import pytest

from agent.drivers.base import Arrival
from agent.drivers.web import browser as browsers
from agent.drivers.web.browser import BrowserWindow
from agent.drivers.web.driver import PageTimeouts, PlaywrightDriver
from agent.platforms.playground import HOOKS
from tests.slow_cases import drills_but

BUTTON_FIRST = ("button", "key:ArrowDown", "wheel", "scroll")
KEY_FIRST = ("key:ArrowDown", "button", "wheel", "scroll")
WAYS = {
    "first missing": (BUTTON_FIRST, "nobutton=1", "key:ArrowDown"),
    "first dead": (KEY_FIRST, "deaf=1", "button"),
    "first and second dead": (KEY_FIRST, "deaf=1&mute=1&wheel=slow", "wheel"),
    "third dead": (KEY_FIRST, "nobutton=1&deaf=1&wheel=dead", "scroll"),
    "first lags": (KEY_FIRST, "lag=1-500", "key:ArrowDown"),
    "first missing, second lags": (BUTTON_FIRST, "nobutton=1&lag=1-500", "key:ArrowDown"),
    "first two missing, third lags": (
        BUTTON_FIRST,
        "nobutton=1&deaf=1&wheel=slow&lag=1-500",
        "wheel",
    ),
}
QUICK = ("first missing",)
SPINNERS_A_CORE = 3


@dataclass
class Tally:
    """What came of so many moves."""

    moves: int = 0
    passed_over: int = 0
    wrong: int = 0
    """Moves whose ``moved`` is not what the feed did."""
    other_ways: int = 0


async def moved_through(url: str, ways: str, moves: int, limits: PageTimeouts) -> Tally:
    """Move so often, and compare what the driver tells with what the page has shown."""
    order, query, expected = WAYS[ways]
    window = BrowserWindow(browsers.find_browser(), speed=16)
    driver = PlaywrightDriver(window, replace(HOOKS, moves=order), lambda _: None, limits)
    tally = Tally()
    arrivals: list[Arrival] = []
    try:
        shown = await driver.open(f"{url}?videos={2 * moves + 10}&{query}")
        ids = [shown.id]
        for _ in range(moves):
            arrival = await driver.next(shown)
            arrivals.append(arrival)
            shown = arrival.shown
            ids.append(shown.id)
        passed = await driver._open_page().evaluate("window.passed")
    finally:
        await driver.close()
    places = [int((id_ or "v-1")[1:]) for id_ in ids]
    steps = [after - before for before, after in pairwise(places)]
    tally.moves = len(arrivals)
    tally.passed_over = len(set(passed) - set(places))
    tally.wrong = sum(a.shown.moved != step for a, step in zip(arrivals, steps, strict=True))
    tally.other_ways = sum(arrival.action != expected for arrival in arrivals)
    return tally


@contextmanager
def busy_machine(processes: int) -> Iterator[None]:
    """Have so many processes spin beside."""
    spin = [sys.executable, "-c", "while True: pass"]
    spinning = [subprocess.Popen(spin) for _ in range(processes)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


@pytest.mark.parametrize("ways", drills_but(["first missing, second lags"], list(WAYS)[::5]))
def test_a_process_that_asks_late_passes_nothing_over(
    feed_url: str, ways: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine the page has moved before this process comes to ask about it."""
    arrive = PlaywrightDriver._arrive

    async def late(*given: Any, **more: Any) -> Any:
        until = perf_counter() + 0.4
        while perf_counter() < until:
            pass
        return await arrive(*given, **more)

    monkeypatch.setattr(PlaywrightDriver, "_arrive", late)
    tally = asyncio.run(moved_through(feed_url, ways, 5, PageTimeouts()))
    assert tally == Tally(moves=5)


@pytest.mark.parametrize("ways", drills_but(QUICK, WAYS))
def test_every_way_to_move_is_confirmed(feed_url: str, ways: str) -> None:
    tally = asyncio.run(moved_through(feed_url, ways, 4, PageTimeouts(change=2.0)))
    assert tally == Tally(moves=4)


@pytest.mark.drill
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("spinners", [0, SPINNERS_A_CORE])
@pytest.mark.parametrize("ways", WAYS)
def test_moves_on_quiet_and_busy_machines(feed_url: str, ways: str, spinners: int) -> None:
    moves = int(os.environ.get("FEEDSWAY_DRILL_MOVES", "24"))  # with 144, 2,016 in all
    with busy_machine(spinners * (os.cpu_count() or 1)):
        tally = asyncio.run(moved_through(feed_url, ways, moves, PageTimeouts(change=2.0)))
    print(f"{ways}, {spinners} spinners a core: {tally}")  # noqa: T201 - figures of a drill
    assert (tally.passed_over, tally.wrong) == (0, 0)

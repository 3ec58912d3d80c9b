"""The Playwright driver on a real browser: active, shown, held, metered, moved by exactly one."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from agent.drivers.base import ActiveVideo, PageHooks
from agent.drivers.web import browser as browsers
from agent.drivers.web import driver as web
from agent.drivers.web.driver import PageTimeouts, PlaywrightDriver
from agent.errors import ActionNotConfirmed, BadConfig, BrowserLost, FeedEmpty, PageStuck
from agent.platforms.playground import HOOKS
from tests.slow_cases import drills_but

SPEED = 16
SHORT = PageTimeouts(navigation=10, change=0.6, show=1.5, grace=1.0)


@asynccontextmanager
async def driving(
    hooks: PageHooks = HOOKS, limits: PageTimeouts | None = None, **window: Any
) -> AsyncIterator[PlaywrightDriver]:
    settings = browsers.BrowserWindow(browsers.find_browser(), speed=SPEED, **window)
    driver = PlaywrightDriver(settings, hooks, lambda _: None, limits or SHORT)
    try:
        yield driver
    finally:
        await driver.close()


def drive(scenario: Callable[[PlaywrightDriver], Awaitable[None]], **options: Any) -> None:
    async def run() -> None:
        async with driving(**options) as driver:
            await scenario(driver)

    asyncio.run(run())


@pytest.mark.parametrize("query", drills_but([""], ["", "?motion=smooth", "?recycle=1"]))
def test_moves_by_exactly_one_and_meters_what_was_left(feed_url: str, query: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(feed_url + query)
        overshoots = []
        for number in range(10):
            assert (shown.id, shown.shown) == (f"v{number}", True)
            assert shown.box.width == 270
            released = time.perf_counter()
            played = await driver.watch(shown, 2.0)
            assert played >= 2.0
            overshoots.append(played - 2.0)
            left = time.perf_counter()
            arrival = await driver.next(shown)
            now = time.perf_counter()
            at_most = shown.exposure_s + (now - released + 0.05) * SPEED  # it played all the time
            meanwhile = (now - left + 0.05) * SPEED
            assert (arrival.attempts, arrival.shown.moved) == (1, 1)
            assert played <= arrival.left_dwell_s <= at_most
            held = arrival.shown.animation_ms / 1000 * SPEED / 2  # most of a move is not watched
            assert arrival.shown.exposure_s <= meanwhile - held
            assert (arrival.shown.animation_ms > 50) == (query == "?motion=smooth")
            shown = arrival.shown
        assert statistics.median(overshoots) < 1.0  # one animation frame at this speed: 0.3

    drive(scenario)


def test_geometry_alone_finds_and_moves(feed_url: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(feed_url + "?anonymous=1")
        keys = {shown.key}
        for _ in range(5):
            arrival = await driver.next(shown)
            shown = arrival.shown
            assert shown.id is None
            assert shown.shown
            keys.add(shown.key)
        assert len(keys) == 6

    drive(scenario, hooks=PageHooks())


def test_a_held_player_stays_held_on_a_restless_page(feed_url: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(feed_url + "?restless=1&speed=1")
        first = await driver.capture(shown)
        await asyncio.sleep(1.0)
        second = await driver.capture(shown)
        assert second.time_s - first.time_s < 0.5  # each play() is undone, on a busy machine late

    drive(scenario)


def test_the_picture_is_the_player_region(feed_url: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(feed_url)
        picture = Image.open(io.BytesIO((await driver.capture(shown)).jpeg))
        assert picture.size == (270, 480)
        colours = picture.convert("RGB").getcolors(maxcolors=1 << 24)
        assert colours is not None
        assert len(colours) > 1000  # a test pattern, not a blank

    drive(scenario)


def test_the_next_way_takes_over_when_a_key_does_nothing(feed_url: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(feed_url + "?deaf=1")
        arrival = await driver.next(shown)
        assert (arrival.action, arrival.attempts, arrival.shown.id) == ("button", 2, "v1")

    drive(scenario)


def test_scrolling_is_the_last_resort(feed_url: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(feed_url + "?deaf=1&mute=1")
        arrival = await driver.next(shown)
        assert (arrival.action, arrival.shown.id) == ("scroll", "v1")

    drive(scenario, hooks=replace(HOOKS, moves=("key:ArrowDown", "button", "scroll")))


def test_a_feed_that_does_not_move_is_a_fault(feed_url: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(feed_url + "?deaf=1&mute=1")
        with pytest.raises(ActionNotConfirmed):
            await driver.next(shown)

    drive(scenario, hooks=replace(HOOKS, moves=("key:ArrowDown", "button")))


def test_a_skip_is_counted(feed_url: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(feed_url + "?overshoot=1")
        assert (await driver.next(shown)).shown.moved == 2

    drive(scenario)


@pytest.mark.parametrize(("query", "has_video"), [("?broken=1", True), ("?card=1", False)])
def test_what_never_plays_is_not_shown(feed_url: str, query: str, has_video: bool) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        first = await driver.open(feed_url + query)
        second = (await driver.next(first)).shown
        assert (second.id, second.shown, second.has_video) == ("v1", False, has_video)
        third = (await driver.next(second)).shown
        assert (third.id, third.shown) == ("v2", True)

    drive(scenario)


def test_a_page_that_does_not_autoplay_is_started(feed_url: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        assert (await driver.open(feed_url + "?noautoplay=1")).shown

    drive(scenario, limits=replace(SHORT, show=4.0))


def test_likes_are_confirmed_by_the_page(feed_url: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        await driver.open(feed_url)
        assert await driver.like()

    drive(scenario)


def test_errors_of_the_page_are_told(feed_url: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(feed_url + "?throws=1")
        await driver.watch(shown, 4.0)
        assert [event.message for event in driver.events()] == ["planted"]
        assert driver.events() == []

    drive(scenario)


def test_an_empty_feed_is_told(feed_url: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        with pytest.raises(FeedEmpty):
            await driver.open(feed_url + "?empty=1")

    drive(scenario, limits=replace(SHORT, navigation=5.0))


def test_a_page_that_hangs_is_a_fault_and_can_be_opened_again(
    feed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        await driver.open(feed_url)
        await driver._open_page().evaluate("setTimeout(() => { for (;;); })")
        with monkeypatch.context() as patch:
            patch.setattr(web, "SETTLE_MARGIN_S", 1.0)
            with pytest.raises(PageStuck, match="the page did not answer within 1 s"):
                async with asyncio.timeout(60):
                    await driver.count(["video"])
        await driver.close()
        assert (await driver.open(feed_url)).shown

    drive(scenario)


@pytest.mark.parametrize("victim", ["browser", "renderer"])
def test_a_killed_browser_is_a_fault_and_can_be_opened_again(feed_url: str, victim: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(feed_url)
        _kill(victim)
        with pytest.raises(BrowserLost, match=r"closed|crash"):
            await _watch_and_move(driver, shown)
        await driver.close()
        assert (await driver.open(feed_url)).shown

    drive(scenario)


async def _watch_and_move(driver: PlaywrightDriver, shown: ActiveVideo) -> None:
    await driver.watch(shown, 60.0)
    await driver.next(shown)


def _kill(victim: str) -> None:
    for process in psutil.Process().children(recursive=True):
        try:
            words = process.cmdline()
        except (psutil.NoSuchProcess, psutil.AccessDenied):  # ended, or waits to be reaped
            continue
        if not words or "chrom" not in words[0]:
            continue
        kind = next((word for word in words if word.startswith("--type=")), "--type=browser")
        if kind == f"--type={victim}":
            os.kill(process.pid, signal.SIGKILL)


def test_a_missing_browser_says_what_to_type() -> None:
    with pytest.raises(BadConfig, match="Type: make browser"):
        browsers.find_browser("/nowhere/chromium")


def test_an_interrupt_is_not_lost_to_an_answer_of_the_same_moment() -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        await driver.start()
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        asking = asyncio.create_task(driver._within(answer, 10))
        await asyncio.sleep(0)  # it waits now
        answer.set_result("done")
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    drive(scenario)


def made_executable(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("user", [0, 1000])
def test_only_root_watches_without_the_browser_s_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int
) -> None:
    told = tmp_path / "told"
    program = made_executable(
        tmp_path / "browser",  # root may not do without, which is what this test may run as
        f'echo "$@" > {told}; exec {browsers.find_browser().path} --no-sandbox "$@"',
    )
    monkeypatch.setattr(os, "geteuid", lambda: user)
    asyncio.run(browsers.probe_browser(browsers.find_browser(program), {}))
    assert ("--no-sandbox" in told.read_text(encoding="utf-8").split()) is (user == 0)


def test_a_machine_that_forbids_the_sandbox_is_told(tmp_path: Path) -> None:
    program = made_executable(tmp_path / "browser", "echo 'No usable sandbox! ...' >&2; exit 1")
    with pytest.raises(BadConfig, match="type: --browser SCRIPT"):
        asyncio.run(browsers.probe_browser(browsers.find_browser(program), {}))

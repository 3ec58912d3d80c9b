"""What live pages do to a driver: players made anew, refused responses, inline JSON, likes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.drivers.base import PageHooks, SiteAnswer
from agent.drivers.web import browser as browsers
from agent.drivers.web.browser import BrowserWindow
from agent.drivers.web.driver import PageTimeouts, PlaywrightDriver
from agent.drivers.web.page_events import list_fallbacks, parse_json
from agent.platforms import load_platform
from agent.platforms.playground import HOOKS
from agent.run.playground_process import PlaygroundSite
from agent.run_config import SiteConfig

SPEED = 16
LIMITS = PageTimeouts(navigation=15, change=1.0, show=4.0)
Scenario = Callable[[PlaywrightDriver, str, list[SiteAnswer]], Awaitable[None]]


def on_skin(root: Path, skin: Any, switches: str, scenario: Scenario) -> None:
    """Run a scenario on a skin with its own adapter's hooks."""
    platform = load_platform(skin)
    answers: list[SiteAnswer] = []

    async def run() -> None:
        site = PlaygroundSite(SiteConfig(feed="random", skin=skin, switches=switches), 7, root)
        url = await site.start()
        origin = "/".join(url.split("/")[:3])  # a visitor with a name, so that the seed decides
        visitor = {"name": "visitor", "value": "visitor", "url": origin}
        window = BrowserWindow(
            browsers.find_browser(), speed=SPEED, json_from=platform.json_from, cookies=(visitor,)
        )
        driver = PlaywrightDriver(window, platform.hooks, answers.append, LIMITS)
        try:
            await scenario(driver, url, answers)
        finally:
            await driver.close()
            await site.stop()

    asyncio.run(run())


def on_feed(url: str, hooks: PageHooks, scenario: Scenario) -> None:
    """Run a scenario on the small feed."""

    async def run() -> None:
        window = BrowserWindow(browsers.find_browser(), speed=SPEED)
        driver = PlaywrightDriver(window, hooks, lambda _: None, LIMITS)
        try:
            await scenario(driver, url, [])
        finally:
            await driver.close()

    asyncio.run(run())


async def _remake(driver: PlaywrightDriver) -> None:
    assert driver._page is not None
    await driver._page.evaluate("remake()")


@pytest.mark.parametrize("hooks", [HOOKS, replace(HOOKS, id_attributes=(), url_id="")])
def test_a_player_made_anew_is_held_and_its_meter_goes_on(feed_url: str, hooks: PageHooks) -> None:
    async def scenario(driver: PlaywrightDriver, url: str, _: list[SiteAnswer]) -> None:
        shown = await driver.open(url)
        assert await driver.watch(shown, 2.0) >= 2.0
        await _remake(driver)
        both = await driver.watch(shown, 12.0)  # the clip is shorter: neither player alone has it
        assert both >= 12.0
        arrival = await driver.next(shown)
        assert arrival.left_dwell_s >= both
        assert (arrival.attempts, arrival.shown.moved) == (1, 1)
        await _remake(driver)  # while it is held
        first = await driver.capture(arrival.shown)
        await asyncio.sleep(0.5)
        second = await driver.capture(arrival.shown)
        assert second.time_s == first.time_s
        played = await driver.watch(arrival.shown, arrival.shown.exposure_s + 1.0)
        assert played >= arrival.shown.exposure_s + 1.0
        assert (await driver.next(arrival.shown)).shown.moved == 1

    on_feed(feed_url, hooks, scenario)


def test_what_the_document_holds_is_told_before_the_first_video(tmp_path: Path) -> None:
    async def scenario(driver: PlaywrightDriver, url: str, answers: list[SiteAnswer]) -> None:
        shown = await driver.open(url)
        inline = [answer for answer in answers if answer.url.startswith("inline:")]
        assert [answer.url for answer in inline] == [
            "inline:window.ytInitialData",
            "inline:window.ytInitialPlayerResponse",
            "inline:window.ytInitialReelWatchSequenceResponse",
        ]
        assert {answer.origin for answer in inline} == {"/".join(url.split("/")[:3])}
        named = [v.id for a in inline for v in load_platform("youtube").parse(a)]
        assert shown.id in named
        assert shown.hooks_used["id"] == "url"
        assert await driver.like()

    on_skin(tmp_path, "youtube", "", scenario)


@pytest.mark.parametrize(
    ("switches", "status"),
    [
        pytest.param("status=429&times=1", 429, marks=pytest.mark.drill),
        ("empty=1&times=1", 200),
    ],
)
def test_refused_responses_are_told_as_what_they_are(
    tmp_path: Path, switches: str, status: int
) -> None:
    async def scenario(driver: PlaywrightDriver, url: str, answers: list[SiteAnswer]) -> None:
        shown = await driver.open(url)
        assert await driver.like()
        while not any("item_list" in answer.url for answer in answers):
            shown = (await driver.next(shown)).shown
        asked = [answer for answer in answers if "item_list" in answer.url]
        assert asked[0].status == status
        assert load_platform("tiktok").refused(asked[0]) == "rate_limit"
        assert asked[0].body is None or status == 429

    on_skin(tmp_path, "tiktok", switches, scenario)


def test_a_like_is_confirmed_by_its_own_evidence(tmp_path: Path) -> None:
    async def scenario(driver: PlaywrightDriver, url: str, _: list[SiteAnswer]) -> None:
        shown = await driver.open(url)
        assert await driver.like()
        assert await driver.like()  # it is liked already: nothing is taken back
        await driver.next(shown)
        assert await driver.like()

    on_skin(tmp_path, "instagram", "", scenario)


def test_fallbacks_are_told_and_missing_ids_are_not() -> None:
    hooks = PageHooks(item=("a", "b"), next_buttons=("n",), id_attributes=(("", "x", "(.)"),))
    assert list(list_fallbacks(hooks, {"item": "a", "id": "@x", "next": "n"})) == []
    assert list(list_fallbacks(hooks, {"item": "a", "id": "none"})) == []
    assert list(list_fallbacks(hooks, {"item": "b"})) == ["item: a did not answer, b did"]


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "NaN,"])
def test_what_is_no_json_is_none(text: str) -> None:
    assert parse_json(text) is None

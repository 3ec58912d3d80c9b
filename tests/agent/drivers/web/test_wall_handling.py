"""Walls on a real page: named by what is visible, consent declined once, nothing else answered."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.async_api import Error as PlaywrightError

from agent.drivers.base import Wall
from agent.drivers.web.driver import PlaywrightDriver
from agent.drivers.web.page_queries import HOPS, PageMoved
from agent.errors import ChallengeShown, ConsentAsked, LoginRequired, PageStuck, WallShown
from agent.platforms.playground import HOOKS
from tests.agent.drivers.web.test_driver import drive
from tests.slow_cases import drills_but

WALLS = (
    Wall(
        "consent",
        selectors=("site-cookie-banner",),
        decline=(("button", "^(decline|reject)"),),
    ),
    Wall("login", urls=(r"/login/",), selectors=("#login-wall",)),
    Wall("challenge", urls=(r"/captcha/",), selectors=("#captcha",), texts=(("p, div", "a bot"),)),
)
GUARDED = replace(HOOKS, walls=WALLS)
WALLED: list[tuple[str, type[WallShown], str]] = [
    ("redirect", LoginRequired, "/login/"),
    ("modal", LoginRequired, "#login-wall"),
    ("frame", ChallengeShown, "/captcha/get"),
    ("banner-strange", ConsentAsked, "site-cookie-banner"),
]


def guarded(scenario: Any) -> None:
    drive(scenario, hooks=GUARDED)


async def watch_three(driver: PlaywrightDriver, url: str) -> None:
    shown = await driver.open(url)
    for _ in range(3):
        await driver.watch(shown, 4.0)
        await driver.capture(shown)
        shown = (await driver.next(shown)).shown


@pytest.mark.parametrize(("wall", "fault", "seen"), drills_but(WALLED[::3], WALLED))
@pytest.mark.parametrize("at", drills_but([1], [0, 1]))
def test_a_wall_is_named(
    feed_url: str, wall: str, fault: type[WallShown], seen: str, at: int
) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        with pytest.raises(fault) as caught:
            await watch_three(driver, f"{feed_url}?wall={wall}&at={at}")
        assert seen in caught.value.details["seen"]
        assert "127.0.0.1" in str(caught.value)
        assert (await driver.picture()).startswith(b"\x89PNG")

    guarded(scenario)


def test_words_that_a_page_holds_unseen_are_no_wall(feed_url: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(feed_url)
        await driver.capture(shown)
        assert (await driver.next(shown)).shown.id == "v1"

    guarded(scenario)


def test_consent_is_declined_and_the_feed_goes_on(feed_url: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(f"{feed_url}?wall=banner&at=1")
        shown = (await driver.next(shown)).shown
        await driver.watch(shown, 4.0)
        shown = (await driver.next(shown)).shown
        assert shown.id == "v2"
        assert await driver._open_page().evaluate("window.chosen") == "less"

    guarded(scenario)


@pytest.mark.parametrize("wall", drills_but(["frame"], ["modal", "frame"]))
def test_a_run_waits_until_a_person_has_answered(feed_url: str, wall: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        with pytest.raises(WallShown):
            await watch_three(driver, f"{feed_url}?wall={wall}")
        waiting = asyncio.create_task(driver.until_clear())
        await asyncio.wait([waiting], timeout=1.5)
        assert not waiting.done()
        await driver._open_page().evaluate("window.answered()")
        await asyncio.wait_for(waiting, 20)

    guarded(scenario)


def test_a_run_waits_through_a_person_s_way_back(feed_url: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        with pytest.raises(LoginRequired):
            await watch_three(driver, f"{feed_url}?wall=redirect")
        waiting = asyncio.create_task(driver.until_clear())
        await asyncio.wait([waiting], timeout=0.5)
        assert not waiting.done()
        await driver._open_page().goto(feed_url)
        await asyncio.wait_for(waiting, 20)

    guarded(scenario)


def test_a_page_that_hops_on_while_it_is_entered_is_followed_and_not_for_ever(
    feed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(feed_url)
        send, left = driver._devtools().send, HOPS

        async def elsewhere(method: str, params: dict[str, Any] | None = None) -> Any:
            nonlocal left
            if method != "Page.createIsolatedWorld" or not left:
                return await send(method, params)
            left -= 1
            raise PlaywrightError(f"Protocol error ({method}): No frame for given id found")

        monkeypatch.setattr(driver._devtools(), "send", elsewhere)
        with pytest.raises(PageStuck, match="from one document to the next without an end"):
            await driver._rules().enter()
        left = 1
        with pytest.raises(PageMoved, match="No frame for given id found"):
            await driver._within(elsewhere("Page.createIsolatedWorld"), 1)
        left = HOPS - 1
        await driver._rules().enter()
        assert (await driver.next(shown)).shown.id == "v1"

    guarded(scenario)


def test_a_page_that_goes_to_a_wall_while_its_picture_is_taken_is_walled(
    feed_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chromium's words for it made a stuck page, and the feed was opened once more."""

    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(f"{feed_url}?wall=redirect&at=9")
        send = driver._devtools().send

        async def leave(method: str, params: dict[str, Any] | None = None) -> Any:
            if method != "Page.captureScreenshot":
                return await send(method, params)
            await driver._open_page().goto(urljoin(feed_url, "/login/"))
            raise PlaywrightError(f"Protocol error ({method}): Not attached to an active page")

        monkeypatch.setattr(driver._devtools(), "send", leave)
        with pytest.raises(LoginRequired):
            await driver.capture(shown)

    guarded(scenario)

"""Drives a page through Playwright and the Chrome DevTools Protocol.

Refuses to know any site and any persona. The rules are in the scripts beside it; this file sends
them the platform's hooks, presses, takes pictures, and turns what breaks into typed faults.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import time
from typing import Any, TypeVar

from playwright.async_api import (
    Browser,
    BrowserContext,
    CDPSession,
    Page,
    Playwright,
    async_playwright,
)
from playwright.async_api import Error as PlaywrightError

from agent.drivers import browser as browsers
from agent.drivers.base import Answer, Arrival, Box, Capture, Hooks, OnAnswer, PageEvent, Shown
from agent.drivers.browser import Window
from agent.drivers.reading import fallbacks, parsed
from agent.drivers.reports import Reports, origin_of
from agent.drivers.walls import Walls
from agent.errors import (
    ActionNotConfirmed,
    BrowserLost,
    DriverFault,
    FeedEmpty,
    PageStuck,
    WallShown,
)

PAGE_RULES = "\n".join(
    Path(__file__).with_name(f"{name}.js").read_text(encoding="utf-8")
    for name in ("walls", "basics", "page", "acts")
)
PICTURE = {"format": "jpeg", "quality": 85, "optimizeForSpeed": True}
SETTLE_MARGIN_S = 10.0
CLEAR_POLL_S = 30.0
MOVED = ("Execution context was destroyed", "Cannot find context", "frame was detached")
"""Playwright has one class of error; these are the words of a page that went elsewhere."""
REMADE_MS = 2000
"""How long a player that the page made anew may take to show its picture again."""

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """How long a page may take, in seconds of wall time."""

    navigation: float = 30.0
    change: float = 3.0
    """From one action to the changed video; the next action is tried after that."""
    show: float = 8.0
    """From the changed video to decoded, advancing frames."""
    like: float = 8.0
    """From the click to the like that the page confirms."""
    watch_factor: float = 4.0
    """Wall time allowed for a dwell, as a multiple of its playing time."""
    retakes: int = 3


class PageMoved(PageStuck):
    """The page went to another address while it was asked."""


class PlaywrightDriver:
    """One visible page in one browser."""

    def __init__(
        self, window: Window, hooks: Hooks, on_answer: OnAnswer, limits: Limits | None = None
    ) -> None:
        self.viewport = window.viewport
        self.browser = ""
        self._window = window
        self._hooks = hooks
        self._on_answer = on_answer
        self._limits = limits or Limits()
        self._reports = Reports(window, on_answer)
        self._walls = Walls(hooks.walls)
        self._told: set[str] = set()
        self._playwright: Playwright | None = None
        self._browser: Browser | BrowserContext | None = None
        self._page: Page | None = None
        self._cdp: CDPSession | None = None

    # Opening and closing

    async def start(self) -> None:
        """Start the browser with one blank page."""
        await self.close()
        window = self._window
        width, height = window.viewport
        look: dict[str, Any] = {
            "viewport": {"width": width, "height": height}, "locale": window.locale,
        }  # fmt: skip
        self._playwright = await async_playwright().start()
        if window.profile is None:
            browser = await browsers.launch(self._playwright, window.found, headed=window.headed)
            self._browser = browser
            context = await self._within(browser.new_context(**look), self._limits.navigation)
        else:
            context = await browsers.launch_profile(
                self._playwright, window.found, window.profile, headed=window.headed, **look
            )
            self._browser = context
        await self._within(self._prepare(context), self._limits.navigation)
        version = await self._within(self._devtools().send("Browser.getVersion"), SETTLE_MARGIN_S)
        self.browser = f"chromium {version['product'].partition('/')[2]}"

    async def open(self, url: str) -> Shown:
        """Open the feed, wait for the active video and hold it."""
        if self._page is None:
            await self.start()
        self._reports.opening(url)
        limit = self._limits.navigation
        await self._within(self._open_page().goto(url, wait_until="domcontentloaded"), limit + 1)
        await self._read_inline()
        result = await self._arrive(change=limit)
        if result.get("unchanged"):
            raise FeedEmpty(f"No video appeared at {url}")
        return self._shown(result["shown"])

    async def _prepare(self, context: BrowserContext) -> None:
        """Have one page with the rules in it; a kept profile opens with one already."""
        context.set_default_timeout(self._limits.navigation * 1000)
        if self._window.cookies:
            await context.add_cookies(list(self._window.cookies))  # type: ignore[arg-type]
        hooks = json.dumps(asdict(self._hooks))
        rules = f"{PAGE_RULES}\n__feedsway.configure({hooks});"
        await context.add_init_script(rules)
        page = context.pages[0] if context.pages else await context.new_page()
        self._reports.attach(page)
        self._page = page
        self._cdp = await context.new_cdp_session(page)

    async def signed_in(self, names: Sequence[str]) -> bool:
        """Whether the profile holds one of these cookies, not expired."""
        cookies = await self._within(self._open_page().context.cookies(), SETTLE_MARGIN_S)
        return any(cookie["name"] in names for cookie in cookies)

    async def close(self) -> None:
        """Close the browser. Never raises, also where it is gone."""
        browser, playwright = self._browser, self._playwright
        self._browser = self._playwright = self._page = self._cdp = None
        self._reports.end()
        if browser is not None:
            await self._end(browser.close())
        if playwright is not None:
            await self._end(playwright.stop())

    async def _end(self, closing: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(SETTLE_MARGIN_S):
                await closing
        except (PlaywrightError, TimeoutError, ConnectionError) as error:
            self._reports.note("close", str(error))

    # The step

    async def capture(self, shown: Shown) -> Capture:
        """Take the player region while the player is held; the very video, or a fault."""
        box = shown.box
        clip = _clip(box, self.viewport)
        for retake in range(self._limits.retakes):
            declined, asked_ms = self._walls.declined, time() * 1000
            taken = await self._within(
                self._devtools().send("Page.captureScreenshot", {**PICTURE, "clip": clip}),
                SETTLE_MARGIN_S,
            )
            asking = {
                "key": shown.key, "box": asdict(box), "limit": REMADE_MS, "taken": asked_ms,
            }  # fmt: skip
            check = await self._ask("check", asking, SETTLE_MARGIN_S)
            if check and check["stays"] and self._walls.declined == declined:
                return Capture(base64.b64decode(taken["data"]), check["time_s"], retake)
        raise PageStuck(f"{shown.key} would not stay in its place for a picture", video=shown.key)

    async def watch(self, shown: Shown, seconds: float, *, then_hold: bool = False) -> float:
        """Release the player until it has played ``seconds`` in all; return what it has played."""
        if shown.exposure_s >= seconds or not shown.has_video:
            return shown.exposure_s
        limit = max(1.0, seconds / self._window.speed * self._limits.watch_factor)
        played: float = await self._ask(
            "watch",
            {"seconds": seconds, "limit": limit * 1000, "then": then_hold},
            limit + SETTLE_MARGIN_S,
        )
        return played

    async def like(self) -> bool:
        """Like the active video; whether the page confirms it."""
        button = await self._ask("like", None, SETTLE_MARGIN_S)
        if not button["found"]:
            return False
        if not button["pressed"]:
            await self._within(
                self._open_page().mouse.click(button["x"], button["y"]), SETTLE_MARGIN_S
            )
            limit = self._limits.like
            return bool(await self._ask("liked", {"limit": limit * 1000}, limit + SETTLE_MARGIN_S))
        return bool(button["pressed"])

    async def next(self, shown: Shown) -> Arrival:
        """Move one video forward, confirm it and hold the new one.

        The page starts to look for the change before the action is sent, so that the action's own
        round trip costs no time. A further action is tried only after the last one failed.
        """
        attempts = 0
        for action in self._hooks.moves:
            arriving = asyncio.ensure_future(
                self._arrive(change=self._limits.change, last=shown.key)
            )
            try:
                sent = await self._act(action)
            except BaseException:
                arriving.cancel()
                raise
            if not sent:
                arriving.cancel()
                continue
            attempts += 1
            result = await arriving
            if not result.get("unchanged"):
                found = self._shown(result["shown"])
                return Arrival(action, attempts, float(result["left_dwell_s"]), found)
        raise ActionNotConfirmed(
            f"{attempts} actions did not move the feed on from {shown.key}", video=shown.key
        )

    async def _arrive(self, change: float, last: str | None = None) -> dict[str, Any]:
        """Wait for another video than the previous one; a wall is a fault, consent declined."""
        asked = {"changeLimit": change * 1000, "showLimit": self._limits.show * 1000}
        limit = change + self._limits.show + SETTLE_MARGIN_S
        result: dict[str, Any] = await self._ask("arrive", asked, limit)
        if result.get("stuck"):
            raise PageStuck("the feed moved and did not come to rest", last=last)
        await self._reports.settle()
        return result

    async def picture(self) -> bytes:
        """Take the whole page as PNG, for a person to look at."""
        return await self._within(self._open_page().screenshot(), SETTLE_MARGIN_S)

    async def count(self, selectors: Sequence[str]) -> list[int]:
        """Count the matches of each selector in the page."""
        ask = "all => all.map(one => document.querySelectorAll(one).length)"
        counts: list[int] = await self._within(
            self._open_page().evaluate(ask, list(selectors)), SETTLE_MARGIN_S
        )
        return counts

    async def until_clear(self) -> None:
        """Return once the page shows no wall; however long a person takes."""
        while True:
            try:
                if await self._ask("clear", {"limit": CLEAR_POLL_S * 1000}, 2 * CLEAR_POLL_S):
                    return
            except (PageMoved, WallShown):  # it went to another address
                page = self._open_page()
                await self._within(page.wait_for_load_state("domcontentloaded"), CLEAR_POLL_S)

    def _shown(self, data: dict[str, Any]) -> Shown:
        shown = Shown(**{**data, "box": Box(**data["box"])})
        for note in fallbacks(self._hooks, shown.hooks_used):
            if note not in self._told:
                self._told.add(note)
                self._reports.note("fallback", note)
        return shown

    async def _act(self, action: str) -> bool:
        """Send one action; False where the page has no such way."""
        page = self._open_page()
        if action == "button":
            button = await self._ask("nextButton", None, SETTLE_MARGIN_S)
            if button is None:
                return False
            await self._within(page.mouse.click(button["x"], button["y"]), SETTLE_MARGIN_S)
        elif action == "wheel":
            width, height = self.viewport
            await self._within(page.mouse.move(width / 2, height / 2), SETTLE_MARGIN_S)
            await self._within(page.mouse.wheel(0, height), SETTLE_MARGIN_S)
        elif action == "scroll":
            await self._ask("scrollOne", None, SETTLE_MARGIN_S)
        else:
            await self._within(page.keyboard.press(action.removeprefix("key:")), SETTLE_MARGIN_S)
        return True

    def events(self) -> list[PageEvent]:
        """What the page reported since the last call."""
        return self._reports.take()

    async def _read_inline(self) -> None:
        """Hand on what the document itself holds, before its first video is described."""
        for name, text in await self._ask("inline", None, SETTLE_MARGIN_S):
            origin = origin_of(self._open_page().url)
            self._on_answer(Answer(f"inline:{name}", parsed(text), origin=origin))

    # One door to the page

    def _open_page(self) -> Page:
        if self._page is None or self._page.is_closed():
            raise BrowserLost("the page is closed")
        return self._page

    def _devtools(self) -> CDPSession:
        self._open_page()
        if self._cdp is None:
            raise BrowserLost("the page is closed")
        return self._cdp

    async def _ask(self, rule: str, argument: Any, limit: float) -> Any:
        """Ask the rules in the page; a wall that they see, or that took their place, is a fault."""
        call = f"argument => __feedsway.{rule}(argument)"
        try:
            result = await self._within(self._open_page().evaluate(call, argument), limit)
        except PageMoved:
            wall = await self._wall_of_new_page()
            if wall is None:
                raise
        else:
            wall = result.get("wall") if isinstance(result, dict) else None
        if wall is None:
            return result
        fault = self._walls.fault(self._open_page(), wall)
        if not await self._within(self._walls.decline(self._open_page(), fault), SETTLE_MARGIN_S):
            raise fault
        await self._within(self._open_page().wait_for_load_state("domcontentloaded"), limit)
        return await self._ask(rule, argument, limit)

    async def _wall_of_new_page(self) -> dict[str, Any] | None:
        """Look for a wall on the page that the site went to by itself."""
        page = self._open_page()
        for _ in range(self._limits.retakes):
            with suppress(PageMoved):  # it is on its way still
                await self._within(page.wait_for_load_state("domcontentloaded"), SETTLE_MARGIN_S)
                ask = "() => __feedswayWalls.seen(__feedsway.walls)"
                found: dict[str, Any] | None = await self._within(
                    page.evaluate(ask), SETTLE_MARGIN_S
                )
                if found is not None:
                    return found
        return None

    async def _within(self, work: Awaitable[T], limit: float) -> T:
        try:
            async with asyncio.timeout(limit):
                return await work
        except TimeoutError as error:
            raise PageStuck(f"the page did not answer within {limit:.0f} s") from error
        except PlaywrightError as error:
            raise self._fault(error) from error

    def _fault(self, error: PlaywrightError) -> DriverFault:
        first = str(error).strip().splitlines()[0]
        if any(words in first for words in MOVED):
            return PageMoved(first)
        crashed = self._reports.crashed
        alive = self._browser is not None and _connected(self._browser) and not crashed
        if alive and self._page is not None and not self._page.is_closed():
            return PageStuck(first)
        return BrowserLost(first)


def _connected(browser: Browser | BrowserContext) -> bool:
    held = browser if isinstance(browser, Browser) else browser.browser
    return held is None or held.is_connected()


def _clip(box: Box, viewport: tuple[int, int]) -> dict[str, float]:
    """The part of the box that lies in the viewport, on whole pixels."""
    left, top = max(0, round(box.x)), max(0, round(box.y))
    right = min(viewport[0], round(box.x + box.width))
    bottom = min(viewport[1], round(box.y + box.height))
    return {"x": left, "y": top, "width": right - left, "height": bottom - top, "scale": 1}

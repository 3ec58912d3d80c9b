"""Drives a page: sends hooks to the scripts beside this file, presses, takes pictures."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, time
from typing import Any, TypeVar

from playwright.async_api import (
    BrowserContext,
    CDPSession,
    Page,
    Playwright,
    async_playwright,
)
from playwright.async_api import Error as PlaywrightError

from agent.drivers.base import (
    ActiveVideo,
    Arrival,
    Box,
    Capture,
    OnAnswer,
    PageEvent,
    PageHooks,
    SiteAnswer,
)
from agent.drivers.web import browser as browsers
from agent.drivers.web.browser import BrowserWindow
from agent.drivers.web.held_pictures import as_frame, read_picture
from agent.drivers.web.hook_syntax import refuse_unreadable
from agent.drivers.web.page_events import PageReports, list_fallbacks, parse_json, read_origin
from agent.drivers.web.page_queries import PageMoved, PageQueries
from agent.drivers.web.wall_handling import PageWalls
from agent.errors import ActionNotConfirmed, BrowserLost, FeedEmpty, PageStuck
from store.runs.ledger_lines import BY_ITSELF
from store.untrusted.clean_text import clean_json

PAGE_RULES = "\n".join(
    Path(__file__).with_name(f"{name}.js").read_text(encoding="utf-8")
    for name in ("dom", "playback_meter", "walls", "page", "next_video", "buttons")
)
PICTURE = {"format": "jpeg", "quality": 85, "optimizeForSpeed": True}
SETTLE_MARGIN_S = 10.0
CLEAR_POLL_S = 30.0
VARIABLES = """names => names.map(name => {
    const value = window[name];
    return value === undefined || typeof value === "string" ? value : JSON.stringify(value);
})"""
"""What a page holds in variables of its own, which the rules' world does not see."""
REMADE_MS = 2000
"""How long a player that the page made anew may take to show its picture again."""

T = TypeVar("T")


@dataclass(frozen=True)
class PageTimeouts:
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
    grace: float = 5.0
    """How long a wall must stand before it counts: some pages reload themselves and go on."""


class PlaywrightDriver:
    """One visible page in one browser."""

    browser: str

    def __init__(
        self,
        window: BrowserWindow,
        hooks: PageHooks,
        on_answer: OnAnswer,
        limits: PageTimeouts | None = None,
    ) -> None:
        self.viewport = window.viewport
        self._window = window
        self._hooks = hooks
        self._on_answer = on_answer
        self._limits = limits or PageTimeouts()
        self._reports = PageReports(window, on_answer)
        self._walls = PageWalls(hooks.walls)
        self._told: set[str] = set()
        self._playwright: Playwright | None = None
        self._page: Page | None = None
        self._cdp: CDPSession | None = None
        self._asked: PageQueries | None = None

    # Opening and closing

    async def start(self) -> None:
        await self.close()
        window = self._window
        width, height = window.viewport
        look: dict[str, Any] = {
            "viewport": {"width": width, "height": height},
            "locale": window.locale,
            "accept_downloads": False,
        }
        self._playwright = await async_playwright().start()
        if window.profile is None:
            browser = await browsers.launch_browser(
                self._playwright, window.binary, headed=window.headed
            )
            context = await _starting(browser.new_context(**look), self._limits.navigation)
        else:
            context = await browsers.launch_profile(
                self._playwright, window.binary, window.profile, headed=window.headed, **look
            )
        await _starting(self._prepare(context), self._limits.navigation)
        version = await self._within(self._devtools().send("Browser.getVersion"), SETTLE_MARGIN_S)
        self.browser = f"chromium {version['product'].partition('/')[2]}"

    async def open(self, url: str) -> ActiveVideo:
        if self._page is None:
            await self.start()
        self._reports.opening(url)
        limit = self._limits.navigation
        self._walls.forget()
        await self._within(self._open_page().goto(url, wait_until="domcontentloaded"), limit + 1)
        await self._rules().enter()
        result = await self._first_arrival(limit)
        if result.get("unchanged"):
            raise FeedEmpty(f"No video appeared at {url}")
        return self._shown(result["shown"])

    async def _first_arrival(self, limit: float) -> dict[str, Any]:
        """Wait for the first video, also where the site opens its page once more meanwhile."""
        end = perf_counter() + limit
        while True:
            try:
                await self._read_inline()
                turn = await self._begin()
                return await self._arrive(turn, change=limit)
            except PageMoved:
                if perf_counter() > end:
                    raise
                await self._rules().enter()

    async def _prepare(self, context: BrowserContext) -> None:
        """Have one page with the rules in it; a kept profile opens with one already."""
        context.set_default_timeout(self._limits.navigation * 1000)
        if self._window.cookies:
            await context.add_cookies(list(self._window.cookies))  # type: ignore[arg-type]
        page = context.pages[0] if context.pages else await context.new_page()
        await refuse_unreadable(page, self._hooks)
        self._reports.attach(page)
        self._page = page
        self._cdp = await context.new_cdp_session(page)
        grace = self._limits.grace
        self._asked = PageQueries(page, self._cdp, self._walls, self._reports, grace)
        hooks = json.dumps(asdict(self._hooks) | {"speed": self._window.speed})
        await self._asked.install(f"{PAGE_RULES}\n__feedsway.configure({hooks});")

    async def signed_in(self, names: Sequence[str]) -> bool:
        """Whether the profile holds one of these cookies, not expired."""
        cookies = await self._within(self._open_page().context.cookies(), SETTLE_MARGIN_S)
        return any(cookie["name"] in names for cookie in cookies)

    async def close(self) -> None:
        playwright = self._playwright
        self._playwright = self._page = self._cdp = self._asked = None
        self._reports.end()
        if playwright is None:
            return
        try:
            async with asyncio.timeout(SETTLE_MARGIN_S):
                await playwright.stop()  # which closes the browser, and what a profile keeps lasts
        except (PlaywrightError, TimeoutError, ConnectionError) as error:
            self._reports.note("close", str(error))

    # The step

    async def capture(self, shown: ActiveVideo, picture: int = 0) -> Capture:
        box = shown.box
        if shown.pictures and (held := await self._held_picture(shown, picture)) is not None:
            return Capture(held, 0.0, 0)
        for retake in range(self._limits.retakes):
            met, asked_ms = self._walls.met, time() * 1000
            jpeg = await self._screenshot(box)
            asking = {
                "key": shown.key,
                "box": asdict(box),
                "limit": REMADE_MS,
                "taken": asked_ms,
            }
            check = await self._ask("check", asking, SETTLE_MARGIN_S)
            if jpeg and check and check["stays"] and self._walls.met == met:
                return Capture(jpeg, check["time_s"], retake)
        raise PageStuck(f"{shown.key} would not stay in its place for a picture", video=shown.key)

    async def _held_picture(self, shown: ActiveVideo, number: int) -> bytes | None:
        """Read one picture of a post; ``None`` where what is seen must stand for it."""
        question = {"key": shown.key, "number": number}
        url = (await self._ask("pictureUrl", question, SETTLE_MARGIN_S))["url"]
        if url is None:
            return None
        kept = await self._within(read_picture(self._devtools(), url), SETTLE_MARGIN_S)
        return kept and await asyncio.to_thread(as_frame, kept, self.viewport)

    async def _screenshot(self, box: Box) -> bytes | None:
        """``None`` where the page goes elsewhere meanwhile: the next question finds out where."""
        asked = {**PICTURE, "clip": _clip(box, self.viewport)}
        try:
            taken = await self._within(
                self._devtools().send("Page.captureScreenshot", asked), SETTLE_MARGIN_S
            )
        except PageMoved:
            return None
        return base64.b64decode(taken["data"])

    async def watch(self, shown: ActiveVideo, seconds: float, *, then_hold: bool = False) -> float:
        if shown.exposure_s >= seconds and shown.held:
            return shown.exposure_s
        limit = max(1.0, seconds / self._window.speed * self._limits.watch_factor)
        played: float = await self._ask(
            "watch",
            {"seconds": seconds, "limit": limit * 1000, "then": then_hold},
            limit + SETTLE_MARGIN_S,
        )
        return played

    async def like(self) -> bool:
        button = await self._ask("like", None, SETTLE_MARGIN_S)
        if button["liked"] == "perhaps":  # what is liked already would be taken back
            self._reports.note("like", "the button looks pressed already, so it was left alone")
        if not button["found"] or button["liked"] != "no":
            return bool(button["liked"] == "yes")
        await self._within(self._open_page().mouse.click(button["x"], button["y"]), SETTLE_MARGIN_S)
        limit = self._limits.like
        question = {"limit": limit * 1000}
        return bool(await self._ask("confirmed", question, limit + SETTLE_MARGIN_S))

    async def next(self, shown: ActiveVideo) -> Arrival:
        """Move one video forward, confirm it and hold the new one.

        The page looks for the change before the action is sent, in one turn that lasts until a
        video has arrived, whichever action brought it. Nothing is pressed where the page has moved
        on by itself, and a further action only after the last one failed.
        """
        turn = await self._begin()
        attempts, change = 0, self._limits.change
        for action in (BY_ITSELF, *self._hooks.moves):
            if action == BY_ITSELF:
                if turn["stays"]:
                    continue
            elif not await self._act(action):
                continue
            else:
                attempts += 1
            result = await self._arrive(turn, change, last=shown.key)
            if not result.get("unchanged"):
                video = self._shown(result["shown"])
                return Arrival(action, attempts, float(result["left_dwell_s"]), video)
        await self._ask("giveUp", None, SETTLE_MARGIN_S)
        raise ActionNotConfirmed(
            f"{attempts} actions did not move the feed on from {shown.key}", video=shown.key
        )

    async def _begin(self) -> dict[str, Any]:
        """Have the page look for another video from now on."""
        question = {"showLimit": self._limits.show * 1000}
        turn: dict[str, Any] = await self._ask("begin", question, SETTLE_MARGIN_S)
        return turn

    async def _arrive(
        self, turn: dict[str, Any], change: float, last: str | None = None
    ) -> dict[str, Any]:
        """Wait for what a turn finds; a wall is a fault, consent declined."""
        question = {
            "number": turn["number"],
            "changeLimit": change * 1000,
            "showLimit": self._limits.show * 1000,
        }
        limit = change + self._limits.show + SETTLE_MARGIN_S
        result: dict[str, Any] = await self._ask("outcome", question, limit)
        if result.get("stuck"):
            raise PageStuck("the feed moved and did not come to rest", last=last)
        self._walls.forget()
        await self._reports.settle()
        return result

    async def picture(self) -> bytes:
        return await self._within(self._open_page().screenshot(), SETTLE_MARGIN_S)

    async def count(self, selectors: Sequence[str]) -> list[int]:
        counts: list[int] = await self._ask("count", list(selectors), SETTLE_MARGIN_S)
        return counts

    async def until_clear(self) -> None:
        while await self._rules().standing(CLEAR_POLL_S):
            pass

    def _shown(self, data: dict[str, Any]) -> ActiveVideo:
        shown = ActiveVideo(**{**clean_json(data), "box": Box(**data["box"])})
        for note in list_fallbacks(self._hooks, shown.hooks_used):
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
        return self._reports.take()

    async def _read_inline(self) -> None:
        """Hand on what the document itself holds, before its first video is described."""
        texts: list[tuple[str, Any]] = await self._rules().call("inline", None, SETTLE_MARGIN_S)
        names = [name for name in self._hooks.inline if name.startswith("window.")]
        if names:
            variables = [name.removeprefix("window.") for name in names]
            held = await self._within(
                self._open_page().evaluate(VARIABLES, variables), SETTLE_MARGIN_S
            )
            texts += zip(names, held, strict=True)
        origin = read_origin(self._open_page().url)
        for name, text in texts:
            if isinstance(text, str) and text:
                self._on_answer(SiteAnswer(f"inline:{name}", parse_json(text), origin=origin))

    # One door to the page

    def _open_page(self) -> Page:
        if self._page is None or self._page.is_closed():
            raise BrowserLost("the page is closed")
        return self._page

    def _rules(self) -> PageQueries:
        self._open_page()
        if self._asked is None:
            raise BrowserLost("the page is closed")
        return self._asked

    def _devtools(self) -> CDPSession:
        self._open_page()
        if self._cdp is None:
            raise BrowserLost("the page is closed")
        return self._cdp

    async def _ask(self, rule: str, argument: Any, limit: float) -> Any:
        return await self._rules().ask(rule, argument, limit)

    async def _within(self, work: Awaitable[T], limit: float) -> T:
        return await self._rules().within(work, limit)


async def _starting(work: Awaitable[T], limit: float) -> T:
    """Wait for a browser that has no page yet."""
    try:
        async with asyncio.timeout(limit):
            return await work
    except TimeoutError as error:
        raise PageStuck(f"the browser was not ready within {limit:.0f} s") from error
    except PlaywrightError as error:
        raise BrowserLost(str(error).strip().splitlines()[0]) from error


def _clip(box: Box, viewport: tuple[int, int]) -> dict[str, float]:
    """The part of the box that lies in the viewport, on whole pixels."""
    left, top = max(0, round(box.x)), max(0, round(box.y))
    right = min(viewport[0], round(box.x + box.width))
    bottom = min(viewport[1], round(box.y + box.height))
    return {"x": left, "y": top, "width": right - left, "height": bottom - top, "scale": 1}

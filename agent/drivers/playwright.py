"""Drives a page through Playwright and the Chrome DevTools Protocol.

Refuses to know any site and any persona. The rules themselves are in ``page.js``; this file sends
them the platform's hooks, presses, takes pictures, and turns what breaks into typed faults.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from playwright.async_api import (
    Browser,
    BrowserContext,
    CDPSession,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    Response,
    async_playwright,
)
from playwright.async_api import Error as PlaywrightError

from agent.drivers import browser as browsers
from agent.drivers.base import Answer, Arrival, Box, Capture, Hooks, OnAnswer, PageEvent, Shown
from agent.drivers.reading import fallbacks, parsed
from agent.errors import ActionNotConfirmed, BrowserLost, DriverFault, FeedEmpty, PageStuck

PAGE_RULES = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
JPEG_QUALITY = 85
SETTLE_MARGIN_S = 10.0
MAX_EVENTS = 50
READ_S = 1.0
"""How long the bodies of responses that have begun may take."""
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


@dataclass(frozen=True)
class Window:
    """What the browser is opened with."""

    found: browsers.Found
    headed: bool = False
    viewport: tuple[int, int] = (1280, 800)
    locale: str = "en-US"
    speed: float = 1.0
    """Playback rate that the site is known to use; dwell limits are scaled by it."""
    cookies: tuple[dict[str, Any], ...] = ()
    json_from: tuple[str, ...] = ()
    """Parts of URLs whose JSON responses the platform wants."""


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
        self._events: list[PageEvent] = []
        self._told: set[str] = set()
        self._reads: set[asyncio.Task[None]] = set()
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._page: Page | None = None
        self._cdp: CDPSession | None = None

    # Opening and closing

    async def start(self) -> None:
        """Start the browser with one blank page."""
        await self.close()
        self._playwright = await async_playwright().start()
        self._browser = await browsers.launch(
            self._playwright, self._window.found, headed=self._window.headed
        )
        self.browser = f"{self._browser.browser_type.name} {self._browser.version}"
        await self._within(self._new_page(self._browser), self._limits.navigation)

    async def open(self, url: str) -> Shown:
        """Open the feed, wait for the active video and hold it."""
        if self._page is None:
            await self.start()
        limit = self._limits.navigation
        await self._within(self._open_page().goto(url, wait_until="domcontentloaded"), limit + 1)
        await self._read_inline()
        result = await self._arrive(change=limit)
        if result.get("unchanged"):
            raise FeedEmpty(f"No video appeared at {url}")
        return self._shown(result["shown"])

    async def _new_page(self, browser: Browser) -> None:
        width, height = self._window.viewport
        context: BrowserContext = await browser.new_context(
            viewport={"width": width, "height": height}, locale=self._window.locale
        )
        context.set_default_timeout(self._limits.navigation * 1000)
        if self._window.cookies:
            await context.add_cookies(list(self._window.cookies))  # type: ignore[arg-type]
        hooks = json.dumps(asdict(self._hooks))
        await context.add_init_script(f"{PAGE_RULES}\n__feedsway.configure({hooks});")
        page = await context.new_page()
        page.on("pageerror", lambda error: self._note("page error", str(error)))
        page.on("console", self._on_console)
        page.on("requestfailed", self._on_request_failed)
        page.on("crash", lambda _: self._note("crash", "the page crashed"))
        page.on("response", self._on_any_response)
        self._page = page
        self._cdp = await context.new_cdp_session(page)

    async def close(self) -> None:
        """Close the browser. Never raises, also where it is gone."""
        browser, playwright = self._browser, self._playwright
        self._browser = self._playwright = self._page = self._cdp = None
        for task in self._reads:
            task.cancel()
        if browser is not None:
            await self._end(browser.close())
        if playwright is not None:
            await self._end(playwright.stop())

    async def _end(self, closing: Awaitable[None]) -> None:
        try:
            await asyncio.wait_for(closing, SETTLE_MARGIN_S)
        except (PlaywrightError, TimeoutError, ConnectionError) as error:
            self._note("close", str(error))

    # The step

    async def capture(self, shown: Shown) -> Capture:
        """Take the player region while the player is held; the very video, or a fault."""
        box = shown.box
        clip = _clip(box, self.viewport)
        for retake in range(self._limits.retakes):
            taken = await self._within(
                self._devtools().send(
                    "Page.captureScreenshot",
                    {
                        "format": "jpeg",
                        "quality": JPEG_QUALITY,
                        "clip": clip,
                        "optimizeForSpeed": True,
                    },
                ),
                SETTLE_MARGIN_S,
            )
            check = await self._ask(
                "check",
                {"key": shown.key, "box": asdict(box), "limit": REMADE_MS},
                SETTLE_MARGIN_S,
            )
            if check and check["stays"]:
                return Capture(base64.b64decode(taken["data"]), check["time_s"], retake)
        raise PageStuck(f"{shown.key} would not stay in its place for a picture", video=shown.key)

    async def watch(self, shown: Shown, seconds: float) -> float:
        """Release the player until it has played ``seconds`` in all; return what it has played."""
        if shown.exposure_s >= seconds or not shown.has_video:
            return shown.exposure_s
        limit = max(1.0, seconds / self._window.speed * self._limits.watch_factor)
        played: float = await self._ask(
            "watch", {"seconds": seconds, "limit": limit * 1000}, limit + SETTLE_MARGIN_S
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
        result: dict[str, Any] = await self._ask(
            "arrive",
            {"changeLimit": change * 1000, "showLimit": self._limits.show * 1000},
            change + self._limits.show + SETTLE_MARGIN_S,
        )
        if result.get("stuck"):
            raise PageStuck("the feed moved and did not come to rest", last=last)
        if self._reads:  # what has been answered is known before the video is described
            await asyncio.wait(self._reads, timeout=READ_S)
        return result

    def _shown(self, data: dict[str, Any]) -> Shown:
        shown = Shown(**{**data, "box": Box(**data["box"])})
        for note in fallbacks(self._hooks, shown.hooks_used):
            if note not in self._told:
                self._told.add(note)
                self._note("fallback", note)
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

    # What the page reports by itself

    def events(self) -> list[PageEvent]:
        """What the page reported since the last call."""
        events, self._events = self._events, []
        return events

    def _note(self, kind: str, message: str) -> None:
        if len(self._events) < MAX_EVENTS:
            self._events.append(PageEvent(kind, message[:500]))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._note("console error", message.text)

    def _on_request_failed(self, request: Request) -> None:
        # A player that is left behind ends its download: that is no fault.
        if request.failure != "net::ERR_ABORTED":
            self._note("request failed", f"{request.failure} {request.url.split('?')[0]}")

    async def _read_inline(self) -> None:
        """Hand on what the document itself holds, before its first video is described."""
        for name, text in await self._ask("inline", None, SETTLE_MARGIN_S):
            self._on_answer(Answer(f"inline:{name}", parsed(text)))

    def _on_any_response(self, response: Response) -> None:
        address = response.url.partition("?")[0]
        asked = response.request.method != "OPTIONS"
        if asked and any(part in address for part in self._window.json_from):
            task = asyncio.ensure_future(self._read(response))
            self._reads.add(task)
            task.add_done_callback(self._reads.discard)

    async def _read(self, response: Response) -> None:
        """Read a body at once: it is lost when the page moves on."""
        try:
            body = parsed(await response.text())
        except (PlaywrightError, UnicodeDecodeError) as error:
            self._note("unreadable response", f"{response.url.split('?')[0]}: {error}")
            return
        self._on_answer(Answer(response.url, body, response.status))

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
        call = f"argument => __feedsway.{rule}(argument)"
        return await self._within(self._open_page().evaluate(call, argument), limit)

    async def _within(self, work: Awaitable[T], limit: float) -> T:
        try:
            return await asyncio.wait_for(work, limit)
        except TimeoutError as error:
            raise PageStuck(f"the page did not answer within {limit:.0f} s") from error
        except PlaywrightError as error:
            raise self._fault(error) from error

    def _fault(self, error: PlaywrightError) -> DriverFault:
        first = str(error).strip().splitlines()[0]
        crashed = any(event.kind == "crash" for event in self._events)
        alive = self._browser is not None and self._browser.is_connected() and not crashed
        if alive and self._page is not None and not self._page.is_closed():
            return PageStuck(first)
        return BrowserLost(first)


def _clip(box: Box, viewport: tuple[int, int]) -> dict[str, float]:
    """The part of the box that lies in the viewport, on whole pixels."""
    left, top = max(0, round(box.x)), max(0, round(box.y))
    right = min(viewport[0], round(box.x + box.width))
    bottom = min(viewport[1], round(box.y + box.height))
    return {"x": left, "y": top, "width": right - left, "height": bottom - top, "scale": 1}

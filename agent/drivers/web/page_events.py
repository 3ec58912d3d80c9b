"""What a page reports by itself: errors, failed requests, crashes, and the feed's own answers."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import suppress
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from playwright.async_api import ConsoleMessage, Dialog, Download, Page, Request, Response
from playwright.async_api import Error as PlaywrightError

from agent.drivers.base import OnAnswer, PageEvent, PageHooks, SiteAnswer
from agent.drivers.web.browser import BrowserWindow
from store.untrusted.clean_text import clean_text
from store.untrusted.size_limits import TooManyBytes

MAX_EVENTS = 50
_LONGEST_MESSAGE = 500
MOST_ANSWER_BYTES = 16 * 2**20
"""Of a feed's answer, or of what a page sends for it; those of the three sites have some 3 MB."""
READ_S = 1.0
"""How long the bodies of responses that have begun may take."""
_BEFORE = re.compile(r"(?:\s|for\s*\(;;\);)*")
"""What sites put before JSON, so that no other page may run it as a script."""
_JSON = json.JSONDecoder()


class PageReports:
    """Listens to one page after the other, and hands on answers of the feed."""

    def __init__(self, window: BrowserWindow, on_answer: OnAnswer) -> None:
        self.crash = asyncio.Event()
        self._json_from = window.json_from
        self._hosts = window.hosts
        self._opened = ""
        self._on_answer = on_answer
        self._events: list[PageEvent] = []
        self._foreign: set[str] = set()
        self._reads: set[asyncio.Task[None]] = set()
        self._asked: WeakKeyDictionary[Request, float] = WeakKeyDictionary()
        self._chores: set[asyncio.Task[None]] = set()

    def opening(self, url: str) -> None:
        """Know the address that is opened: its origin is the platform's own."""
        self._opened = read_origin(url)

    def attach(self, page: Page) -> None:
        """Listen to a page, before it is navigated."""
        self.crash.clear()
        page.on("pageerror", lambda error: self.note("page error", str(error)))
        page.on("console", self._on_console)
        page.on("requestfailed", self._on_request_failed)
        page.on("crash", lambda _: self._on_crash())
        page.on("request", self._on_request)
        page.on("response", self._on_response)
        page.on("popup", lambda popup: self._begin(self._close_popup(popup)))
        page.on("dialog", lambda dialog: self._begin(self._dismiss(dialog)))
        page.on("download", self._on_download)

    def end(self) -> None:
        for task in (*self._reads, *self._chores):
            task.cancel()

    async def settle(self) -> None:
        """Wait for the answers that have begun: they come before the video is described."""
        if self._reads:
            await asyncio.wait(self._reads, timeout=READ_S)

    def take(self) -> list[PageEvent]:
        events, self._events = self._events, []
        return events

    def note(self, kind: str, message: str) -> None:
        """Keep an event, unless it waits already or too many do. A page may repeat itself."""
        event = PageEvent(kind, clean_text(message, _LONGEST_MESSAGE))
        if len(self._events) < MAX_EVENTS and event not in self._events:
            self._events.append(event)

    def _begin(
        self, work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]] | None = None
    ) -> None:
        among = self._chores if among is None else among
        task = asyncio.ensure_future(work)
        among.add(task)
        task.add_done_callback(among.discard)

    async def _close_popup(self, popup: Page) -> None:
        """Close what the page opened: the feed stays the only page."""
        self.note("popup", f"{read_origin(popup.url)} was closed")
        with suppress(PlaywrightError):  # it closed itself
            await popup.close()

    async def _dismiss(self, dialog: Dialog) -> None:
        """Dismiss a dialog, which stops the page. Let a page that asks to be left go."""
        self.note("dialog", f"{dialog.type} was dismissed: {dialog.message}")
        with suppress(PlaywrightError):  # the page is gone already
            if dialog.type == "beforeunload":
                await dialog.accept()
            else:
                await dialog.dismiss()

    def _on_download(self, download: Download) -> None:
        self.note("download", f"{read_origin(download.url)} offered a file, which was not kept")

    def _on_crash(self) -> None:
        self.crash.set()
        self.note("crash", "the page crashed")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.note("console error", message.text)

    def _on_request_failed(self, request: Request) -> None:
        # A player that is left behind ends its download: that is no fault.
        if request.failure != "net::ERR_ABORTED":
            self.note("request failed", f"{request.failure} {request.url.split('?')[0]}")

    def _on_request(self, request: Request) -> None:
        """Note when an answer was asked for. It may come when the feed has moved on."""
        if self._wanted(request):
            self._asked[request] = perf_counter()

    def _wanted(self, request: Request) -> bool:
        address = request.url.partition("?")[0]
        return request.method != "OPTIONS" and any(part in address for part in self._json_from)

    def _on_response(self, response: Response) -> None:
        if not self._wanted(response.request):
            return
        origin = self._origin_of_asker(response.request)
        if origin is None or not self._is_own(origin) or not self._is_own(response.url):
            self._note_foreign(response)
            return
        self._begin(self._read(response, origin), self._reads)

    def _is_own(self, url: str) -> bool:
        """Whether an address is of the opened origin or of the platform's hosts."""
        if read_origin(url) == self._opened:
            return True
        parts = urlsplit(url)
        host = parts.hostname or ""
        named = any(host == own or host.endswith(f".{own}") for own in self._hosts)
        return named and parts.scheme == "https"

    def _origin_of_asker(self, request: Request) -> str | None:
        """Return the origin of the main frame's document; ``None`` where another frame asked."""
        try:
            frame = request.frame
        except PlaywrightError:  # a worker asked, or the frame is not there yet
            return None
        return read_origin(frame.url) if frame.parent_frame is None else None

    def _note_foreign(self, response: Response) -> None:
        """Say once for each origin that something there looked like an answer of the feed."""
        origin = read_origin(response.url)
        if origin not in self._foreign:
            self._foreign.add(origin)
            self.note("foreign answer", f"{response.url.split('?')[0]} was not believed")

    async def _read(self, response: Response, origin: str) -> None:
        """Read a body at once: it is lost when the page moves on."""
        try:
            if await _length_of(response) > MOST_ANSWER_BYTES:
                raise TooManyBytes(MOST_ANSWER_BYTES)
            body = parse_json(await response.text())
        except (PlaywrightError, UnicodeDecodeError, TooManyBytes) as error:
            self.note("unreadable response", f"{response.url.split('?')[0]}: {error}")
            return
        request = _text_sent(response.request)
        requested_s = self._asked.get(response.request)
        self._on_answer(
            SiteAnswer(response.url, body, response.status, request, origin, requested_s)
        )


def read_origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _text_sent(request: Request) -> str | None:
    try:
        text = request.post_data
    except UnicodeDecodeError:  # it sent bytes
        return None
    return text if text is None or len(text) <= MOST_ANSWER_BYTES else None


async def _length_of(response: Response) -> int:
    """Bytes of a body as they were sent, which a page may have packed."""
    length = response.headers.get("content-length", "")
    if length.isdecimal():
        return int(length)
    return int((await response.request.sizes())["responseBodySize"])


def parse_json(text: str) -> Any:
    """Return the JSON of a text, a list where several are joined, ``None`` for none."""
    values: list[Any] = []
    place = _skip(text, 0)
    try:
        while place < len(text):
            value, place = _JSON.raw_decode(text, place)
            values.append(value)
            place = _skip(text, place)
    except (ValueError, RecursionError):
        return None
    return values[0] if len(values) == 1 else values or None


def _skip(text: str, place: int) -> int:
    before = _BEFORE.match(text, place)
    return before.end() if before else place


def list_fallbacks(hooks: PageHooks, used: Mapping[str, str]) -> Iterator[str]:
    """Say which hooks did not answer, and what did; the feed itself counts missing ids."""
    ids = [f"{selector}@{attribute}" for selector, attribute, _ in hooks.id_attributes]
    trusted = {
        "item": hooks.item,
        "id": (*ids, "url") if hooks.url_id else tuple(ids),
        "active": hooks.active,
        "next": hooks.next_buttons,
    }
    for name, known in trusted.items():
        took = used.get(name, "none")
        if known and took not in (known[0], "none"):
            yield f"{name}: {known[0]} did not answer, {took} did"

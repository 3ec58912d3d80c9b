"""What a page reports by itself: errors, failed requests, crashes, and the feed's own answers.

Refuses to judge any of it: events wait until they are asked for, answers go to the platform.
"""

from __future__ import annotations

import asyncio

from playwright.async_api import ConsoleMessage, Page, Request, Response
from playwright.async_api import Error as PlaywrightError

from agent.drivers.base import Answer, OnAnswer, PageEvent
from agent.drivers.reading import parsed

MAX_EVENTS = 50


class Reports:
    """Listens to one page after the other.

    Parameters
    ----------
    json_from
        Parts of URLs whose responses the platform wants.
    on_answer
        Receives them.
    """

    def __init__(self, json_from: tuple[str, ...], on_answer: OnAnswer) -> None:
        self.crashed = False
        self._json_from = json_from
        self._on_answer = on_answer
        self._events: list[PageEvent] = []
        self._reads: set[asyncio.Task[None]] = set()

    def attach(self, page: Page) -> None:
        """Listen to a page, before it is navigated."""
        self.crashed = False
        page.on("pageerror", lambda error: self.note("page error", str(error)))
        page.on("console", self._on_console)
        page.on("requestfailed", self._on_request_failed)
        page.on("crash", lambda _: self._on_crash())
        page.on("response", self._on_response)

    def end(self) -> None:
        """Stop reading what has not arrived."""
        for task in self._reads:
            task.cancel()

    def take(self) -> list[PageEvent]:
        """Return the events since the last call."""
        events, self._events = self._events, []
        return events

    def note(self, kind: str, message: str) -> None:
        """Keep an event, unless too many wait already."""
        if len(self._events) < MAX_EVENTS:
            self._events.append(PageEvent(kind, message[:500]))

    def _on_crash(self) -> None:
        self.crashed = True
        self.note("crash", "the page crashed")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.note("console error", message.text)

    def _on_request_failed(self, request: Request) -> None:
        # A player that is left behind ends its download: that is no fault.
        if request.failure != "net::ERR_ABORTED":
            self.note("request failed", f"{request.failure} {request.url.split('?')[0]}")

    def _on_response(self, response: Response) -> None:
        address = response.url.partition("?")[0]
        asked = response.request.method != "OPTIONS"
        if asked and any(part in address for part in self._json_from):
            task = asyncio.ensure_future(self._read(response))
            self._reads.add(task)
            task.add_done_callback(self._reads.discard)

    async def _read(self, response: Response) -> None:
        """Read a body at once: it is lost when the page moves on."""
        try:
            body = parsed(await response.text())
        except (PlaywrightError, UnicodeDecodeError) as error:
            self.note("unreadable response", f"{response.url.split('?')[0]}: {error}")
            return
        self._on_answer(Answer(response.url, body, response.status))

"""Asks the rules in one page, with a limit, and meets walls on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from time import perf_counter
from typing import Any, TypeVar

from playwright.async_api import CDPSession, Page
from playwright.async_api import Error as PlaywrightError

from agent.drivers.web.injected_script import ELSEWHERE, DocumentGone, IsolatedWorld
from agent.drivers.web.page_events import PageReports
from agent.drivers.web.wall_handling import PageWalls
from agent.errors import BrowserLost, DriverFault, PageStuck

ANSWER_S = 10.0
"""How long a page may take to answer what needs no waiting."""
HOPS = 3
"""How often a page may go elsewhere while it is entered."""

T = TypeVar("T")


class PageMoved(PageStuck):
    """The page went to another document while it was asked."""


class PageQueries:
    """The rules in one page; a wall counts once it has stood for ``grace_s`` seconds."""

    def __init__(
        self,
        page: Page,
        devtools: CDPSession,
        walls: PageWalls,
        reports: PageReports,
        grace_s: float,
    ) -> None:
        self._page = page
        self._world = IsolatedWorld(devtools)
        self._walls = walls
        self._reports = reports
        self._grace_s = grace_s

    async def install(self, rules: str) -> None:
        await self.within(self._world.install(rules), ANSWER_S)

    async def enter(self) -> None:
        """Go on with the document that the page has gone to."""
        for _ in range(HOPS):
            with suppress(PageMoved):  # it is on its way still
                await self.within(self._page.wait_for_load_state("domcontentloaded"), ANSWER_S)
                await self.within(self._world.enter(), ANSWER_S)
                return
        raise PageStuck("the page went from one document to the next without an end")

    async def call(self, rule: str, argument: Any, limit: float) -> Any:
        """Call a rule in the document that was entered, whatever stands before the feed."""
        return await self.within(self._unless_crashed(self._world.ask(rule, argument)), limit)

    async def ask(self, rule: str, argument: Any, limit: float) -> Any:
        """Call a rule. A wall that it sees, or that replaced the document, is a fault.

        A wall of consent is declined, and one that goes within its grace time was none. Raises
        ``PageMoved`` where the page went elsewhere and no wall is there.
        """
        while True:
            try:
                result = await self.call(rule, argument, limit)
            except PageMoved:
                await self.enter()
                wall = (await self.call("standing", {"limit": 0}, ANSWER_S))["standing"]
                if wall is None:
                    raise
            else:
                wall = result.get("wall") if isinstance(result, dict) else None
                if wall is None:
                    return result
            await self._pass(wall)

    async def _pass(self, wall: dict[str, Any]) -> None:
        """Decline consent; see any other wall go within its grace time, or raise it."""
        self._walls.meet(wall)
        fault = self._walls.fault(self._page, wall)
        work = self._walls.decline(self._page, self._world, fault)
        if await self.within(work, ANSWER_S):
            return
        standing = await self.standing(self._walls.grace_left(wall, self._grace_s))
        if standing is not None:
            raise self._walls.fault(self._page, standing)

    async def standing(self, limit: float) -> dict[str, Any] | None:
        """Wait until no wall is seen; return the one that stands after ``limit`` seconds."""
        end = perf_counter() + limit
        while True:
            left = max(0.0, end - perf_counter())
            try:
                answer = await self.call("standing", {"limit": left * 1000}, left + ANSWER_S)
            except PageMoved:
                await self.enter()
            else:
                wall: dict[str, Any] | None = answer["standing"]
                return wall

    async def _unless_crashed(self, work: Awaitable[T]) -> T:
        """Wait for an answer that never comes where the page crashes."""
        asking = asyncio.ensure_future(work)
        crash = asyncio.ensure_future(self._reports.crash.wait())
        try:
            await asyncio.wait({asking, crash}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return asking.result()
            raise BrowserLost("the page crashed")
        finally:
            asking.cancel()
            crash.cancel()

    async def within(self, work: Awaitable[T], limit: float) -> T:
        """Wait for the page, with a limit; what breaks becomes a typed fault."""
        try:
            async with asyncio.timeout(limit):
                return await work
        except TimeoutError as error:
            raise PageStuck(f"the page did not answer within {limit:.0f} s") from error
        except DocumentGone as error:
            raise PageMoved(str(error)) from error
        except PlaywrightError as error:
            raise self._fault(error) from error

    def _fault(self, error: PlaywrightError) -> DriverFault:
        first = str(error).strip().splitlines()[0]
        if any(words in first for words in ELSEWHERE):
            return PageMoved(first)
        if self._reports.crash.is_set() or self._page.is_closed():  # so it is where no browser is
            return BrowserLost(first)
        return PageStuck(first)

"""A driver on a recording: the site is gone, and no request leaves the machine."""

from __future__ import annotations

from contextlib import suppress

from playwright.async_api import BrowserContext

from agent.drivers.base import ActiveVideo, Arrival, OnAnswer, PageHooks, WallKind
from agent.drivers.web.browser import BrowserWindow
from agent.drivers.web.driver import PageTimeouts, PlaywrightDriver
from agent.drivers.web.injected_script import IsolatedWorld
from agent.drivers.web.recorded_site import RecordedSite
from agent.drivers.web.recording_driver import ReportedWalls
from agent.errors import FeedEmpty

LIMITS = PageTimeouts(change=10.0)
"""The first action that the page understands moves it, also on a machine that is busy."""


class PlaybackDriver(PlaywrightDriver):
    """Drives a page of ours that shows a recording's scenes under the recorded addresses."""

    def __init__(
        self,
        site: RecordedSite,
        window: BrowserWindow,
        hooks: PageHooks,
        on_answer: OnAnswer,
    ) -> None:
        super().__init__(window, hooks, on_answer, LIMITS)
        self.walls: list[WallKind] = []
        """Those that were met, in their order."""
        self._site = site
        self._last_wall = ""
        self._walls: ReportedWalls = ReportedWalls(hooks.walls, self._note_wall)

    async def open(self, url: str) -> ActiveVideo:
        if self._site.place >= self._site.scenes:
            raise FeedEmpty("the recording has no more videos")
        return await super().open(url)

    async def next(self, shown: ActiveVideo) -> Arrival:
        self._last_wall = ""
        if self._site.place < self._site.scenes - 1:
            return await super().next(shown)
        with suppress(TimeoutError):
            await self._act("key:ArrowDown")  # what the site answered last is still asked for
            await self._site.end()
        await self._reports.settle()
        raise FeedEmpty("the recording has no more videos")

    async def _prepare(self, context: BrowserContext) -> None:
        await self._site.attach(context)
        await super()._prepare(context)

    async def _note_wall(self, kind: WallKind, seen: str, _: IsolatedWorld) -> None:
        if seen != self._last_wall:  # it may be met again while it goes
            self.walls.append(kind)
        self._last_wall = seen

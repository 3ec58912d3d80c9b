"""The screen and the keyboard, asked from a thread of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

from agent.drivers.base import PageEvent
from agent.drivers.desktop.player_detection import Grey
from agent.drivers.desktop.screen import Picture, Screen
from agent.drivers.desktop.window import Stack
from agent.errors import BrowserLost
from store.untrusted.clean_text import clean_text

MAX_EVENTS = 50
GREEN = 1
"""The channel that stands for grey."""
NO_ESC = "Esc cannot be heard here: to stop, move the pointer into a corner of the screen"

T = TypeVar("T")


@dataclass(frozen=True)
class ScreenTimeouts:
    """How long things on a screen take, in seconds of wall time."""

    find: float = 30.0
    look: float = 1.2
    """One look for the player; two that agree find it."""
    focus: float = 20.0
    """In which the first pause must be seen, once the user has clicked on the window."""
    change: float = 4.0
    """From a key to the changed picture; the next key is tried after that."""
    rest: float = 1.0
    """From the changed picture to the end of the feed's animation."""
    show: float = 2.0
    """From then to a picture that moves."""
    still: float = 1.5
    """From the space bar to a picture that stands still."""
    quiet: float = 0.25
    """A picture that has not changed for so long stands still."""
    poll: float = 0.03
    window: float = 10.0
    """In which the player's window comes to rest, and in which a player of another size is seen."""
    cover: float = 5.0
    """In which another window leaves the player."""
    repaint: float = 0.5
    """From a window's move to its whole picture."""


@dataclass(frozen=True)
class Screenshot:
    """The screen at one moment of the clock."""

    at: float
    picture: Picture

    def grey(self) -> Grey:
        return self.picture[..., GREEN]


class ScreenSession:
    """The screen and the keyboard."""

    def __init__(self, limits: ScreenTimeouts) -> None:
        self.limits = limits
        self._hand: ThreadPoolExecutor | None = None
        self._screen: Screen | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._events: list[PageEvent] = []

    @property
    def screen(self) -> Screen:
        if self._screen is None:
            raise BrowserLost("the screen is closed")
        return self._screen

    @property
    def taken(self) -> bool:
        return self._screen is not None

    async def take(self) -> None:
        """Take the screen. From now on the user may end the calling task."""
        self._hand = ThreadPoolExecutor(1, thread_name_prefix="desktop")
        self._screen = await self.do(Screen)
        if not self._screen.hears_esc:
            self.note("stop", NO_ESC)
        task = asyncio.current_task()
        assert task is not None
        self._stopping = asyncio.create_task(self._end_when_asked(task))

    async def close(self) -> None:
        stopping, self._stopping = self._stopping, None
        if stopping is not None:
            stopping.cancel()
            await asyncio.wait([stopping])
        if self._screen is not None:
            await self.do(self._screen.close)
        if self._hand is not None:
            self._hand.shutdown()
        self._screen = self._hand = None

    async def _end_when_asked(self, run: asyncio.Task[object]) -> None:
        while True:
            if await self.do(self.screen.stop_asked) is not None:
                run.cancel()
                return
            await asyncio.sleep(self.limits.poll)  # neither key nor pointer wakes us here

    async def do(self, work: Callable[..., T], *arguments: object) -> T:
        """Do something in the one thread that sees and presses."""
        assert self._hand is not None
        return await asyncio.get_running_loop().run_in_executor(self._hand, work, *arguments)

    async def shot(self) -> Screenshot:
        picture = await self.do(self.screen.shot)
        return Screenshot(perf_counter(), picture)

    async def windows(self) -> Stack | None:
        return await self.do(self.screen.windows)

    async def press(self, key: str) -> None:
        await self.do(self.screen.press, key)

    def note(self, kind: str, message: str) -> None:
        if len(self._events) < MAX_EVENTS:
            self._events.append(PageEvent(kind, clean_text(message)))

    def events(self) -> list[PageEvent]:
        events, self._events = self._events, []
        return events

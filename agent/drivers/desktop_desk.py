"""The desk a desktop driver sits at: the screen in its thread, and the player found on it.

Sees whether the player moves, stands still or is pushed along. Refuses to know what a video, a
move or a run is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

from agent.drivers import desktop_region
from agent.drivers.base import PageEvent
from agent.drivers.desktop_region import Region, share_changed
from agent.drivers.desktop_screen import Picture, Screen, no_screen
from agent.errors import BadConfig, BrowserLost, PageStuck

MAX_EVENTS = 50
GREEN = 1
"""The channel that stands for grey."""
OTHER = 0.04
"""Share of the player that differs at least between two videos."""
ALIKE = 0.95
"""Shared area of two findings of one player."""
STILL = 0.0005
"""Share of the player that may differ in a picture that stands still."""
NOT_FOUND = (
    "No playing video was found on the screen. Open the feed in a browser, uncovered and playing, "
    "then type: python -m agent doctor --driver desktop"
)
NO_ESC = "Esc cannot be heard here: to stop, move the pointer into a corner of the screen"

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
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


@dataclass(frozen=True)
class Shot:
    """The screen at one moment of the clock."""

    at: float
    picture: Picture

    def grey(self) -> desktop_region.Grey:
        """Return it in levels of grey."""
        return self.picture[..., GREEN]


class Desk:
    """The screen, the keyboard and the player.

    Parameters
    ----------
    calibrated
        Where the user showed the player to be; taken where something moves in it.
    """

    def __init__(self, limits: Limits, calibrated: Region | None) -> None:
        self.limits = limits
        self.first_seen: float | None = None
        """The clock when the player was first seen to play."""
        self._calibrated = calibrated
        self._hand: ThreadPoolExecutor | None = None
        self._screen: Screen | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._player: Region | None = None
        self._events: list[PageEvent] = []

    @property
    def screen(self) -> Screen:
        """The screen, once it is taken."""
        if self._screen is None:
            raise BrowserLost("the screen is closed")
        return self._screen

    @property
    def player(self) -> Region:
        """The player, once it is found."""
        if self._player is None:
            raise PageStuck("no player was found yet")
        return self._player

    @property
    def taken(self) -> bool:
        """Whether the screen is taken."""
        return self._screen is not None

    async def take(self) -> None:
        """Take the screen, and from now on end the calling task when the user asks for it."""
        self._hand = ThreadPoolExecutor(1, thread_name_prefix="desktop")
        self._screen = await self.do(Screen)
        if not self._screen.hears_esc:
            self.note("stop", NO_ESC)
        task = asyncio.current_task()
        assert task is not None
        self._stopping = asyncio.create_task(self._end_when_asked(task))

    async def close(self) -> None:
        """Let go of the screen."""
        stopping, self._stopping = self._stopping, None
        if stopping is not None:
            stopping.cancel()
            await asyncio.wait([stopping])
        if self._screen is not None:
            await self.do(self._screen.close)
        if self._hand is not None:
            self._hand.shutdown()
        self._screen = self._hand = self._player = None

    async def _end_when_asked(self, run: asyncio.Task[object]) -> None:
        """End the run as Ctrl-C does, once Esc is pressed or the pointer rests in a corner."""
        while True:
            if await self.do(self.screen.stop_asked) is not None:
                run.cancel()
                return
            await asyncio.sleep(self.limits.poll)  # neither key nor pointer wakes us here

    async def do(self, work: Callable[..., T], *arguments: object) -> T:
        """Do something in the one thread that sees and presses."""
        assert self._hand is not None
        return await asyncio.get_running_loop().run_in_executor(self._hand, work, *arguments)

    async def shot(self) -> Shot:
        """Take the whole screen."""
        picture = await self.do(self.screen.shot)
        return Shot(perf_counter(), picture)

    async def press(self, key: str) -> None:
        """Press and release a key."""
        await self.do(self.screen.press, key)

    def note(self, kind: str, message: str) -> None:
        """Keep something for the record."""
        if len(self._events) < MAX_EVENTS:
            self._events.append(PageEvent(kind, message))

    def events(self) -> list[PageEvent]:
        """Return what was noted since the last call."""
        events, self._events = self._events, []
        return events

    # Finding the player

    async def find(self) -> Region:
        """Find the player: where the user showed it, or else where two looks agree.

        Raises
        ------
        BadConfig
            Nothing that could be a player moves on the screen.
        """
        end = perf_counter() + self.limits.find
        if self._calibrated is not None and await self._plays(self._calibrated):
            self._player = self._calibrated
            return self._player
        while perf_counter() < end:
            self._player = await self._look_twice()
            if self._player is not None:
                return self._player
        last = (await self.shot()).picture[..., :3]
        one_colour = last.min() == last.max()
        raise BadConfig(no_screen("it is of one colour") if one_colour else NOT_FOUND)

    async def find_again(self) -> bool:
        """Look for a player that is no longer where it was; whether it was found elsewhere."""
        found = await self._look_twice()
        if found is None or found.overlap(self.player) > ALIKE:
            return False
        self.note("window", f"the player is now at {found}, and was at {self.player}")
        self._player = found
        return True

    async def _plays(self, region: Region) -> bool:
        """Whether something moves there."""
        first = shot = await self.shot()
        if not region.fits(first.grey()):
            return False
        while shot.at - first.at < self.limits.show:
            await asyncio.sleep(self.limits.poll)
            shot = await self.shot()
            if share_changed(region.cut(first.grey()), region.cut(shot.grey())) > STILL:
                self.first_seen = first.at
                return True
        return False

    async def _look_twice(self) -> Region | None:
        """Return the player where two looks agree on it."""
        began = perf_counter()
        first = await self._look()
        second = await self._look() if first is not None else None
        if first is None or second is None or first.overlap(second) < ALIKE:
            return None
        self.first_seen = began
        return second

    async def _look(self) -> Region | None:
        """Look at the whole screen for a while; return the player, where one is seen."""
        shots = [await self.shot()]
        while shots[-1].at - shots[0].at < self.limits.look:
            await asyncio.sleep(self.limits.look / 10)
            shots.append(await self.shot())
        return await self.do(desktop_region.find, [shot.grey() for shot in shots])

    # Seeing what it does

    def difference(self, one: Shot, other: Shot) -> float:
        """Share of the player that differs."""
        return share_changed(self.player.cut(one.grey()), self.player.cut(other.grey()))

    def pushed(self, one: Shot, other: Shot) -> float:
        """Share that differs just above or just below the player: a feed moves through there."""
        player = self.player
        across = slice(player.left, player.right)
        above = slice(max(0, player.top - 4), max(0, player.top - 1))
        below = slice(player.bottom + 1, player.bottom + 4)
        return max(
            share_changed(one.grey()[rows, across], other.grey()[rows, across])
            for rows in (above, below)
        )

    async def changes(self, before: Shot, see: Callable[[Shot, Shot], float]) -> float | None:
        """Wait until the screen shows another video by this measure; return the clock."""
        end = perf_counter() + self.limits.change
        while perf_counter() < end:
            shot = await self.shot()
            if see(before, shot) > OTHER:
                return shot.at
            await asyncio.sleep(self.limits.poll)
        return None

    async def changed_elsewhere(self, before: Shot) -> bool:
        """Whether the screen changed beside the player, and the player is found elsewhere now."""
        shot = await self.shot()
        share = self.player.width * self.player.height / before.grey().size
        if share_changed(before.grey(), shot.grey()) <= OTHER * share:
            return False
        return await self.find_again()

    async def rests(self, before: Shot) -> float:
        """Wait until nothing is pushed over the player's edges any more; return the clock."""
        rested = began = perf_counter()
        quiet = 0
        while quiet < 2 and rested - began < self.limits.rest:
            await asyncio.sleep(self.limits.poll)
            shot = await self.shot()
            pushed = self.pushed(before, shot) > OTHER
            quiet, rested = (0, shot.at) if pushed else (quiet + 1, rested)
        return rested

    async def moves(self) -> tuple[bool, Shot]:
        """See the player play; return whether it does, and the screen at that moment.

        Where it twice does not, or moves over its bounds, it is looked for on the whole screen.
        """
        for attempt in range(3):
            first = shot = await self.shot()
            end = first.at + self.limits.show
            while (share := self.difference(first, shot)) <= STILL and shot.at < end:
                await asyncio.sleep(self.limits.poll)
                shot = await self.shot()
            core = await self.do(desktop_region.moving, [first.grey(), shot.grey()])
            astray = share <= STILL or (core is not None and self.player.cuts(core))
            if not astray or (attempt == 1 and not await self.find_again()):
                break
        return share > STILL, shot

    async def stands(self) -> float | None:
        """Wait until the player stands still; return the clock when it began to."""
        anchor = await self.shot()
        end = anchor.at + self.limits.still
        while anchor.at < end:
            await asyncio.sleep(self.limits.poll)
            shot = await self.shot()
            if self.difference(anchor, shot) > STILL:
                anchor = shot
            elif shot.at - anchor.at >= self.limits.quiet:
                return anchor.at
        return None

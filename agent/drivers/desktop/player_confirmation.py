"""Looks at the screen for a player until two looks agree."""

from __future__ import annotations

import asyncio
from time import perf_counter

from agent.drivers.desktop import player_detection
from agent.drivers.desktop.player_detection import Region, measure_change
from agent.drivers.desktop.screen_thread import ScreenSession, Screenshot
from agent.drivers.desktop.window import ScreenWindow, find_owner

ALIKE = 0.95
"""Shared area of two findings of one player."""
STILL = 0.0005
"""Share of the player that may differ in a picture that stands still."""
MOTIONS = 3
"""Times in a row that something is seen to move before it is taken to play."""


class PlayerSearch:
    """Two looks at the screen."""

    def __init__(self, session: ScreenSession) -> None:
        self.first_seen: float | None = None
        """The clock when a player was first seen to play."""
        self._session = session
        self._limits = session.limits

    async def find_owner(self, player: Region) -> ScreenWindow | None:
        stack = await self._session.windows()
        return None if stack is None else find_owner(stack, player)

    async def sees_motion(self, region: Region) -> bool:
        """Whether something moves there and goes on: a page painted in steps comes to rest."""
        if not region.fits((await self._session.shot()).grey()):
            return False
        began = None
        for _ in range(MOTIONS):
            first, _, share = await self.watch_for_motion(region)
            if share <= STILL:
                return False
            began = began or first.at
        self.first_seen = began
        return True

    async def watch_for_motion(self, region: Region) -> tuple[Screenshot, Screenshot, float]:
        """Wait until a region changes, and changes again: what only appears is no motion.

        Returns two pictures, the second of now, and the share of the region that differs; 0 where
        nothing moved in time.
        """
        first = shot = await self._session.shot()
        end, appeared = first.at + self._limits.show, False
        while appeared or shot.at < end:
            await asyncio.sleep(self._limits.quiet if appeared else self._limits.poll)
            shot = await self._session.shot()
            share = measure_change(region.cut(first.grey()), region.cut(shot.grey()))
            if appeared and share > STILL:
                return first, shot, share
            if appeared or share > STILL:
                first, appeared = shot, not appeared
        return first, shot, 0.0

    async def look_twice(self, within: Region | None = None) -> Region | None:
        """Return what two looks agree on, within its window: whose own edges are no player's."""
        began = perf_counter()
        first = await self._look(within)
        if first is not None and within is None:
            owner = await self.find_owner(first)
            within = None if owner is None else owner.region
        second = await self._look(within) if first is not None else None
        if first is None or second is None:
            return None
        if first.overlap(second) < ALIKE:
            first, second = second, await self._look(within)
        if second is None or first.overlap(second) < ALIKE or not second.shaped:
            return None
        self.first_seen = began
        return second

    async def _look(self, within: Region | None) -> Region | None:
        screen = Region(0, 0, *self._session.screen.size)
        part = screen if within is None else screen.common(within)
        if not screen.meets(part):
            return None
        shots = [await self._session.shot()]
        while shots[-1].at - shots[0].at < self._limits.look:
            await asyncio.sleep(self._limits.look / 10)
            shots.append(await self._session.shot())
        cuts = [part.cut(shot.grey()) for shot in shots]
        player = await self._session.do(player_detection.find_player, cuts)
        return None if player is None else player.moved(part.left, part.top)

"""Follows the player on the screen: finds it, sees it move, stand still, be pushed.

A rectangle is believed while its window stands where it stood, and no other lies over it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter

from agent.drivers.desktop import player_detection
from agent.drivers.desktop.player_confirmation import ALIKE, STILL, PlayerSearch
from agent.drivers.desktop.player_detection import SLACK, Region, measure_change
from agent.drivers.desktop.screen import explain_no_screen
from agent.drivers.desktop.screen_thread import ScreenSession, Screenshot
from agent.drivers.desktop.window import ScreenWindow, find_cover
from agent.errors import BadConfig, FrameChanged, PageStuck, PlayerLost, WindowCovered

OTHER = 0.04
"""Share of the player that differs at least between two videos."""
TAKES = 4
"""A picture is taken so often at most, until nothing disturbs it."""
NOT_FOUND = (
    "No playing video was found on the screen. Open the feed in a browser, uncovered and playing, "
    "then type: python -m agent doctor --driver desktop"
)
COVERED = (
    "Another window ({window}) lies over the player. Move it away, then type: "
    "python -m agent doctor --driver desktop"
)
DISTURBED = "the player was moved, covered or another one while its picture was taken"
DISTURBED_OFTEN = (
    f"{TAKES} times {DISTURBED}. Leave keyboard, mouse and windows alone, then type the same "
    "command: it goes on"
)


class PlayerTracker:
    """The player on the screen. What the user showed is taken where something moves in it."""

    def __init__(self, session: ScreenSession, calibrated: Region | None) -> None:
        self.search = PlayerSearch(session)
        self._session = session
        self._limits = session.limits
        self._calibrated = calibrated
        self._player: Region | None = None
        self._window: ScreenWindow | None = None
        """Its window, as it stood when the player was found there; ``None`` where not known."""
        self._former: Region | None = None
        """The player as it was last believed, also before the screen was let go."""

    @property
    def player(self) -> Region:
        if self._player is None:
            raise PageStuck("no player was found yet")
        return self._player

    def forget(self) -> None:
        """Forget where the player is, but not its shape."""
        self._player = self._window = None

    # Finding the player

    async def find(self) -> Region:
        """Find the player: where the user showed it, or else where two looks agree.

        Raises ``BadConfig`` where nothing moves or a window lies over it, and ``PlayerLost`` where
        what moves has another shape than the player of before.
        """
        end = perf_counter() + self._limits.find
        calibrated, self.search.first_seen = self._calibrated, None
        candidate: Region | None = None
        while perf_counter() < end and (self._player is None or await self.cover() is not None):
            if calibrated is not None and await self.search.sees_motion(calibrated):
                await self._believe(calibrated)
                continue
            candidate = await self.search.look_twice() or candidate
            if candidate is not None and (
                self._former is None or candidate.has_shape_of(self._former)
            ):
                await self._believe(candidate)
        if self._player is None:
            raise await self._not_found(candidate)
        if (cover := await self.cover()) is not None:
            raise BadConfig(COVERED.format(window=cover))
        return self._player

    async def _not_found(self, candidate: Region | None) -> Exception:
        if candidate is not None and self._former is not None:
            return PlayerLost(_unlike(candidate, self._former))
        last = (await self._session.shot()).picture[..., :3]
        one_colour = last.min() == last.max()
        return BadConfig(explain_no_screen("it is of one colour") if one_colour else NOT_FOUND)

    async def _believe(self, player: Region) -> None:
        self._player = self._former = player
        self._window = await self.search.find_owner(player)

    async def find_again(self) -> bool:
        """Look for a player that is no longer where it was. Whether it was found elsewhere."""
        candidate = await self.search.look_twice()
        if candidate is None or candidate.overlap(self.player) > ALIKE:
            return False
        if not self._has_cause(candidate):
            self._session.note("window", _unlike(candidate, self.player))
            return False
        self._note_move(candidate)
        await self._believe(candidate)
        return True

    def _has_cause(self, candidate: Region) -> bool:
        """Whether the player may have become this one while its window stands where it stood.

        It keeps its size, or was found too small at first. Where windows are not known, one of
        another size may be the cause, which leaves the shape.
        """
        if self._window is None:
            return candidate.has_shape_of(self.player)
        return candidate.has_size_of(self.player) or candidate.grown(SLACK).holds(self.player)

    def _note_move(self, player: Region) -> None:
        self._session.note("window", f"the player is now at {player}, and was at {self.player}")

    # Its window

    async def follow(self) -> bool:
        """Keep the rectangle true to its window at rest; False where that has another size.

        Raises ``PlayerLost`` where the window is gone, never rests, or lies partly off the screen.
        """
        known = self._window
        if known is None or known in (await self._session.windows() or ()):
            return True
        now = await self._resting(known)
        across, down = now.region.left - known.region.left, now.region.top - known.region.top
        if now.region != known.region.moved(across, down):
            return False
        player = self.player.moved(across, down)
        if not Region(0, 0, *self._session.screen.size).holds(player):
            raise PlayerLost(
                "The player reaches beyond the screen. Move its window back, then type the same "
                "command: it goes on"
            )
        if now != known:
            self._note_move(player)
        self._player, self._window = player, now
        return True

    async def find_resized(self) -> None:
        """Find the player in its resized window; ``PlayerLost`` where nothing is like it."""
        known = self._window
        assert known is not None
        end = perf_counter() + self._limits.window
        candidate: Region | None = None
        while perf_counter() < end:
            now = await self._resting(known)
            candidate = await self.search.look_twice(now.region)
            if candidate is None or not candidate.has_shape_of(self.player):
                continue
            if now.region.holds(candidate) and now in (await self._session.windows() or ()):
                self._note_move(candidate)
                await self._believe(candidate)
                return
        raise PlayerLost(_unlike(candidate, self.player))

    async def _resting(self, known: ScreenWindow) -> ScreenWindow:
        """Wait until the window stands still and is painted."""
        end = perf_counter() + self._limits.window
        since, last = perf_counter(), None
        while last is None or perf_counter() - since < self._limits.repaint:
            if perf_counter() > end:
                raise PlayerLost(
                    f"The player's window did not come to rest in {self._limits.window:.0f} s. "
                    "Leave it alone, then type the same command: it goes on"
                )
            stack = await self._session.windows() or ()
            now = next((one for one in stack if one.number == known.number), None)
            if now is None:
                raise PlayerLost(
                    "The player's window was closed or hidden. Show it again, then type the same "
                    "command: it goes on"
                )
            if now != last:
                since, last = perf_counter(), now
            await asyncio.sleep(self._limits.poll)
        return last

    async def cover(self) -> ScreenWindow | None:
        stack = await self._session.windows()
        if stack is None or self._window is None:
            return None
        return find_cover(stack, self._window, self.player)

    async def clear(self) -> None:
        """Wait until no window lies over the player; ``WindowCovered`` names one that stays."""
        cover = await self.cover()
        if cover is None:
            return
        self._session.note("window", f"another window ({cover}) lay over the player")
        end = perf_counter() + self._limits.cover
        while (cover := await self.cover()) is not None:
            if perf_counter() > end:
                raise WindowCovered(str(cover))
            await asyncio.sleep(self._limits.poll)
        await asyncio.sleep(self._limits.repaint)

    async def _undisturbed(self) -> bool:
        stack = await self._session.windows()
        if stack is None or self._window is None:
            return True
        return self._window in stack and find_cover(stack, self._window, self.player) is None

    # Taking its picture

    async def arrive(self) -> tuple[bool, Screenshot]:
        """See it play undisturbed, or raise ``FrameChanged``; whether it does, and the screen."""
        for _ in range(TAKES):
            if not await self.follow():
                await self.find_resized()
            await self.clear()
            moved, shot = await self.moves()
            if await self._undisturbed():
                return moved, shot
            self._session.note("capture", DISTURBED)
        raise FrameChanged(DISTURBED_OFTEN)

    async def frame(self, *, held: bool) -> Screenshot | None:
        """Take the player; ``None`` where it was moved, covered or, being held, another one."""
        first = await self._session.shot()
        await asyncio.sleep(self._limits.quiet)
        shot = await self._session.shot()
        same = not held or self.difference(first, shot) <= STILL
        if same and await self._undisturbed():
            return shot
        self._session.note("capture", DISTURBED)
        return None

    # Seeing what it does

    def difference(self, one: Screenshot, other: Screenshot) -> float:
        return measure_change(self.player.cut(one.grey()), self.player.cut(other.grey()))

    def pushed(self, one: Screenshot, other: Screenshot) -> float:
        """Share that differs just above or just below the player: a feed moves through there."""
        player = self.player
        across = slice(player.left, player.right)
        above = slice(max(0, player.top - 4), max(0, player.top - 1))
        below = slice(player.bottom + 1, player.bottom + 4)
        return max(
            measure_change(one.grey()[rows, across], other.grey()[rows, across])
            for rows in (above, below)
        )

    async def changes(
        self, before: Screenshot, see: Callable[[Screenshot, Screenshot], float]
    ) -> float | None:
        """Wait until the screen shows another video by this measure; return the clock."""
        end = perf_counter() + self._limits.change
        while perf_counter() < end:
            shot = await self._session.shot()
            if see(before, shot) > OTHER:
                return shot.at
            await asyncio.sleep(self._limits.poll)
        return None

    async def changed_elsewhere(self, before: Screenshot) -> bool:
        shot = await self._session.shot()
        share = self.player.width * self.player.height / before.grey().size
        if measure_change(before.grey(), shot.grey()) <= OTHER * share:
            return False
        return await self.find_again()

    async def rests(self, before: Screenshot) -> float:
        """Wait until nothing is pushed over the player's edges any more; return the clock."""
        rested = began = perf_counter()
        quiet = 0
        while quiet < 2 and rested - began < self._limits.rest:
            await asyncio.sleep(self._limits.poll)
            shot = await self._session.shot()
            pushed = self.pushed(before, shot) > OTHER
            quiet, rested = (0, shot.at) if pushed else (quiet + 1, rested)
        return rested

    async def moves(self) -> tuple[bool, Screenshot]:
        """See it play. Where it twice does not, or moves over its bounds, look for it elsewhere."""
        for attempt in range(3):
            first, shot, share = await self.search.watch_for_motion(self.player)
            core = await self._session.do(player_detection.find_motion, [first.grey(), shot.grey()])
            astray = share <= STILL or (core is not None and self.player.cuts(core))
            if not astray or (attempt == 1 and not await self.find_again()):
                break
        return share > STILL, shot

    async def stands(self) -> float | None:
        """Wait until the player stands still; return the clock when it began to."""
        anchor = await self._session.shot()
        end = anchor.at + self._limits.still
        while anchor.at < end:
            await asyncio.sleep(self._limits.poll)
            shot = await self._session.shot()
            if self.difference(anchor, shot) > STILL:
                anchor = shot
            elif shot.at - anchor.at >= self._limits.quiet:
                return anchor.at
        return None


def _unlike(candidate: Region | None, player: Region) -> str:
    seen = (
        "nothing that moves"
        if candidate is None
        else f"what moves ({candidate.width}x{candidate.height})"
    )
    return (
        f"On the screen {seen} is like the player of before ({player.width}x{player.height}). Show "
        "the whole video, then type the same command: it goes on"
    )

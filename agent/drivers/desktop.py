"""Drives a real window of the user's own desktop, by keyboard and pictures of the screen alone.

Refuses to know the page: no ids, no metadata, no player. A video is known by its picture, a move
by its effect, and what was played by the clock. What cannot be seen stays unknown.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from PIL import Image

from agent.drivers import desktop_region
from agent.drivers.base import Arrival, Box, Capture, PageEvent, Shown
from agent.drivers.desktop_region import Region, share_changed
from agent.drivers.desktop_screen import Picture, Screen, no_screen
from agent.drivers.desktop_window import PlainWindow
from agent.errors import ActionNotConfirmed, BadConfig, BrowserLost, PageStuck

if TYPE_CHECKING:
    from imagehash import ImageHash

JPEG_QUALITY = 85
MAX_EVENTS = 50
GREEN = 1
"""The channel that stands for grey."""
SAME = 8
"""Bits of 64 by which two pictures of one video's beginning may differ."""
OTHER = 0.04
"""Share of the region that differs at least between two videos."""
ALIKE = 0.95
"""Shared area of two findings of one player."""
STILL = 0.0005
"""Share of the region that may differ in a picture that stands still."""
MOVES = (("down", "key:ArrowDown"), ("pagedown", "key:PageDown"))
NOT_FOUND = (
    "No playing video was found on the screen. Open the feed in a browser, uncovered and playing, "
    "then type: python -m agent doctor --driver desktop"
)
NO_PAUSE = "the space bar does not pause this feed: it plays on while the model thinks"
NO_ESC = "Esc cannot be heard here: to stop, move the pointer into a corner of the screen"

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """How long things on a screen take, in seconds of wall time."""

    find: float = 30.0
    look: float = 1.2
    """One look for the moving region; two that agree find it."""
    focus: float = 20.0
    """In which the first pause must be seen, once the window has been clicked by the user."""
    change: float = 4.0
    """From a key to the changed picture; the next key is tried after that."""
    rest: float = 1.0
    """From the changed picture to the end of the feed's animation."""
    show: float = 2.0
    """From then to a picture that moves."""
    still: float = 1.5
    quiet: float = 0.25
    """A picture that has not changed for so long stands still."""
    poll: float = 0.03


@dataclass(frozen=True)
class _Shot:
    """The screen at one moment."""

    at: float
    picture: Picture

    def grey(self) -> desktop_region.Grey:
        return self.picture[..., GREEN]


class DesktopDriver:
    """The feed in one window of this desktop.

    Parameters
    ----------
    window
        The browser to open for the feed; ``None`` where the user has opened it.
    speed
        Playback rate that the site is known to use: what was played is wall time times this.
    """

    def __init__(
        self, window: PlainWindow | None, speed: float = 1.0, limits: Limits | None = None
    ) -> None:
        self.browser = "a window on the desktop"
        self.viewport = (0, 0)
        self.region: Region | None = None
        self._window = window
        self._speed = speed
        self._limits = limits or Limits()
        self._hand: ThreadPoolExecutor | None = None
        self._screen: Screen | None = None
        self._watch_stop: asyncio.Task[None] | None = None
        self._events: list[PageEvent] = []
        self._known: list[tuple[ImageHash, str]] = []
        self._taken: Picture | None = None
        self._last: _Shot | None = None
        self._played = 0.0
        self._since: float | None = None
        """The clock when the picture began to play, or ``None`` where it is held."""
        self._pauses = True
        self._first_seen: float | None = None
        """The clock when the video that the run starts with was first seen to play."""

    # Opening and closing

    async def start(self) -> None:
        """Take the screen, open the window where it is ours, and find the player in it."""
        await self.close()
        self._hand = ThreadPoolExecutor(1, thread_name_prefix="desktop")
        self._screen = await self._do(Screen)
        self.viewport = self._screen.size
        if not self._screen.hears_esc:
            self._note("stop", NO_ESC)
        task = asyncio.current_task()
        assert task is not None
        self._watch_stop = asyncio.create_task(self._end_when_asked(task))
        if self._window is not None:
            await self._window.open()
        self.region = await self._find()

    async def open(self, url: str) -> Shown:
        """Hold the video that plays in the window; starts anew where all was closed."""
        if self._screen is None:
            await self.start()
        called = perf_counter()
        began, self._first_seen = self._first_seen or called, None
        while True:
            shown = await self._settle(began, previous=None)
            if self._since is None or perf_counter() - called > self._limits.focus:
                break
        if self._since is not None:
            self._pauses = False
            self._note("hold", NO_PAUSE)
        return shown

    async def close(self) -> None:
        """Let go of the screen and close the window where it is ours. Never raises."""
        watching, self._watch_stop = self._watch_stop, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])
        if self._window is not None:
            await self._window.close()
        screen, hand = self._screen, self._hand
        if screen is not None:
            await self._do(screen.close)
        self._screen = self._hand = None
        if hand is not None:
            hand.shutdown()

    async def _end_when_asked(self, run: asyncio.Task[object]) -> None:
        """End the run as Ctrl-C does, once Esc is pressed or the pointer rests in a corner."""
        while True:
            if await self._do(self._open_screen().stop_asked) is not None:
                run.cancel()
                return
            await asyncio.sleep(self._limits.poll)  # neither key nor pointer wakes us here

    # The step

    async def capture(self, shown: Shown) -> Capture:
        """Return the picture that was taken on arrival; once it was used, take another."""
        picture, self._taken = self._taken, None
        retakes = int(picture is None)
        if picture is None:
            picture = (await self._shot()).picture
        jpeg = await self._do(_jpeg, self._player().cut(picture))
        return Capture(jpeg, shown.time_s, retakes)

    async def watch(self, shown: Shown, seconds: float) -> float:
        """Let it play until the clock says that ``seconds`` were played in all."""
        if self._meter() >= seconds:
            return self._meter()
        if self._since is None:
            await self._do(self._open_screen().press, "space")
            self._since = perf_counter()
        first = await self._shot()
        moved = 0.0
        while (left := (seconds - self._meter()) / self._speed) > 0:
            await asyncio.sleep(min(left, self._limits.quiet))
            moved = max(moved, self._difference(first, await self._shot()))
        if moved <= STILL:
            self._note("hold", "nothing was seen to move while the video should have played")
        return self._meter()

    async def like(self) -> bool:
        """Like nothing: a like could not be confirmed by pictures of an unknown page."""
        return False

    async def next(self, shown: Shown) -> Arrival:
        """Stop the video, press once, and see another one come to rest in its place."""
        if self._since is not None:
            await self._hold()
        before = await self._shot()
        for attempt, (key, action) in enumerate(MOVES, 1):
            left = self._meter()
            pressed = perf_counter()
            await self._do(self._open_screen().press, key)
            changed = await self._changes(before)
            if changed is not None or await self._elsewhere(before):
                arrived = await self._settle(changed or pressed, previous=before)
                if arrived.key != shown.key:
                    return Arrival(action, attempt, left, arrived)
        raise ActionNotConfirmed(
            f"{len(MOVES)} keys did not move the feed on from {shown.key}", video=shown.key
        )

    def events(self) -> list[PageEvent]:
        """What was noticed since the last call."""
        events, self._events = self._events, []
        return events

    # Seeing

    async def _find(self) -> Region:
        """Find the player: two looks that agree."""
        end = perf_counter() + self._limits.find
        while perf_counter() < end:
            found = await self._look_twice()
            if found is not None:
                return found
        last = (await self._shot()).picture[..., :3]
        one_colour = last.min() == last.max()
        raise BadConfig(no_screen("it is of one colour") if one_colour else NOT_FOUND)

    async def _look_twice(self) -> Region | None:
        """Return the player where two looks agree on it."""
        began = perf_counter()
        first = await self._look(self._limits.look)
        if first is None:
            self._first_seen = None
            return None
        self._first_seen = self._first_seen or began
        second = await self._look(self._limits.look)
        return second if second is not None and first.overlap(second) >= ALIKE else None

    async def _look(self, seconds: float) -> Region | None:
        """Look at the whole screen for a while; return the player, where one is seen."""
        shots = [await self._shot()]
        end = shots[0].at + seconds
        while shots[-1].at < end:
            await asyncio.sleep(seconds / 10)
            shots.append(await self._shot())
        return await self._do(desktop_region.find, [shot.grey() for shot in shots])

    async def _changes(self, before: _Shot) -> float | None:
        """Wait until the feed moves: the held player shows something else. Return the clock.

        A player that plays on changes by itself; there the feed is seen to move by what it pushes
        over the upper and the lower edge of the player.
        """
        see = self._difference if self._since is None else self._pushed
        end = perf_counter() + self._limits.change
        while perf_counter() < end:
            shot = await self._shot()
            if see(before, shot) > OTHER:
                return shot.at
            await asyncio.sleep(self._limits.poll)
        return None

    async def _elsewhere(self, before: _Shot) -> bool:
        """Whether the screen changed beside the player, where the player is now looked for."""
        shot = await self._shot()
        share = self._player().width * self._player().height / before.grey().size
        if share_changed(before.grey(), shot.grey()) <= OTHER * share:
            return False
        return await self._look_again()

    async def _look_again(self) -> bool:
        """Look for a player that is no longer where it was; whether it was found elsewhere."""
        found = await self._look_twice()
        if found is None or found.overlap(self._player()) > ALIKE:
            return False
        self._note("window", f"the player is now at {found}, and was at {self._player()}")
        self.region = found
        return True

    async def _settle(self, began: float, previous: _Shot | None) -> Shown:
        """See the new video come to rest and move, take its picture, and hold it.

        Parameters
        ----------
        began
            The clock when it may have begun to play.
        previous
            The screen as the last one left it, to see by it when the feed stands still.
        """
        self._played, self._since = 0.0, began
        rest = await self._rest(previous)
        moved, taken = await self._moves()
        await self._hold()
        player = self._player()
        digest = await self._do(_hash, player.cut(taken.picture))
        self._taken = taken.picture
        return Shown(
            key=self._name(digest), id=None, id_source=None, url="",
            box=Box(player.left, player.top, player.width, player.height),
            time_s=(taken.at - began) * self._speed, duration_s=None, exposure_s=self._meter(),
            shown=moved, has_video=True, ad=None, live=None, fields={}, moved=None,
            animation_ms=(rest - began) * 1000,
        )  # fmt: skip

    async def _moves(self) -> tuple[bool, _Shot]:
        """See the player play; return whether it does, and the screen at that moment.

        Where it twice does not, or moves over its bounds, it is looked for on the whole screen.
        """
        for attempt in range(3):
            first = shot = await self._shot()
            end = first.at + self._limits.show
            while (share := self._difference(first, shot)) <= STILL and shot.at < end:
                await asyncio.sleep(self._limits.poll)
                shot = await self._shot()
            core = await self._do(desktop_region.moving, [first.grey(), shot.grey()])
            astray = share <= STILL or (core is not None and self._player().cuts(core))
            if not astray or (attempt == 1 and not await self._look_again()):
                break
        return share > STILL, shot

    async def _rest(self, previous: _Shot | None) -> float:
        """Wait until nothing is pushed over the player's edges any more; return the clock."""
        rested = began = perf_counter()
        quiet = 0
        while previous is not None and quiet < 2 and rested - began < self._limits.rest:
            await asyncio.sleep(self._limits.poll)
            shot = await self._shot()
            pushed = self._pushed(previous, shot) > OTHER
            quiet, rested = (0, shot.at) if pushed else (quiet + 1, rested)
        return rested

    async def _hold(self) -> None:
        """Pause by keyboard and see it. Two presses that show nothing leave all as it was."""
        if not self._pauses:
            return
        for _ in range(2):
            await self._do(self._open_screen().press, "space")
            since = await self._still()
            if since is not None:
                self._played += (since - (self._since or since)) * self._speed
                self._since = None
                return

    async def _still(self) -> float | None:
        """Wait until the player stands still; return the clock when it began to."""
        anchor = await self._shot()
        end = anchor.at + self._limits.still
        while anchor.at < end:
            await asyncio.sleep(self._limits.poll)
            shot = await self._shot()
            if self._difference(anchor, shot) > STILL:
                anchor = shot
            elif shot.at - anchor.at >= self._limits.quiet:
                return anchor.at
        return None

    def _meter(self) -> float:
        """Seconds of the video played so far, by the clock."""
        running = 0.0 if self._since is None else perf_counter() - self._since
        return self._played + running * self._speed

    def _difference(self, one: _Shot, other: _Shot) -> float:
        player = self._player()
        return share_changed(player.cut(one.grey()), player.cut(other.grey()))

    def _pushed(self, one: _Shot, other: _Shot) -> float:
        """Share of what differs just above and below the player: there the feed moves through."""
        player = self._player()
        across = slice(player.left, player.right)
        rows = (
            slice(max(0, player.top - 4), max(0, player.top - 1)),
            slice(player.bottom + 1, player.bottom + 4),
        )
        return max(
            share_changed(one.grey()[part, across], other.grey()[part, across]) for part in rows
        )

    def _name(self, digest: ImageHash) -> str:
        """Name a video by its picture: the name of one that looked like it, or a new one."""
        for known, name in self._known:
            if known - digest <= SAME:
                return name
        self._known.append((digest, f"picture:{digest}"))
        return self._known[-1][1]

    # The thread that sees and presses

    def _player(self) -> Region:
        if self.region is None:
            raise PageStuck("no player was found yet")
        return self.region

    def _open_screen(self) -> Screen:
        if self._screen is None:
            raise BrowserLost("the screen is closed")
        return self._screen

    def _note(self, kind: str, message: str) -> None:
        if len(self._events) < MAX_EVENTS:
            self._events.append(PageEvent(kind, message))

    async def _shot(self) -> _Shot:
        picture = await self._do(self._open_screen().shot)
        return _Shot(perf_counter(), picture)

    async def _do(self, work: Callable[..., T], *arguments: object) -> T:
        assert self._hand is not None
        return await asyncio.get_running_loop().run_in_executor(self._hand, work, *arguments)


def _jpeg(part: Picture) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(part[..., 2::-1]).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _hash(part: Picture) -> ImageHash:
    import imagehash  # loads scipy

    return imagehash.phash(Image.fromarray(part[..., GREEN]))

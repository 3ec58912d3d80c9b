"""Drives a window of the user's own desktop, by keyboard and pictures alone.

A video is known by its picture, a move by its effect, and what was played by the clock. What cannot
be seen stays unknown.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING

from PIL import Image

from agent.drivers.base import ActiveVideo, Arrival, Box, Capture, PageEvent
from agent.drivers.desktop.player_confirmation import STILL
from agent.drivers.desktop.player_detection import Region
from agent.drivers.desktop.player_tracker import DISTURBED_OFTEN, TAKES, PlayerTracker
from agent.drivers.desktop.screen import Picture
from agent.drivers.desktop.screen_thread import GREEN, ScreenSession, Screenshot, ScreenTimeouts
from agent.drivers.desktop.window import PlainWindow
from agent.errors import ActionNotConfirmed, FrameChanged

if TYPE_CHECKING:
    from imagehash import ImageHash

JPEG_QUALITY = 85
SAME = 8
"""Bits of 64 by which two pictures of one video's beginning may differ."""
PAUSE = "space"
MOVES = (("down", "key:ArrowDown"), ("pagedown", "key:PageDown"))
NO_PAUSE = "the space bar does not pause this feed: it plays on while the model thinks"
NO_MOTION = "nothing was seen to move while the video should have played"


class DesktopDriver:
    """The feed in one window of this desktop: ours, or the user's own.

    What was played is wall time times ``speed``, the playback rate of the site.
    """

    def __init__(
        self,
        window: PlainWindow | None,
        speed: float = 1.0,
        limits: ScreenTimeouts | None = None,
        calibrated: Region | None = None,
    ) -> None:
        self.browser = "a window on the desktop"
        self.viewport = (0, 0)
        self._window = window
        self._speed = speed
        self._session = ScreenSession(limits or ScreenTimeouts())
        self._player = PlayerTracker(self._session, calibrated)
        self._known: list[tuple[ImageHash, str]] = []
        self._taken: Picture | None = None
        self._played = 0.0
        self._since: float | None = None
        """The clock since which the picture plays, or ``None`` where it is held."""
        self._pauses = True

    # Opening and closing

    async def start(self) -> None:
        await self.close()
        await self._session.take()
        self.viewport = self._session.screen.size
        if self._window is not None:
            await self._window.open()
        await self._player.find()

    async def open(self, url: str) -> ActiveVideo:
        if not self._session.taken:
            await self.start()
        called = perf_counter()
        search = self._player.search
        began, search.first_seen = search.first_seen or called, None
        while True:
            shown = await self._settle(began, began)
            if self._since is None or perf_counter() - called > self._session.limits.focus:
                break
        if self._since is not None:
            self._pauses = False
            self._session.note("hold", NO_PAUSE)
        return shown

    async def close(self) -> None:
        await self._session.close()
        self._player.forget()
        if self._window is not None:
            await self._window.close()

    # The step

    async def capture(self, shown: ActiveVideo, picture: int = 0) -> Capture:
        """Return the picture that was taken on arrival; once it was used, take another."""
        part, self._taken = self._taken, None
        retakes = 0
        while part is None:
            await self._keep_up()
            shot = await self._player.frame(held=self._since is None)
            part = None if shot is None else self._player.player.cut(shot.picture)
            retakes += 1
            if part is None and retakes == TAKES:
                raise FrameChanged(DISTURBED_OFTEN, video=shown.key)
        return Capture(await self._session.do(_jpeg, part), shown.time_s, retakes)

    async def watch(self, shown: ActiveVideo, seconds: float, *, then_hold: bool = False) -> float:
        """Let it play until the clock says that ``seconds`` were played in all."""
        if self._meter() >= seconds:
            return self._meter()
        await self._keep_up()
        if self._since is None:
            await self._session.press(PAUSE)
            self._since = perf_counter()
        first = await self._session.shot()
        moved = 0.0
        while (left := (seconds - self._meter()) / self._speed) > 0:
            await asyncio.sleep(min(left, self._session.limits.quiet))
            moved = max(moved, self._player.difference(first, await self._session.shot()))
        if moved <= STILL:
            self._session.note("hold", NO_MOTION)
        if then_hold:
            await self._keep_up()
            await self._hold()
        return self._meter()

    async def like(self) -> bool:
        """Like nothing: a like could not be confirmed by pictures of an unknown page."""
        return False

    async def next(self, shown: ActiveVideo) -> Arrival:
        """Stop the video, press once, and see another one come to rest in its place.

        A player that cannot be held changes by itself; there the feed is seen to move by what it
        pushes over the player's upper and lower edge.
        """
        session, player = self._session, self._player
        await self._keep_up()
        if self._since is not None:
            await self._hold()
        before = await session.shot()
        see = player.difference if self._since is None else player.pushed
        for attempt, (key, action) in enumerate(MOVES, 1):
            left = self._meter()
            pressed = perf_counter()
            await session.press(key)
            changed = await player.changes(before, see)
            astray = changed is None and self._since is None
            if changed is not None or (astray and await player.changed_elsewhere(before)):
                arrived = await self._settle(pressed, changed or pressed, before)
                if arrived.key != shown.key:
                    return Arrival(action, attempt, left, arrived)
        raise ActionNotConfirmed(
            f"{len(MOVES)} keys did not move the feed on from {shown.key}", video=shown.key
        )

    async def picture(self) -> bytes:
        return await self._session.do(_png, (await self._session.shot()).picture)

    async def count(self, selectors: Sequence[str]) -> list[int]:
        return [0 for _ in selectors]

    async def until_clear(self) -> None:
        """Know no walls: what stands before a feed is a video that does not move."""

    def events(self) -> list[PageEvent]:
        return self._session.events()

    # Arriving at a video, and holding it

    async def _settle(
        self, pressed: float, began: float, before: Screenshot | None = None
    ) -> ActiveVideo:
        """See the new video come to rest and move, take its picture, and hold it.

        ``pressed`` and ``began`` are clocks: of the key, and of the first sight of the new video.
        """
        self._played, self._since = 0.0, began
        rested = pressed if before is None else await self._player.rests(before)
        moved, taken = await self._player.arrive()
        player = self._player.player
        self._taken = player.cut(taken.picture)
        digest = await self._session.do(_hash, self._taken)
        await self._hold()
        return ActiveVideo(
            key=self._name(digest),
            id=None,
            id_source=None,
            url="",
            box=Box(player.left, player.top, player.width, player.height),
            time_s=(taken.at - began) * self._speed,
            duration_s=None,
            exposure_s=self._meter(),
            shown=moved,
            has_video=True,
            ad=None,
            live=None,
            fields={},
            moved=None,
            animation_ms=(rested - pressed) * 1000,
            held=self._since is None,
        )

    async def _keep_up(self) -> None:
        """Follow the player's window. A resized one plays, which counts, until it is found."""
        await self._player.clear()
        if await self._player.follow():
            return
        held = self._since is None
        if held:
            await self._session.press(PAUSE)
            self._since = perf_counter()
        await self._player.find_resized()
        await self._player.clear()
        if held:
            await self._hold()

    async def _hold(self) -> None:
        """Pause by keyboard and see it. Two presses that show nothing leave all as it was."""
        if not self._pauses or self._since is None:
            return
        for _ in range(2):
            await self._session.press(PAUSE)
            stopped = await self._player.stands()
            if stopped is not None:
                self._played += (stopped - self._since) * self._speed
                self._since = None
                return

    def _meter(self) -> float:
        """Seconds of the video played so far, by the clock."""
        running = 0.0 if self._since is None else perf_counter() - self._since
        return self._played + running * self._speed

    def _name(self, digest: ImageHash) -> str:
        for known, name in self._known:
            if known - digest <= SAME:
                return name
        self._known.append((digest, f"picture:{digest}"))
        return self._known[-1][1]


def _jpeg(part: Picture) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(part[..., 2::-1]).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def _png(screen: Picture) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(screen[..., 2::-1]).save(buffer, "PNG")
    return buffer.getvalue()


def _hash(part: Picture) -> ImageHash:
    import imagehash  # loads scipy

    return imagehash.phash(Image.fromarray(part[..., GREEN]))

"""Shows the user what the desktop driver sees, and takes the player from the pointer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from PIL import Image, ImageDraw

from agent.drivers.desktop.player_detection import Region
from agent.drivers.desktop.player_tracker import NOT_FOUND, PlayerTracker
from agent.drivers.desktop.screen_thread import ScreenSession, ScreenTimeouts
from agent.errors import BadConfig
from store.jsonl.atomic import write_whole

__all__ = ["NOT_FOUND", "WindowFindings", "examine_screen", "read_calibration"]

FILE = "desktop.json"
PICTURE = "desktop.png"
REST_S = 2.0
"""A pointer that rests so long points at something."""
POINT_S = 120.0
LIMITS = ScreenTimeouts(find=8.0)
CORNERS = ("upper left", "lower right")


@dataclass(frozen=True)
class WindowFindings:
    """What the driver would work with."""

    size: tuple[int, int]
    hears_esc: bool
    player: Region | None
    picture: Path
    """The screen, with the player drawn in it."""


def read_calibration(folder: Path) -> Region | None:
    """Return the player that the user once showed; a damaged file counts as none."""
    try:
        edges = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Region(**{name: int(edges[name]) for name in Region.__dataclass_fields__})
    except (OSError, ValueError, KeyError, TypeError):
        return None


async def examine_screen(
    folder: Path, tell: Callable[[str], None], *, calibrate: bool
) -> WindowFindings:
    """Look for the player and draw it into ``folder``. ``tell`` gets what the user shall do.

    ``calibrate`` has the user show the player, and remembers it. Raises ``BadConfig`` where the
    screen cannot be used, or the pointer never rests.
    """
    session = ScreenSession(LIMITS)
    try:
        await session.take()
        player = (
            await _shown(session, tell)
            if calibrate
            else await _found(session, read_calibration(folder))
        )
        path = folder / PICTURE
        await _draw(session, player, path)
        if calibrate and player is not None:
            write_whole(folder / FILE, json.dumps(asdict(player)).encode())
        return WindowFindings(session.screen.size, session.screen.hears_esc, player, path)
    finally:
        await session.close()


async def _found(session: ScreenSession, calibrated: Region | None) -> Region | None:
    try:
        return await PlayerTracker(session, calibrated).find()
    except BadConfig:
        return None  # the picture is drawn without a box, and the check says what to do


async def _shown(session: ScreenSession, tell: Callable[[str], None]) -> Region:
    places: list[tuple[int, int]] = []
    for corner in CORNERS:
        tell(f"Rest the pointer on the {corner} corner of the video for {REST_S:.0f} seconds.")
        places.append(await _resting(session, avoid=places))
    (left, top), (right, bottom) = places
    return Region(left, top, right, bottom)


async def _resting(session: ScreenSession, avoid: list[tuple[int, int]]) -> tuple[int, int]:
    end = perf_counter() + POINT_S
    place, since = await session.do(session.screen.pointer), perf_counter()
    while perf_counter() < end:
        await asyncio.sleep(LIMITS.poll)
        now = await session.do(session.screen.pointer)
        if now != place:
            place, since = now, perf_counter()
        elif place not in avoid and perf_counter() - since > REST_S:
            return place
    raise BadConfig(
        f"The pointer did not rest within {POINT_S:.0f} s. "
        "Type: python -m agent doctor --driver desktop --calibrate"
    )


async def _draw(session: ScreenSession, player: Region | None, path: Path) -> None:
    image = Image.fromarray((await session.shot()).picture[..., 2::-1])
    if player is not None:
        box = (player.left - 2, player.top - 2, player.right + 1, player.bottom + 1)
        ImageDraw.Draw(image).rectangle(box, outline=(255, 0, 80), width=3)
    image.save(path)

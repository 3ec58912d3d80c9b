"""Drawn scenes for what no footage shows: icons that float before a coloured sky.

Refuses to know captions and encoders. All motion repeats exactly after one turn, so that a scene
loops without a seam.
"""

from __future__ import annotations

from functools import lru_cache
from math import cos, pi, sin

from PIL import Image

from agent.playground.catalogue import DATA
from store.foreign.limits import open_picture

SIZE = (360, 640)

_SKIES = (
    ((255, 183, 120), (214, 76, 110)),
    ((126, 200, 255), (70, 92, 200)),
    ((255, 226, 140), (240, 140, 80)),
    ((160, 230, 190), (40, 130, 140)),
    ((226, 180, 255), (110, 80, 190)),
    ((255, 200, 205), (200, 90, 140)),
)
_HERO = (180, 345, 216)  # centre x, centre y, size
_PLACES = ((72, 235, 84), (292, 228, 92), (62, 448, 96), (300, 452, 88), (180, 505, 72))


def draw_scene(icons: tuple[str, ...], look: int, turn: float) -> Image.Image:
    """Draw one frame.

    Parameters
    ----------
    icons
        Names of icons; the first is the large one.
    look
        Any non-negative integer: which sky, and how the small icons are placed.
    turn
        Phase of the loop, 0 to 1.
    """
    frame = _sky(look % len(_SKIES)).copy()
    small = icons[1:] or icons
    for place, (x, y, size) in enumerate(_PLACES):
        icon = _icon(small[(place + look) % len(small)], size)
        phase = 2 * pi * (turn + place / len(_PLACES))
        _paste(frame, icon, x + 9 * cos(phase), y + 12 * sin(phase))
    x, y, size = _HERO
    _paste(frame, _icon(icons[0], size), x, y + 8 * sin(2 * pi * turn))
    return frame


def _paste(frame: Image.Image, icon: Image.Image, x: float, y: float) -> None:
    corner = (round(x - icon.width / 2), round(y - icon.height / 2))
    frame.paste(icon, corner, icon)


@lru_cache(maxsize=64)
def _icon(name: str, size: int) -> Image.Image:
    with open_picture(DATA / "icons" / f"{name}.webp") as icon:
        return icon.convert("RGBA").resize((size, size), Image.Resampling.LANCZOS)


@lru_cache(maxsize=len(_SKIES))
def _sky(number: int) -> Image.Image:
    top, bottom = _SKIES[number]
    strip = Image.new("RGB", (1, 2))
    strip.putpixel((0, 0), top)
    strip.putpixel((0, 1), bottom)
    return strip.resize(SIZE, Image.Resampling.BILINEAR)

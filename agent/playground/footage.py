"""Pictures that clips are made from: films and stills of packages, and drawn scenes.

The packages that carry footage are only looked up, never imported.
"""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi, sin
from pathlib import Path
from typing import Literal

from PIL import Image, ImageSequence

from agent.playground.catalogue import DATA
from agent.playground.errors import FootageMissing
from store.untrusted.size_limits import open_picture

Layout = Literal["fill", "fit", "both", "scene"]

_PACKAGES = {
    "comfyui-video": (
        "comfyui_workflow_templates_media_video",
        "templates",
        "comfyui-workflow-templates-media-video==0.3.101",
    ),
    "comfyui-assets-01": (
        "comfyui_workflow_templates_media_assets_01",
        "templates",
        "comfyui-workflow-templates-media-assets-01==0.1.48",
    ),
    "skimage": ("skimage", "data", "scikit-image"),
}
_MOST_PIXELS = 720  # longer sides are reduced: a clip is 360 x 640
_SCENE_SIZE = (360, 640)
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


@dataclass(frozen=True)
class Footage:
    """One source of pictures and how it may be cut."""

    name: str
    source: str
    """``<package>/<file>``, ``stills/<file>``, ``scene/<icon>+<icon>...``, or an absolute path."""
    layout: Layout = "both"
    """``fill`` crops to 9:16, ``fit`` shows the whole picture over a soft backdrop."""
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    """Left, top, right, bottom of the usable part, as fractions."""
    focus: float = 0.5
    """Horizontal centre of the crop, as a fraction of the box."""
    span: tuple[float, float] = (0.0, 1.0)
    """First and last moment to use, as fractions of the length."""


@dataclass(frozen=True)
class Film:
    """Decoded frames, already cut to the usable part; a still has one."""

    frames: tuple[Image.Image, ...]
    fps: float

    def at(self, seconds: float, loop_s: float) -> Image.Image:
        """Frame at a time; a film shorter than the loop plays forwards and then backwards."""
        count = len(self.frames)
        position = int(seconds * self.fps)
        if count / self.fps >= loop_s:
            return self.frames[position % count]
        position %= max(1, 2 * count - 2)
        return self.frames[position if position < count else 2 * count - 2 - position]


@lru_cache(maxsize=1)
def load_footage() -> dict[str, Footage]:
    """Read what is known of the shipped footage, by name."""
    with (DATA / "footage.csv").open(encoding="utf-8", newline="") as file:
        return {row["footage"]: _footage(row) for row in csv.DictReader(file)}


def locate_footage(source: str) -> Path:
    """Find a source's file, or raise ``FootageMissing``; nothing is imported for it."""
    folder, _, name = source.partition("/")
    if folder not in _PACKAGES:
        return DATA / source  # an absolute path stays what it is
    module, inside, package = _PACKAGES[folder]
    spec = importlib.util.find_spec(module)
    for place in (spec.submodule_search_locations or []) if spec else []:
        path = Path(place) / inside / name
        if path.is_file():
            return path
    raise FootageMissing(source, package)


def check_footage(names: Iterable[str]) -> None:
    """Raise ``FootageMissing`` where a package that carries one of these is not installed."""
    for name in names:
        footage = load_footage().get(name)
        if footage is not None and footage.layout != "scene":
            locate_footage(footage.source)


def decode_film(footage: Footage) -> Film:
    with open_picture(locate_footage(footage.source)) as picture:
        pages, seconds = [], 0.0
        for page in ImageSequence.Iterator(picture):
            pages.append(_cut(page.convert("RGB"), footage.box))
            seconds += page.info.get("duration", 0) / 1000
    fps = len(pages) / seconds if len(pages) > 1 and seconds else 1.0
    first = round(footage.span[0] * len(pages))
    last = max(first + 1, round(footage.span[1] * len(pages)))
    return Film(tuple(pages[first:last]), fps)


def _cut(page: Image.Image, box: tuple[float, float, float, float]) -> Image.Image:
    width, height = page.size
    cut = page.crop(
        (
            round(box[0] * width),
            round(box[1] * height),
            round(box[2] * width),
            round(box[3] * height),
        )
    )
    if max(cut.size) > _MOST_PIXELS:
        cut.thumbnail((_MOST_PIXELS, _MOST_PIXELS), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return cut


def _numbers(text: str) -> list[float]:
    return [float(word) for word in text.split()]


def _footage(row: dict[str, str]) -> Footage:
    left, top, right, bottom = _numbers(row["box"])
    first, last = _numbers(row["span"])
    layout = row["layout"]
    assert layout in {"fill", "fit", "both", "scene"}, f"footage {row['footage']}: {layout}"
    return Footage(
        name=row["footage"],
        source=row["source"],
        layout=layout,  # type: ignore[arg-type]  # asserted above
        box=(left, top, right, bottom),
        focus=float(row["focus"]),
        span=(first, last),
    )


def draw_scene(icons: tuple[str, ...], look: int, turn: float) -> Image.Image:
    """Draw one frame of a scene: icons that float before a coloured sky.

    Parameters
    ----------
    icons
        The first is the large one.
    look
        Any non-negative integer: which sky, and how the small icons are placed.
    turn
        Phase of the loop, 0 to 1; the scene repeats without a seam.
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
    frame.paste(icon, (round(x - icon.width / 2), round(y - icon.height / 2)), icon)


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
    return strip.resize(_SCENE_SIZE, Image.Resampling.BILINEAR)

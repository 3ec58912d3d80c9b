"""Moving and still pictures that clips are made from: where they lie, and their frames.

The packages that carry them are only looked up, never imported. Refuses to know items, captions
and encoders.
"""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from PIL import Image, ImageSequence

from agent.playground.catalogue import DATA
from agent.playground.errors import FootageMissing
from store.foreign.limits import open_picture

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
def table() -> dict[str, Footage]:
    """Read the footage that ships with the site, by name."""
    with (DATA / "footage.csv").open(encoding="utf-8", newline="") as file:
        return {row["footage"]: _footage(row) for row in csv.DictReader(file)}


def locate(source: str) -> Path:
    """Find a source's file without importing the package that carries it.

    Raises
    ------
    FootageMissing
        The package is not installed or lacks the file.
    """
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


def check(names: Iterable[str]) -> None:
    """See that the shipped footage of these names is there.

    Raises
    ------
    FootageMissing
        A package that carries footage is not installed.
    """
    for name in names:
        footage = table().get(name)
        if footage is not None and footage.layout != "scene":
            locate(footage.source)


def film(footage: Footage) -> Film:
    """Decode a footage's frames."""
    with open_picture(locate(footage.source)) as picture:
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

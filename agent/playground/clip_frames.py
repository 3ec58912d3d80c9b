"""The frames of one clip: footage cut tall that drifts, a title, and the mark.

All motion repeats exactly after one loop.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import cos, pi, sin

from PIL import Image, ImageEnhance

from agent.playground.catalogue import CatalogueItem
from agent.playground.fiducial_marker import draw_mark, mark_corner, round_corners
from agent.playground.footage import Film, Footage, draw_scene
from agent.playground.titles import STYLES, cut_headline, draw_title, typeset_title

SIZE = WIDTH, HEIGHT = 360, 640
FPS = 12
LOOPS_AT = 6.5  # clips longer than this many seconds show their loop three times, others twice

_TITLE_TOP = 42
_TITLE_BOTTOM = 512  # of a low title: above the site's own caption
_FIT_MIDDLE = 338  # where a whole picture is centred: below the title, above the site's caption


@dataclass(frozen=True)
class Grade:
    """How colours are changed; 1 leaves each as it is."""

    brightness: float
    contrast: float
    saturation: float
    warmth: float
    """Of red against blue."""

    def apply(self, picture: Image.Image) -> Image.Image:
        picture = ImageEnhance.Color(picture).enhance(self.saturation)
        middle = 128 * (1 - self.contrast)
        scales = (self.warmth, 1.0, 1 / self.warmth)
        table = [
            min(255, max(0, round((value * self.contrast + middle) * self.brightness * scale)))
            for scale in scales
            for value in range(256)
        ]
        return picture.point(table)


@dataclass(frozen=True)
class Variation:
    """How the picture of a variation differs from the footage's own."""

    grade: Grade
    zoom: float
    """How much closer the picture is."""
    aim: tuple[float, float]
    """Where the closer picture is cut from: 0 for left and top, 1 for right and bottom."""


@dataclass(frozen=True)
class ClipRecipe:
    """Everything that decides how a clip looks; equal recipes give equal clips."""

    footage: Footage
    layout: str
    """``fill``, ``fit`` or ``scene``."""
    mirror: bool
    drift: int
    """0 and 1 zoom in and out, 2 and 3 wander left and right."""
    start_s: float
    frames: int
    """In one loop."""
    loops: int
    title: str
    style: str
    accent: int
    low: bool
    """Whether the title stands low, where it leaves heads free."""
    number: int
    variation: Variation | None = None
    """``None``: cut and coloured as its footage is."""


def recipe_for(item: CatalogueItem, footage: Footage) -> ClipRecipe:
    """Decide how an item's clip looks: items that share footage are cut differently."""
    loops = 2 if item.seconds < LOOPS_AT else 3
    first: str = "fit" if item.number % 2 else "fill"
    other = {"fit": "fill", "fill": "fit"}[first]
    both = footage.layout == "both"
    layout = (first, other, first)[item.take % 3] if both else footage.layout
    return ClipRecipe(
        footage=footage,
        layout=layout,
        mirror=item.take % 3 == 2 if both else item.take % 2 == 1,
        drift=(item.number + item.take) % 4,
        start_s=round(0.8 * item.take, 2),
        frames=round(item.seconds * FPS / loops),
        loops=loops,
        title=cut_headline(item.caption),
        style=STYLES[item.number % len(STYLES)],
        accent=item.number // len(STYLES),
        low=layout == "fill" and item.kind != "ad" and item.number // len(STYLES) % 2 == 0,
        number=item.number,
        variation=_variation(item, layout) if item.edition else None,
    )


def _variation(item: CatalogueItem, layout: str) -> Variation:
    drawn = [byte / 255 for byte in hashlib.sha256(item.id.encode()).digest()[:7]]
    grade = Grade(
        brightness=0.85 + 0.3 * drawn[0],
        contrast=0.85 + 0.3 * drawn[1],
        saturation=0.6 + 0.8 * drawn[2],
        warmth=0.92 + 0.16 * drawn[3],
    )
    most = 0.35 if layout == "fill" else 0.2
    return Variation(grade, zoom=1 + most * drawn[4], aim=(drawn[5], drawn[6]))


def compose_frames(recipe: ClipRecipe, film: Film | None) -> Iterator[Image.Image]:
    """Compose one loop, frame by frame. Scenes need no film."""
    title = typeset_title(recipe.title)
    mark = draw_mark(recipe.number)
    badge = round_corners(mark.size, 4)
    cards = lru_cache(maxsize=None)(
        lambda lit: draw_title(title, recipe.style, recipe.accent, lit)
    )  # a boxed title looks the same on every frame, a spoken one once per word
    background = _background(film, recipe) if film and recipe.layout == "fit" else None
    for number in range(recipe.frames):
        turn = number / recipe.frames
        if film is None:
            icons = tuple(recipe.footage.source.removeprefix("scene/").split("+"))
            frame = draw_scene(icons, recipe.accent + recipe.number, turn)
        else:
            frame = _picture(film, recipe, number, background)
        if recipe.variation is not None:
            frame = recipe.variation.grade.apply(frame)
        lit = int(turn * title.words) if recipe.style == "words" else 0
        card = cards(lit)
        sway = 0 if recipe.style == "words" else round(2 * sin(2 * pi * turn))
        top = _TITLE_BOTTOM - card.height if recipe.low else _TITLE_TOP
        frame.paste(card, (0, top + sway), card)
        frame.paste(mark, mark_corner(), badge)
        yield frame


def _picture(
    film: Film, recipe: ClipRecipe, number: int, background: Image.Image | None
) -> Image.Image:
    source = film.at(recipe.start_s + number / FPS, recipe.frames / FPS)
    still = len(film.frames) == 1
    turn = number / recipe.frames
    if background is None:
        window = _closer(_window(source.size, SIZE, recipe.footage.focus), recipe)
        picture = source.resize(
            SIZE, Image.Resampling.BILINEAR, box=_drifted(window, recipe.drift, turn, still)
        )
        return _mirrored(picture, recipe.mirror)
    height = min(WIDTH * source.height // source.width, HEIGHT)
    window = _closer(_window(source.size, (WIDTH, height), recipe.footage.focus), recipe)
    picture = source.resize(
        (WIDTH, height),
        Image.Resampling.BILINEAR,
        box=_drifted(window, recipe.drift, turn, still),
    )
    frame = background.copy()
    frame.paste(_mirrored(picture, recipe.mirror), (0, _FIT_MIDDLE - height // 2))
    return frame


def _mirrored(picture: Image.Image, mirror: bool) -> Image.Image:
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirror else picture


def _window(
    source: tuple[int, int], target: tuple[int, int], focus: float
) -> tuple[float, float, float, float]:
    """Largest box of the target's shape inside the source, centred on the focus."""
    scale = min(source[0] / target[0], source[1] / target[1])
    width, height = target[0] * scale, target[1] * scale
    left = min(max(0.0, focus * source[0] - width / 2), source[0] - width)
    top = (source[1] - height) / 2
    return left, top, left + width, top + height


def _closer(
    window: tuple[float, float, float, float], recipe: ClipRecipe
) -> tuple[float, float, float, float]:
    """Cut a smaller window out of a window."""
    if recipe.variation is None:
        return window
    left, top, right, bottom = window
    zoom, aim = recipe.variation.zoom, recipe.variation.aim
    width, height = (right - left) / zoom, (bottom - top) / zoom
    left += (right - left - width) * aim[0]
    top += (bottom - top - height) * aim[1]
    return left, top, left + width, top + height


def _drifted(
    window: tuple[float, float, float, float], drift: int, turn: float, still: bool
) -> tuple[float, float, float, float]:
    """Move a window inside itself, there and back: a zoom, or a walk to the side."""
    amount = 0.16 if still else 0.06
    there = (1 - cos(2 * pi * turn)) / 2
    left, top, right, bottom = window
    width, height = right - left, bottom - top
    if drift < 2:
        shrink = amount * (there if drift == 0 else 1 - there) / 2
        return (
            left + shrink * width,
            top + shrink * height,
            right - shrink * width,
            bottom - shrink * height,
        )
    step = amount * (there if drift == 2 else 1 - there)
    rise = amount / 2
    return (
        left + step * width,
        top + rise * height,
        right - (amount - step) * width,
        bottom - rise * height,
    )


def _background(film: Film, recipe: ClipRecipe) -> Image.Image:
    """A dim, soft copy of the picture that fills the clip behind the whole one."""
    middle = film.frames[len(film.frames) // 2]
    small = middle.resize(
        (14, 25), Image.Resampling.BOX, box=_window(middle.size, SIZE, recipe.footage.focus)
    )
    soft = small.resize(SIZE, Image.Resampling.BICUBIC)
    return ImageEnhance.Brightness(soft).enhance(0.55)

"""The title that a creator burns into a clip: large moving words near the top."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from PIL import Image, ImageDraw, ImageFont

WIDTH = 328  # room for text in a clip 360 pixels wide
STYLES: Final = ("words", "paper", "night", "accent")

_ACCENTS = ((255, 214, 10), (64, 224, 208), (255, 105, 140), (150, 220, 90), (120, 170, 255))
_WHITE, _BLACK = (255, 255, 255), (12, 12, 16)
_SIZES = (34, 31, 28, 25, 22)
_MOST_LINES = 3


@dataclass(frozen=True)
class Title:
    """Words broken into lines that fit."""

    lines: tuple[tuple[str, ...], ...]
    size: int

    @property
    def words(self) -> int:
        return sum(len(line) for line in self.lines)


def cut_headline(caption: str) -> str:
    """Cut a caption to its first sentence of three words or more."""
    for end in re.finditer(r"[.?!:](?= )", caption):
        first = caption[: end.start() + (caption[end.start()] in "?!")]
        if len(first.split()) >= 3:
            return first
    return caption


def typeset_title(text: str) -> Title:
    """Break text into at most three lines, as large as fits."""
    for size in _SIZES:
        lines = _wrap(text.split(), size)
        if len(lines) <= _MOST_LINES and all(_width(line, size) <= WIDTH for line in lines):
            break
    return Title(tuple(tuple(line) for line in lines), size)


def draw_title(title: Title, style: str, accent: int, lit: int) -> Image.Image:
    """Draw a title on a transparent card of the clip's width.

    Parameters
    ----------
    style
        One of ``STYLES``.
    accent
        Number of the accent colour, any non-negative integer.
    lit
        Which word is spoken now; only the style ``words`` shows it.
    """
    step = round(title.size * 1.32)
    card = Image.new("RGBA", (360, step * len(title.lines) + 16), (0, 0, 0, 0))
    draw = ImageDraw.Draw(card)
    colour = _ACCENTS[accent % len(_ACCENTS)]
    done = 0
    for row, line in enumerate(title.lines):
        top = 8 + row * step
        if style == "words":
            _spoken_line(draw, line, (top, title.size), colour, lit - done)
        else:
            _boxed_line(draw, " ".join(line), (top, step, title.size), _box_colours(style, colour))
        done += len(line)
    return card


def _box_colours(style: str, accent: tuple[int, int, int]) -> tuple[tuple[int, ...], ...]:
    return {
        "paper": (_WHITE, _BLACK),
        "night": ((*_BLACK, 205), _WHITE),
        "accent": (accent, _BLACK),
    }[style]


def _boxed_line(
    draw: ImageDraw.ImageDraw,
    text: str,
    place: tuple[int, int, int],
    colours: tuple[tuple[int, ...], ...],
) -> None:
    top, step, size = place
    box, ink = colours
    half = draw.textlength(text, font=_font(size)) / 2 + 9
    draw.rounded_rectangle((180 - half, top, 180 + half, top + step), 7, fill=box)
    _bold(draw, (180, top + step // 2), text, size, ink)


def _spoken_line(
    draw: ImageDraw.ImageDraw,
    line: tuple[str, ...],
    place: tuple[int, int],
    accent: tuple[int, int, int],
    lit: int,
) -> None:
    top, size = place
    x = 180 - _width(list(line), size) / 2
    for number, word in enumerate(line):
        width = draw.textlength(word, font=_font(size))
        middle = (x + width / 2, top + size * 0.66)
        draw.text(middle, word, _BLACK, _font(size), "mm", stroke_width=4, stroke_fill=_BLACK)
        _bold(draw, middle, word, size, accent if number == lit else _WHITE)
        x += width + draw.textlength(" ", font=_font(size))


def _bold(
    draw: ImageDraw.ImageDraw,
    middle: tuple[float, float],
    text: str,
    size: int,
    ink: tuple[int, ...],
) -> None:
    # the font that ships with Pillow has one weight: a thin stroke in the same colour makes it bold
    draw.text(middle, text, ink, _font(size), "mm", stroke_width=0.8, stroke_fill=ink)


def _wrap(words: list[str], size: int) -> list[list[str]]:
    """Break greedily, then again at the narrowest width that keeps the number of lines."""
    lines = _greedy(words, size, WIDTH)
    for width in range(WIDTH - 12, 80, -12):
        narrower = _greedy(words, size, width)
        if len(narrower) > len(lines):
            break
        lines = narrower
    return lines


def _greedy(words: list[str], size: int, width: int) -> list[list[str]]:
    lines: list[list[str]] = [[]]
    for word in words:
        if lines[-1] and _width([*lines[-1], word], size) > width:
            lines.append([])
        lines[-1].append(word)
    return lines


def _width(words: list[str], size: int) -> float:
    return _font(size).getlength(" ".join(words))


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return font

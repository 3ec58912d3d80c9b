"""A small pattern in the corner of each clip that says which item it is.

Two rows of fourteen cells, six pixels each at 360 x 640. The outer columns are fixed (light over
dark at the left, dark over light at the right); the 24 cells between them hold the item's number
in thirteen bits and a checksum of it in eleven. Large, hard-edged, grey cells survive VP9 and JPEG.
"""

from __future__ import annotations

import zlib
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

WIDTH = 360  # of the picture that all sizes below refer to
CELL = 6
COLUMNS = 14
LEFT = TOP = 14
BITS = 13
CAPACITY = 1 << BITS

_WORD = 2 * (COLUMNS - 2)
_CHECK_BITS = _WORD - BITS
_LIGHT, _DARK, _PANEL = 238, 22, 34
_MARGIN = 4
_SHIFTS = sorted(product((0, -1, 1, -2, 2), repeat=2), key=lambda s: abs(s[0]) + abs(s[1]))
_LEAST_CONTRAST = 60.0


def draw_mark(number: int) -> Image.Image:
    """Draw the mark of an item on its panel, to be pasted at ``mark_corner()``."""
    width, height = COLUMNS * CELL + 2 * _MARGIN, 2 * CELL + 2 * _MARGIN
    panel = Image.new("L", (width, height), _PANEL)
    draw = ImageDraw.Draw(panel)
    for row, cells in enumerate(_cells(number)):
        for column, light in enumerate(cells):
            x, y = _MARGIN + column * CELL, _MARGIN + row * CELL
            draw.rectangle((x, y, x + CELL - 1, y + CELL - 1), _LIGHT if light else _DARK)
    return panel.convert("RGB")


def round_corners(size: tuple[int, int], radius: int) -> Image.Image:
    """Mask that takes the panel's corners off; the cells lie inside it."""
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), radius, 255)
    return mask


def mark_corner() -> tuple[int, int]:
    """Where the panel's upper left corner lies in a clip."""
    return LEFT - _MARGIN, TOP - _MARGIN


def read_mark(image: Image.Image) -> int | None:
    """Read the item's number; ``None`` where there is no mark whose checksum holds.

    Parameters
    ----------
    image
        The whole player region, of any size; an offset of up to two pixels is forgiven.
    """
    scale = image.width / WIDTH
    window = round((LEFT + COLUMNS * CELL + 8) * scale), round((TOP + 2 * CELL + 8) * scale)
    grey = np.asarray(image.crop((0, 0, *window)).convert("L"), dtype=np.float64)
    for dx, dy in _SHIFTS:
        number = _decode(_sample(grey, scale, dx, dy))
        if number is not None:
            return number
    return None


def _cells(number: int) -> list[list[bool]]:
    if not 0 <= number < CAPACITY:
        raise ValueError(f"A mark holds 0 to {CAPACITY - 1}, not {number}.")
    word = number << _CHECK_BITS | _checksum(number)
    bits = [bool(word >> bit & 1) for bit in reversed(range(_WORD))]
    return [[True, *bits[: _WORD // 2], False], [False, *bits[_WORD // 2 :], True]]


def _checksum(number: int) -> int:
    return zlib.crc32(number.to_bytes(2, "big")) % (1 << _CHECK_BITS)


def _sample(grey: NDArray[np.float64], scale: float, dx: int, dy: int) -> NDArray[np.float64]:
    """Mean brightness of the middle third of each cell, two rows by fourteen."""
    means = np.empty((2, COLUMNS))
    for row, column in product(range(2), range(COLUMNS)):
        x = (LEFT + (column + 1 / 3) * CELL) * scale + dx
        y = (TOP + (row + 1 / 3) * CELL) * scale + dy
        size = max(1, round(CELL * scale / 3))
        means[row, column] = _mean(grey, round(x), round(y), size)
    return means


def _mean(grey: NDArray[np.float64], x: int, y: int, size: int) -> float:
    patch = grey[max(0, y) : y + size, max(0, x) : x + size]
    return float(patch.mean()) if patch.size else 0.0


def _decode(means: NDArray[np.float64]) -> int | None:
    light = (means[0, 0] + means[1, -1]) / 2
    dark = (means[1, 0] + means[0, -1]) / 2
    if light - dark < _LEAST_CONTRAST:
        return None
    bits = means > (light + dark) / 2
    word = int(bits[:, 1:-1].ravel() @ (1 << np.arange(_WORD)[::-1]))
    number, check = divmod(word, 1 << _CHECK_BITS)
    return number if check == _checksum(number) else None

"""Finds the player in pictures of the whole screen.

A playing video moves; its player is the rectangle whose edges stand still around the movement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]

CELL = 8
STEP = 10
"""Levels (of 255) by which a pixel must differ to have changed."""
LEAST_SIDE = 100
LEAST_SHARE = 0.005
"""A player is at least this wide and high, and this share of the screen moves in it."""
JOIN = 3
"""Movements closer than twice this many cells belong to one picture."""
EDGE = 4
GAP = 32
"""An edge may be invisible over this many pixels: a dark video on a dark page."""
SNAP = 28
"""Rounded corners and shades hide the ends of the upright edges by up to this many pixels."""
TALL = 16 / 9
SLACK = 8
SHAPES = (0.4, 2.6)
"""Width by height: nothing narrower or wider than a phone's or a cinema's screen is a player."""
NEAR = 3
"""Pixels by which the width of a player may depart from its shape."""


@dataclass(frozen=True)
class Region:
    """A rectangle of the screen, in its own pixels; ``right`` and ``bottom`` lie outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    def cut(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return picture[self.top : self.bottom, self.left : self.right]

    def overlap(self, other: Region) -> float:
        """Shared area, as a share of the area that the two cover together."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        shared = max(0, width) * max(0, height)
        return shared / (self.width * self.height + other.width * other.height - shared)

    def fits(self, picture: Grey) -> bool:
        height, width = picture.shape
        inside = Region(0, 0, width, height).holds(self)
        return inside and self.width >= LEAST_SIDE and self.height >= LEAST_SIDE

    def holds(self, other: Region) -> bool:
        return (
            other.left >= self.left
            and other.top >= self.top
            and other.right <= self.right
            and other.bottom <= self.bottom
        )

    def meets(self, other: Region) -> bool:
        across = min(self.right, other.right) > max(self.left, other.left)
        return across and min(self.bottom, other.bottom) > max(self.top, other.top)

    def common(self, other: Region) -> Region:
        """Return what the two share; they have to meet."""
        return Region(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def moved(self, across: int, down: int) -> Region:
        return Region(self.left + across, self.top + down, self.right + across, self.bottom + down)

    def grown(self, pixels: int) -> Region:
        return Region(
            self.left - pixels, self.top - pixels, self.right + pixels, self.bottom + pixels
        )

    @property
    def shaped(self) -> bool:
        least, most = SHAPES
        return least <= self.width / self.height <= most

    def has_shape_of(self, other: Region) -> bool:
        return abs(self.width - self.height * other.width / other.height) <= NEAR

    def has_size_of(self, other: Region) -> bool:
        wider, higher = abs(self.width - other.width), abs(self.height - other.height)
        return wider <= SLACK and higher <= SLACK

    def cuts(self, other: Region) -> bool:
        """Whether the other lies partly within and partly, by more than a trace, without."""
        return not self.grown(SLACK).holds(other) and self.overlap(other) > 0


def find_changes(before: Grey, after: Grey) -> Mask:
    return np.asarray(np.maximum(before, after) - np.minimum(before, after) > STEP)


def measure_change(before: Grey, after: Grey) -> float:
    return float(find_changes(before, after).mean()) if before.size else 0.0


def find_motion(shots: Sequence[Grey]) -> Region | None:
    """Find the largest part that moves again and again: what appears does so once."""
    from scipy import ndimage  # loaded where it is used: it is heavy

    times = np.zeros(shots[0].shape, dtype=np.uint16)
    for before, after in pairwise(shots):
        times += find_changes(before, after)
    moved = times >= max(1, len(shots) // 3)
    cells = _cells(moved)
    around = np.ones((3, 3), dtype=bool)
    padded = ndimage.binary_closing(np.pad(cells, JOIN + 1), around, iterations=JOIN)
    labels, _ = ndimage.label(padded[JOIN + 1 : -JOIN - 1, JOIN + 1 : -JOIN - 1], around)
    best: tuple[int, Region] | None = None
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        weight = int((cells[rows, columns] & (labels[rows, columns] == number)).sum())
        if best is None or weight > best[0]:
            region = Region(
                columns.start * CELL, rows.start * CELL, columns.stop * CELL, rows.stop * CELL
            )
            best = weight, region
    if best is None or best[0] * CELL * CELL < LEAST_SHARE * moved.size:
        return None
    return _tight(moved, best[1])


def find_player(shots: Sequence[Grey]) -> Region | None:
    """Find the player around the largest movement; ``None`` where nothing moves enough.

    The upright edges are the nearest still lines that run along the movement. They reach from the
    top to the bottom of the player, where lines across close it. A side on which no edge shows is
    taken from the movement, or from the shape 9:16 where the rest comes near to it.
    """
    core = find_motion(shots)
    if core is None or core.width < LEAST_SIDE or core.height < LEAST_SIDE:
        return None
    upright, across = _edges(shots)
    left, right = _sides(upright, core)
    sides = [side for side in (left, right) if side is not None]
    wide = Region(
        left.at if left else core.left,
        min([core.top, *(side.start for side in sides)]),
        right.at if right else core.right,
        max([core.bottom, *(side.end for side in sides)]),
    )
    return _close(across, wide, len(upright))


def _cells(moved: Mask) -> Mask:
    height, width = (size // CELL for size in moved.shape)
    blocks = moved[: height * CELL, : width * CELL].reshape(height, CELL, width, CELL)
    return np.asarray(blocks.sum(axis=(1, 3)) >= 3)


def _tight(moved: Mask, region: Region) -> Region:
    part = region.cut(moved.view(np.uint8))
    columns = np.flatnonzero(part.sum(axis=0) >= 3)
    rows = np.flatnonzero(part.sum(axis=1) >= 3)
    return Region(
        region.left + int(columns[0]),
        region.top + int(rows[0]),
        region.left + int(columns[-1]) + 1,
        region.top + int(rows[-1]) + 1,
    )


def _edges(shots: Sequence[Grey]) -> tuple[Mask, Mask]:
    """Steps from a pixel to its neighbour (to the left, above) that half of the pictures show."""
    upright = np.zeros(shots[0].shape, dtype=np.uint16)
    across = upright.copy()
    for shot in shots:
        levels = shot.astype(np.int16)
        upright[:, 1:] += np.abs(np.diff(levels, axis=1)) >= EDGE
        across[1:] += np.abs(np.diff(levels, axis=0)) >= EDGE
    half = len(shots) / 2
    return upright >= half, across >= half


@dataclass(frozen=True)
class _Line:
    """An upright edge: its column, and the rows from ``start`` up to ``end``."""

    at: int
    start: int
    end: int

    def agrees(self, other: _Line) -> bool:
        shared = min(self.end, other.end) - max(self.start, other.start)
        return shared > 0.85 * (max(self.end, other.end) - min(self.start, other.start))


def _sides(upright: Mask, core: Region) -> tuple[_Line | None, _Line | None]:
    """The nearest upright edges to the left and right that reach from the same row to the same.

    Where no two do so, the nearest of each side that is nearly the longest there.
    """
    reach = core.width // 2
    columns = (
        range(core.left + 2, max(0, core.left - reach), -1),
        range(core.right - 2, min(upright.shape[1], core.right + reach)),
    )
    lefts, rights = (
        [line for line in (_longest(upright[:, at], at, core) for at in side) if line is not None]
        for side in columns
    )
    pairs = [
        (abs(left.at - core.left) + abs(right.at - core.right), left, right)
        for left in lefts
        for right in rights
        if left.agrees(right)
    ]
    if pairs:
        _, left, right = min(pairs, key=lambda pair: pair[0])
        return _sharpest(lefts, left), _sharpest(rights, right)
    return _nearest_long(lefts), _nearest_long(rights)


def _sharpest(lines: list[_Line], chosen: _Line) -> _Line:
    """The longest of the lines beside the chosen one: an edge may be soft."""
    beside = [line for line in lines if abs(line.at - chosen.at) <= 3]
    return max(beside, key=lambda line: line.end - line.start)


def _nearest_long(lines: list[_Line]) -> _Line | None:
    longest = max((line.end - line.start for line in lines), default=0)
    return next((line for line in lines if line.end - line.start >= 0.8 * longest), None)


def _longest(column: Mask, at: int, core: Region) -> _Line | None:
    """Longest stretch of edge in a column, gaps included, along most of the movement."""
    rows = np.flatnonzero(column)
    best: _Line | None = None
    least = core.height // 2
    for stretch in np.split(rows, np.flatnonzero(np.diff(rows) > GAP) + 1):
        if not stretch.size:
            continue
        start, end = int(stretch[0]), int(stretch[-1]) + 1
        passes = end > core.top and start < core.bottom
        if passes and stretch.size > (end - start) / 2 and end - start > least:
            best, least = _Line(at, start, end), end - start
    return best


def _close(across: Mask, wide: Region, screen_height: int) -> Region:
    """Move the upper and lower side to the edges there: those that make it 9:16, or the nearest."""
    levels = across[:, wide.left : wide.right].mean(axis=1)
    tall = round(wide.width * TALL)
    slack = max(2, round(tall * 0.01))
    tops = _rows(levels, wide.top - SNAP, wide.top + 4, 0.5)[::-1]
    bottoms = _rows(levels, wide.bottom - 4, wide.bottom + SNAP, 0.5)
    shaped = [(t, b) for t in tops for b in bottoms if abs(b - t - tall) <= slack]
    if shaped:
        top, bottom = min(shaped, key=lambda pair: abs(pair[1] - pair[0] - tall))
    elif partners := _partners(levels, wide, tops, bottoms):
        top, bottom = max(partners, key=lambda pair: levels[pair[0]] + levels[pair[1]])
    elif tops or bottoms:
        # a progress bar runs along the edge, so the last of the rows close to the nearest one
        below = [row for row in bottoms if row <= bottoms[0] + SLACK]
        top = tops[0] if tops else _fitting(levels, below[-1], -tall, wide)
        bottom = below[-1] if below else _fitting(levels, top, tall, wide)
    else:
        top, bottom = wide.top, wide.bottom
    return Region(wide.left, max(0, top), wide.right, min(bottom, screen_height))


def _partners(
    levels: NDArray[np.float64], wide: Region, tops: list[int], bottoms: list[int]
) -> list[tuple[int, int]]:
    """Upper and lower sides that make it 9:16, one of which is fainter or further off.

    A dark video on a dark page hides its edge, and words in it look like one. What is seen is
    believed where it is far from that shape.
    """
    tall = round(wide.width * TALL)
    slack = max(2, round(tall * 0.01))
    if not tops or not bottoms or bottoms[0] - tops[0] < 0.75 * tall:
        return []

    def near(row: int) -> list[int]:
        return _rows(levels, row - slack, row + slack, 0.2)

    pairs = [(t, b) for t in tops for b in near(t + tall)]
    pairs += [(t, b) for b in bottoms for t in near(b - tall)]
    return [(t, b) for t, b in pairs if t <= wide.top + 4 and b >= wide.bottom - 4]


def _rows(levels: NDArray[np.float64], first: int, last: int, least: float) -> list[int]:
    """Rows from ``first`` to ``last`` that are an edge over at least this share of the width."""
    first = max(1, first)
    return [first + int(row) for row in np.flatnonzero(levels[first : last + 1] >= least)]


def _fitting(levels: NDArray[np.float64], other: int, tall: int, wide: Region) -> int:
    """The side that does not show: where 9:16 puts it, if what is known comes near to that."""
    bound = wide.top if tall < 0 else wide.bottom
    slack = round(abs(tall) * 0.02)
    faint = _rows(levels, other + tall - slack, other + tall + slack, 0.2)
    if faint:
        return min(faint, key=lambda row: abs(row - other - tall))
    near = 0.75 * abs(tall) <= abs(bound - other) <= abs(tall)
    return other + tall if near else bound

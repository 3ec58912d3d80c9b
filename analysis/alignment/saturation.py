"""How many pairs are enough: a learning curve with its band, and the size where it levels off.

**Plateau**: mean score of the two largest sizes. **Saturation size**: the smallest size from which
on every size below these two scores within a stated margin of the plateau; where not even the size
next to them does, the plateau was *not reached* on this ladder.

**Its interval** comes from testing the rungs in order, so that no test needs an adjustment
(Marcus, Peritz and Gabriel, Biometrika 1976). From the smallest size upwards: a rung is left out
as long as its gap to the plateau is beyond the margin at 5 %, one-sided. From the largest
downwards: a rung is taken as saturated as long as its gap is within the margin at 5 %. The lower
end errs only if the test of the saturation size itself does, the upper end only if that of the
rung below it does; no shape of the curve is assumed. Both at once are possible only where these two
rungs straddle the margin by less than the noise (``docs/alignment.md`` has the coverage).

Trainings and held-out videos are crossed samples, and ``intervals.crossed`` speaks for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.estimate import NAN, Estimate
from analysis.statistics.intervals import crossed

Floats = NDArray[np.float64]

PLATEAU = 2  # sizes whose mean is the plateau
MARGIN = 5.0  # points of 100
SCALE = (0.0, 100.0)
_ONE_SIDED = 0.90  # level of the two-sided interval whose ends are one-sided bounds at 5 %


@dataclass(frozen=True)
class Saturation:
    """Where a curve levels off.

    ``size``, ``low``, ``high``: sizes of the ladder; ``None`` means that the plateau was not
    reached, and stands above every size.
    ``plateau``, ``gain``: mean score of the largest sizes, and how far it is above the score
    without training.
    """

    margin: float
    plateau: Estimate
    gain: Estimate
    size: int | None = None
    low: int | None = None
    high: int | None = None
    steps: int = 0  # rungs of the ladder from ``low`` to ``high``: 0 where one size is left
    reason: str = ""  # why there is no interval (or nothing at all), else empty


def learning_curve(scores: Floats, scale: tuple[float, float] = SCALE) -> list[Estimate]:
    """Mean score of each size with its 95 % interval, cut where the scale ends.

    ``scores``: shape ``(sizes, trainings, videos)``, without nan. A size that needs no training
    holds the same numbers for each.
    """
    return [_cut(crossed(size, unit="points"), scale) for size in scores]


def saturation(sizes: Sequence[int], scores: Floats, margin: float = MARGIN) -> Saturation:
    """Find the saturation size and its interval; ``margin`` in points of 100.

    ``sizes``: in rising order, at least three. ``scores``: as in ``learning_curve``.
    """
    nothing = Estimate(NAN, unit="points")
    if not scores.size:
        return Saturation(margin, nothing, nothing, reason="no video has all its scores")
    if len(sizes) <= PLATEAU:
        few = f"a ladder of {len(sizes)} sizes has no rung below its plateau"
        return Saturation(margin, nothing, nothing, reason=few)
    top = scores[-PLATEAU:].mean(0)
    rungs: list[int | None] = [*sizes[:-PLATEAU], None]
    found = Saturation(
        margin,
        _cut(crossed(top, unit="points"), SCALE),
        crossed(top - scores[0], unit="points"),
        rungs[step(scores.mean((1, 2)), margin)],
    )
    told = _limits(top - scores[:-PLATEAU], margin)
    if isinstance(told, str):
        return replace(found, reason=told)
    low, high = told
    return replace(found, low=rungs[low], high=rungs[high], steps=high - low)


def step(curve: Floats, margin: float) -> int:
    """Rung at which a known curve is saturated; the number of candidates where it never is."""
    within = curve[-PLATEAU:].mean() - curve[:-PLATEAU] <= margin
    outside = np.flatnonzero(~within)
    return int(outside[-1]) + 1 if len(outside) else 0


def _cut(one: Estimate, scale: tuple[float, float]) -> Estimate:
    low, high = (float(np.clip(end, *scale)) for end in (one.low, one.high))
    return replace(one, low=low, high=high)


def _limits(gaps: Floats, margin: float) -> tuple[int, int] | str:
    """Ends of the interval as places on the ladder, or the reason why there are none."""
    if min(gaps.shape[1:]) < 2:
        return "one training, or one held-out video, has no spread"
    bounds = [_bounds(gap) for gap in gaps]
    low, high = 0, len(gaps)
    while low < len(gaps) and bounds[low][0] > margin:
        low += 1
    while high and bounds[high - 1][1] <= margin:
        high -= 1
    return low, high


def _bounds(gap: Floats) -> tuple[float, float]:
    """One-sided bounds of a mean gap, shape ``(trainings, videos)``.

    Where no video differs from any other, at most a share ``p`` of all would, by the exact binomial
    bound for as many videos, and by no more than the whole scale.
    """
    told = crossed(gap, unit="points", level=_ONE_SIDED)
    if told.bounded:
        return told.low, told.high
    half = 100 * (1 - ((1 - _ONE_SIDED) / 2) ** (1 / gap.shape[1]))
    return told.value - half, told.value + half

"""What the sway looks like when nothing happens: the runs' own null.

Each run keeps its own base rate, its own windows and its own batches, with the batch correlation of
all runs together, as in ``null_iavg`` for I_avg. It says how far chance alone would take a study of
these sizes; what accounts do differently from each other on top of that is in the interval over
runs, not in here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.estimate import NAN
from analysis.statistics.intraclass import draw_yes
from analysis.statistics.null_iavg import WindowCounts, shared_correlation

Floats = NDArray[np.float64]

DRAWS = 2000


@dataclass(frozen=True)
class NullOfSway:
    """Where a mean sway, or a mean difference of sways, lies when nothing happens."""

    drawn: Floats = field(repr=False)
    """Drawn values in pp, sorted; empty where there is no null, and ``reason`` says why."""
    low: float  # low, high: the range that holds 95 % of them
    high: float
    percentile: float  # share of the drawn values below the observed one, in % (ties count half)
    icc: float  # batch correlation of the draws
    reason: str = ""


def null_of_sway(
    treated: Sequence[WindowCounts],
    control: Sequence[WindowCounts],
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> NullOfSway:
    """Draw the mean sway of runs, less that of their controls, as if nothing had happened.

    ``treated``, ``control``: one entry per run; ``control`` is empty where a sway stands alone.
    Runs with an empty window are left out.
    """
    treated, control = (
        [unit for unit in units if unit.n.sum(1).all()] for units in (treated, control)
    )
    icc = shared_correlation([*treated, *control])
    if not treated or np.isnan(icc):
        reason = "the batches do not tell how alike their videos are"
        return NullOfSway(np.array([]), NAN, NAN, NAN, icc, reason)
    drawn = np.sort(_mean(treated, icc, rng, draws) - _mean(control, icc, rng, draws))
    observed = _observed(treated) - _observed(control)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return NullOfSway(drawn, float(low), float(high), share_below(drawn, observed), icc)


def share_below(drawn: Floats, observed: float) -> float:
    """Share of drawn values below an observed one, in %; ties to the last digits count half."""
    close = np.isclose(drawn, observed, rtol=0, atol=1e-9)
    return 100 * float(((drawn < observed) & ~close).mean() + close.mean() / 2)


def _observed(units: Sequence[WindowCounts]) -> float:
    if not units:
        return 0.0
    return float(np.mean([100 * (unit.share[1] - unit.share[0]) for unit in units]))


def _mean(
    units: Sequence[WindowCounts], icc: float, rng: np.random.Generator, draws: int
) -> Floats:
    total = np.zeros(draws)
    for unit in units:
        share = draw_yes(rng, unit.pooled, icc, unit.n, draws) / unit.n.sum(1)
        total += 100 * (share[:, 1] - share[:, 0])
    return total / max(len(units), 1)

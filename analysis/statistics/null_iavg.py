"""What I_avg looks like when nothing happens.

I is a ratio with a small random denominator, so that it is biased upwards and spreads widely
under no change at all (``docs/measurement.md``). An observed value is therefore shown with its
place among values drawn at the runs' own base rates, window sizes and batch correlation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.estimate import NAN
from analysis.statistics.intraclass import draw_yes, intraclass_correlation

Floats = NDArray[np.float64]

DRAWS = 4000


@dataclass(frozen=True, eq=False)
class WindowCounts:
    """One unit (a run, or the runs of one persona): judged videos and yes, by window and batch.

    Both of shape ``(2, G)``, before and after.
    """

    n: Floats
    yes: Floats

    @property
    def share(self) -> Floats:
        """Share of yes before and after; nan where nothing was judged."""
        size = self.n.sum(1)
        share: Floats = np.divide(self.yes.sum(1), size, out=np.full(2, NAN), where=size > 0)
        return share

    @property
    def pooled(self) -> float:
        """Share of yes over both windows: the base rate if nothing happened."""
        size = float(self.n.sum())
        return float(self.yes.sum()) / size if size else NAN

    @property
    def change(self) -> float:
        """The paper's I in %; nan where it is undefined."""
        before, after = self.share
        return float(100 * (after - before) / before) if before > 0 else NAN


@dataclass(frozen=True)
class NullOfI:
    """Where I (or I_avg over several units) lies when nothing happens.

    ``mean``, ``low``, ``high``: of the drawn values, in %: their mean and the range that holds 95 %
    of them.
    """

    percentile: float  # share of the drawn values below the observed one, in % (ties count half)
    mean: float
    low: float
    high: float
    undefined: float  # share of the drawn ratios that do not exist because nothing was yes before
    rate: float  # rate, icc: base rate and batch correlation of the draws (means over units)
    icc: float
    draws: int
    reason: str = ""

    @property
    def unremarkable(self) -> bool:
        """Whether the observed value lies among the middle 95 % of the drawn ones."""
        return 2.5 <= self.percentile <= 97.5


def mean_change(units: Sequence[WindowCounts]) -> tuple[float, int]:
    """I_avg over the units where I is defined, and for how many it is not."""
    changes = np.array([unit.change for unit in units])
    undefined = int(np.isnan(changes).sum())
    return (float(np.nanmean(changes)) if undefined < len(changes) else NAN), undefined


def shared_correlation(units: Sequence[WindowCounts]) -> float:
    """Batch correlation pooled over units, since one unit tells it only roughly."""
    if not units:
        return NAN
    width = max(unit.n.shape[1] for unit in units)
    n, yes = (
        np.concatenate([_pad(getattr(unit, name), width) for unit in units])
        for name in ("n", "yes")
    )
    return intraclass_correlation(n, yes)


def null_of_i(
    units: Sequence[WindowCounts],
    rng: np.random.Generator,
    icc: float | None = None,
    draws: int = DRAWS,
) -> NullOfI:
    """Place the observed I (one unit) or I_avg (several) among draws under no change.

    Each unit keeps its own base rate (its share over both windows, which is the best estimate if
    nothing happened) and its own batches. Units with an empty window are left out.

    ``units``: one per persona (or the one run that is described alone).
    ``icc``: batch correlation; that of the units together where it is not given.
    """
    units = [unit for unit in units if unit.n.sum(1).all()]
    icc = shared_correlation(units) if icc is None else icc
    rate = float(np.mean([unit.pooled for unit in units])) if units else NAN
    missing = NullOfI(NAN, NAN, NAN, NAN, NAN, rate, icc, 0)
    if not units or np.isnan(icc):
        return _without(missing, "the batches do not tell how alike their videos are")
    drawn = np.stack([_draw(unit, rng, icc, draws) for unit in units])
    undefined = float(np.isnan(drawn).mean())
    defined = ~np.isnan(drawn)
    with np.errstate(invalid="ignore"):
        average = np.where(defined, drawn, 0).sum(0) / defined.sum(0)
    average = average[~np.isnan(average)]
    if not len(average):
        return _without(missing, "nothing would be yes before in any draw")
    observed, _ = mean_change(units)
    low, high = np.quantile(average, [0.025, 0.975])
    return NullOfI(
        percentile=NAN if np.isnan(observed) else _percentile(observed, average),
        mean=float(average.mean()),
        low=float(low),
        high=float(high),
        undefined=undefined,
        rate=rate,
        icc=icc,
        draws=draws,
        reason="I is undefined here" if np.isnan(observed) else "",
    )


def _draw(unit: WindowCounts, rng: np.random.Generator, icc: float, draws: int) -> Floats:
    """I of one unit in each draw, nan where undefined."""
    yes = draw_yes(rng, unit.pooled, icc, unit.n, draws)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = yes / unit.n.sum(1)
        return np.where(yes[:, 0] > 0, 100 * (share[:, 1] / share[:, 0] - 1), NAN)


def _percentile(observed: float, drawn: Floats) -> float:
    close = np.isclose(drawn, observed, rtol=1e-9, atol=1e-9)
    below = (drawn < observed) & ~close
    return float(100 * (below.mean() + close.mean() / 2))


def _pad(counts: Floats, width: int) -> Floats:
    return np.pad(counts, ((0, 0), (0, width - counts.shape[1])))


def _without(null: NullOfI, reason: str) -> NullOfI:
    return replace(null, reason=reason)

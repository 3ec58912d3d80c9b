"""What I_avg and the sway look like when nothing happens: the runs' own null.

Each run keeps its own base rate, windows and batches, with the batch correlation of all runs
together. I is a ratio with a small random denominator, so that it is biased upwards and spreads
widely under no change at all (``docs/measurement.md``). The null says how far chance alone would
take a study of these sizes; what accounts do differently from each other is in the interval over
runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.estimate import NAN, Floats

DRAWS = 4000  # of I and I_avg
SWAY_DRAWS = 2000


@dataclass(frozen=True, eq=False)
class WindowCounts:
    """Judged videos and yes of a run or a persona: before and after by batch, ``(2, G)``."""

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


def intraclass_correlation(n: Floats, yes: Floats) -> float:
    """Correlation of two answers of one batch, from the spread of shares over batches.

    The one-way analysis-of-variance estimator for unequal clusters (Fleiss, Statistical Methods
    for Rates and Proportions, 1981), its sums pooled over windows, each around its own share.

    ``n``, ``yes``: judged videos and yes among them, by window and batch; shape ``(W, G)``. Batches
    that a window does not have count 0.
    Returns between -1 / (n - 1) and 1; ``nan`` where no window has two batches, or no answer
    varies.
    """
    size = n.sum(1)
    kept = size > 0
    n, yes, size = n[kept], yes[kept], size[kept]
    share = yes.sum(1) / size
    mean = np.divide(yes, n, out=np.zeros_like(yes), where=n > 0)
    between = float((n * (mean - share[:, None]) ** 2).sum())
    within = float((n * mean * (1 - mean)).sum())
    df_between = float((n > 0).sum() - len(size))
    df_within = float(size.sum() - (n > 0).sum())
    if df_between <= 0 or df_within <= 0 or between + within <= 0:
        return NAN
    typical = float((size - (n**2).sum(1) / size).sum()) / df_between
    ms_between, ms_within = between / df_between, within / df_within
    return (ms_between - ms_within) / (ms_between + (typical - 1) * ms_within)


def draw_yes(
    rng: np.random.Generator, rate: float, icc: float, n: Floats, draws: int
) -> NDArray[np.int64]:
    """Draw counts of yes per window when nothing happens: beta-binomial batches, one rate.

    A batch that straddles two windows keeps its own rate in both.

    ``rate``, ``icc``: share of yes, and correlation within a batch (clipped to 0 to 0.99).
    ``n``: judged videos by window and batch; shape ``(W, G)``.
    Returns shape ``(draws, W)``.
    """
    icc = min(max(icc, 0.0), 0.99)
    batches = n.shape[1]
    rates = np.full((draws, 1, batches), rate)
    if icc > 0 and 0 < rate < 1:
        strength = (1 - icc) / icc
        rates = rng.beta(rate * strength, (1 - rate) * strength, (draws, 1, batches))
    drawn: NDArray[np.int64] = rng.binomial(n.astype(np.int64)[None], rates).sum(2)
    return drawn


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
    draws: int = SWAY_DRAWS,
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
    drawn = np.sort(_mean_sway(treated, icc, rng, draws) - _mean_sway(control, icc, rng, draws))
    observed = _observed_sway(treated) - _observed_sway(control)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return NullOfSway(drawn, float(low), float(high), share_below(drawn, observed), icc)


def share_below(drawn: Floats, observed: float) -> float:
    """Share of drawn values below an observed one, in %; ties to the last digits count half."""
    close = np.isclose(drawn, observed, rtol=0, atol=1e-9)
    return 100 * float(((drawn < observed) & ~close).mean() + close.mean() / 2)


def _observed_sway(units: Sequence[WindowCounts]) -> float:
    if not units:
        return 0.0
    return float(np.mean([100 * (unit.share[1] - unit.share[0]) for unit in units]))


def _mean_sway(
    units: Sequence[WindowCounts], icc: float, rng: np.random.Generator, draws: int
) -> Floats:
    total = np.zeros(draws)
    for unit in units:
        share = draw_yes(rng, unit.pooled, icc, unit.n, draws) / unit.n.sum(1)
        total += 100 * (share[:, 1] - share[:, 0])
    return total / max(len(units), 1)

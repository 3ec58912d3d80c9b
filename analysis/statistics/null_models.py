"""What I_avg and the sway look like when nothing happens: the runs' own null.

Each run keeps its windows, its batches and the rate that its before window tells, with the batch
correlation of all runs together, and wanders as real feeds do (``wandering_rates``). The rate of
both windows together would hold the very effect that is looked for. I is a ratio with a small
random denominator, so that it is biased upwards and spreads widely under no change at all
(``docs/measurement.md``). The null says how far chance alone would take a study of these sizes;
what accounts do differently from each other is in the interval over runs.

Where runs are at hand in which nothing happened, they take the model's place: the runs are
exchanged with these, so that nothing is assumed but that all are alike.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.estimate import NAN, Floats
from analysis.statistics.wandering_rates import wandering
from analysis.statistics.window_counts import (
    WindowCounts,
    mean_change,
    pooled,
    shared_correlation,
)

DRAWS = 4000  # of I and I_avg
SWAY_DRAWS = 2000
RUN_DRAWS = 2_000_000
"""Draws of single runs that one null takes at most: 4,000 of 500 runs. A mean over more runs
spreads less, so that fewer draws tell its ends as well in points (decision 0038)."""
LEAST_DRAWS = 400
_CELLS = 1 << 20
"""Draws times batches that are worked on at once: a run has a few batches, or thousands."""
_LEAST = 1e-6  # a beta distribution needs a mean between 0 and 1


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
    rate: float  # rate, icc: share of yes before (a mean over units), and batch correlation
    icc: float  # nan where null runs take the model's place
    draws: int
    reason: str = ""
    null_runs: int = 0  # runs that the draws come from; 0 where a model draws

    @property
    def unremarkable(self) -> bool:
        """Whether the observed value lies among the middle 95 % of the drawn ones."""
        return 2.5 <= self.percentile <= 97.5


def null_of_i(
    personas: Sequence[Sequence[WindowCounts]],
    rng: np.random.Generator,
    *,
    null_runs: Sequence[WindowCounts] = (),
    draws: int = DRAWS,
) -> NullOfI:
    """Place the observed I (one persona) or I_avg (several) among draws under no change.

    Runs with an empty window are left out.

    ``personas``: the runs of each, whose counts are pooled.
    ``null_runs``: runs in which nothing happened, in the model's place.
    """
    whole = [[run for run in runs if run.n.sum(1).all()] for runs in personas]
    whole = [runs for runs in whole if runs]
    units = [pooled(runs) for runs in whole]
    draws = draws_of(sum(map(len, whole)), draws)
    icc = NAN if null_runs else shared_correlation([run for runs in whole for run in runs])
    rate = float(np.mean([unit.share[0] for unit in units])) if units else NAN
    missing = NullOfI(NAN, NAN, NAN, NAN, NAN, rate, icc, 0, null_runs=len(null_runs))
    if not units or (np.isnan(icc) and not null_runs):
        return _without(missing, "the batches do not tell how alike their videos are")
    drawn = _changes(
        exchanged(whole, null_runs, rng, draws) if null_runs else _modelled(units, rng, icc, draws)
    )
    defined = ~np.isnan(drawn)
    with np.errstate(invalid="ignore"):
        average = np.where(defined, drawn, 0).sum(1) / defined.sum(1)
    average = average[~np.isnan(average)]
    if not len(average):
        return _without(missing, "nothing would be yes before in any draw")
    observed, _ = mean_change(units)
    low, high = np.quantile(average, [0.025, 0.975])
    return replace(
        missing,
        percentile=NAN if np.isnan(observed) else _percentile(observed, average),
        mean=float(average.mean()),
        low=float(low),
        high=float(high),
        undefined=1 - float(defined.mean()),
        draws=len(drawn),
        reason="I is undefined here" if np.isnan(observed) else "",
    )


def draws_of(runs: int, draws: int) -> int:
    """Return how often the null of so many runs is drawn, where fewer of them need ``draws``."""
    return min(draws, max(LEAST_DRAWS, RUN_DRAWS // max(runs, 1)))


def _changes(shares: Floats) -> Floats:
    """I of each unit in each draw, shape ``(draws, K)``; nan where undefined."""
    before, after = np.moveaxis(shares, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(before > 0, 100 * (after / before - 1), NAN)


def _modelled(
    units: Sequence[WindowCounts], rng: np.random.Generator, icc: float, draws: int
) -> Floats:
    """Shares by draw, unit and window, each unit at the rate that its before window tells.

    That rate is itself not known: it is drawn from Jeffreys' posterior of it.
    """
    shares = np.empty((draws, len(units), 2))
    for place, unit in enumerate(units):
        size, yes = unit.n[0].sum(), unit.yes[0].sum()
        rate = rng.beta(yes + 0.5, size - yes + 0.5, draws)
        shares[:, place] = draw_yes(rng, rate, icc, unit.n, unit.at) / unit.n.sum(1)
    return shares


def exchanged(
    groups: Sequence[Sequence[WindowCounts]],
    null_runs: Sequence[WindowCounts],
    rng: np.random.Generator,
    draws: int,
) -> Floats:
    """Shares by draw, group and window, with the runs exchanged for null runs at random.

    One run alone is exchanged for each in turn. A group keeps its number of runs, and its counts
    are pooled. The runs themselves are among those that are drawn, without which the test would not
    be exact.
    """
    runs = [*itertools.chain(*groups), *null_runs]
    sizes = [len(group) for group in groups]
    counts = np.array([[run.yes.sum(1), run.n.sum(1)] for run in runs])
    every = np.arange(len(runs))
    order = every[:, None]  # of one run there are no more
    if sum(sizes) > 1:
        order = rng.permuted(np.tile(every, (draws, 1)), axis=1)[:, : sum(sizes)]
    starts = np.cumsum([0, *sizes[:-1]])
    yes, n = np.moveaxis(np.add.reduceat(counts[order], starts, axis=1), 2, 0)
    shares: Floats = yes / n
    return shares


def _percentile(observed: float, drawn: Floats) -> float:
    close = np.isclose(drawn, observed, rtol=1e-9, atol=1e-9)
    below = (drawn < observed) & ~close
    return float(100 * (below.mean() + close.mean() / 2))


def _without(null: NullOfI, reason: str) -> NullOfI:
    return replace(null, reason=reason)


def draw_yes(
    rng: np.random.Generator, rate: Floats, icc: float, n: Floats, at: Floats | None = None
) -> NDArray[np.int64]:
    """Draw counts of yes per window when nothing happens: beta-binomial batches, one rate a draw.

    A batch that straddles two windows keeps its own rate in both.

    ``rate``, ``icc``: share of yes by draw, ``(draws,)``, and correlation within a batch (clipped
    to 0 to 0.99).
    ``n``: judged videos by window and batch; shape ``(W, G)``.
    ``at``: positions of the batches, over which the rate wanders; it stays where there are none.
    Returns shape ``(draws, W)``.
    """
    icc = min(max(icc, 0.0), 0.99)
    rates = np.repeat(rate[:, None], n.shape[1], axis=1) if at is None else wandering(rng, rate, at)
    some = max(1, _CELLS // max(1, n.shape[1]))
    parts = [slice(start, start + some) for start in range(0, len(rates), some)]
    if icc > 0:
        strength = (1 - icc) / icc
        for part in parts:
            mean = np.ascontiguousarray(np.clip(rates[part], _LEAST, 1 - _LEAST))
            rates[part] = rng.beta(mean * strength, (1 - mean) * strength)
    window, batch = np.nonzero(n)  # a batch is seldom in both windows
    yes = np.empty((len(rates), len(n)), dtype=np.int64)
    for part in parts:
        drawn = rng.binomial(n[window, batch].astype(np.int64), rates[part][:, batch])
        for place in range(len(n)):
            yes[part, place] = drawn[:, window == place].sum(1)
    return yes


@dataclass(frozen=True)
class NullOfSway:
    """Where a mean sway, or a mean difference of sways, lies when nothing happens."""

    drawn: Floats = field(repr=False)
    """Drawn values in pp, sorted; empty where there is no null, and ``reason`` says why."""
    low: float  # low, high: the range that holds 95 % of them
    high: float
    percentile: float  # share of the drawn values below the observed one, in % (ties count half)
    icc: float  # batch correlation of the draws; nan where null runs take the model's place
    reason: str = ""
    null_runs: int = 0  # runs that the draws come from; 0 where a model draws


def null_of_sway(
    treated: Sequence[WindowCounts],
    control: Sequence[WindowCounts],
    rng: np.random.Generator,
    *,
    null_runs: Sequence[WindowCounts] = (),
    draws: int = SWAY_DRAWS,
) -> NullOfSway:
    """Draw the mean sway of runs, less that of their controls, as if nothing had happened.

    Runs with an empty window are left out.

    ``treated``, ``control``: one entry per run; ``control`` is empty where a sway stands alone.
    ``null_runs``: runs in which nothing happened, in the model's place.
    """
    treated, control = (
        [unit for unit in units if unit.n.sum(1).all()] for units in (treated, control)
    )
    runs = [*treated, *control]
    icc = NAN if null_runs else shared_correlation(runs)
    if not treated or (np.isnan(icc) and not null_runs):
        reason = "the batches do not tell how alike their videos are"
        return NullOfSway(np.array([]), NAN, NAN, NAN, icc, reason)
    alone = [[run] for run in runs]
    draws = draws_of(len(runs), draws)
    shares = (
        exchanged(alone, null_runs, rng, draws) if null_runs else _modelled(runs, rng, icc, draws)
    )
    observed = np.array([run.share for run in runs])[None]
    drawn = np.sort(_less_control(shares, len(treated)))
    place = share_below(drawn, float(_less_control(observed, len(treated))[0]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return NullOfSway(drawn, float(low), float(high), place, icc, null_runs=len(null_runs))


def _less_control(shares: Floats, treated: int) -> Floats:
    """Mean sway of the first so many runs, less that of the others, in pp; shape ``(draws,)``."""
    sway = 100 * (shares[..., 1] - shares[..., 0])
    other = sway[:, treated:].mean(1) if sway.shape[1] > treated else 0.0
    told: Floats = sway[:, :treated].mean(1) - other
    return told


def share_below(drawn: Floats, observed: float) -> float:
    """Share of drawn values below an observed one, in %; ties to the last digits count half."""
    close = np.isclose(drawn, observed, rtol=0, atol=1e-9)
    return 100 * float(((drawn < observed) & ~close).mean() + close.mean() / 2)

"""Judged videos and yes by window and batch, and how alike the videos of a batch are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.statistics.estimate import NAN, Floats
from analysis.statistics.intervals import BatchSums
from analysis.statistics.wandering_rates import APART


@dataclass(frozen=True, eq=False)
class WindowCounts:
    """Judged videos and yes of a run or a persona: before and after by batch, ``(2, G)``.

    ``at``: mean position of each batch's videos in the run, ``(G,)``.
    """

    n: Floats
    yes: Floats
    at: Floats

    @property
    def share(self) -> Floats:
        """Share of yes before and after; nan where nothing was judged."""
        size = self.n.sum(1)
        share: Floats = np.divide(self.yes.sum(1), size, out=np.full(2, NAN), where=size > 0)
        return share

    @property
    def in_points(self) -> BatchSums:
        """The same with 100 for each yes, so that differences are in percentage points."""
        spread = 100 * np.sqrt(self.share * (1 - self.share))
        return BatchSums(self.n, 100 * self.yes, self.at, spread)

    @property
    def change(self) -> float:
        """The paper's I in %; nan where it is undefined."""
        before, after = self.share
        return float(100 * (after - before) / before) if before > 0 else NAN


def pooled(runs: Sequence[WindowCounts]) -> WindowCounts:
    """Runs of one persona side by side; their batches stay apart."""
    n, yes = (np.concatenate([getattr(run, name) for run in runs], axis=1) for name in ("n", "yes"))
    return WindowCounts(n, yes, np.concatenate([run.at + k * APART for k, run in enumerate(runs)]))


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


def _pad(counts: Floats, width: int) -> Floats:
    return np.pad(counts, ((0, 0), (0, width - counts.shape[1])))


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

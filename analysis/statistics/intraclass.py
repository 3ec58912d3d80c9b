"""Batch correlation: how alike the videos of one batch are, and draws that keep it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.estimate import NAN

Floats = NDArray[np.float64]


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


def share_variance(n: Floats, yes: Floats) -> Floats:
    """Variance of a share of yes from the spread of its batches.

    The linearised variance of a ratio with the small-sample factor G / (G - 1) (Cochran, Sampling
    Techniques, 1977, section 6.3).

    ``n``, ``yes``: by batch, shape ``(..., G)``; batches without videos do not count.
    Returns shape ``(...)``; nan where there are fewer than two batches.
    """
    total = n.sum(-1, keepdims=True)
    batches = (n > 0).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = yes.sum(-1, keepdims=True) / total
        square = (((yes - n * share) / total) ** 2).sum(-1)
        return np.where(batches > 1, square * batches / (batches - 1), NAN)


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

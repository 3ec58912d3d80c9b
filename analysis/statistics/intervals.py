"""Intervals: the one place where clusters become a standard error.

Over several runs the run is the cluster: Student's t, or a jackknife that leaves runs out. For
one run described alone its batches are the clusters, the jackknife leaves batches out, and the slow
wandering that batches cannot show is added (``wandering_rates``). Where every one of several
trainings is measured on the same videos, both are clusters, crossed.
Percentile bootstraps are not offered: with the 4 batches of a window of 50 they cover 0.80 to
0.93 of the time at a nominal 0.95 (``docs/measurement.md`` has the table,
``tests/analysis/statistics/test_intervals.py`` the check).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.estimate import NAN, Estimate, Floats, Ints
from analysis.statistics.wandering_rates import variance_of_difference


def t_quantile(level: float, df: float) -> float:
    """Half-width of a two-sided interval in standard errors, by Student's t."""
    from scipy.special import stdtrit  # a tenth of the cost of importing scipy.stats

    return float(stdtrit(df, 0.5 + level / 2))


def t_p_value(t: float, df: float) -> float:
    """Two-sided p-value of Student's t."""
    from scipy.special import stdtr

    return float(2 * stdtr(df, -abs(t)))


def binomial_interval(count: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's exact interval of a share (Biometrika 1934)."""
    from scipy.special import betaincinv

    if n == 0:
        return NAN, NAN
    tail = (1 - level) / 2
    low = float(betaincinv(count, n - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, n - count, 1 - tail)) if count < n else 1.0
    return low, high


def score_interval(share: float, se: float, df: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share (JASA 1927) whose answers hang together.

    The number of answers is the effective one, ``share (1 - share) / se^2`` (Kish, Survey Sampling
    1965), and the quantile Student's t, since the standard error is estimated: a departure from
    Wilson. Unlike ``share ± t se`` it covers near the ends too.
    """
    t = t_quantile(level, df)
    n = share * (1 - share) / se**2
    centre = (share + t * t / (2 * n)) / (1 + t * t / n)
    half = t / (1 + t * t / n) * math.sqrt(share * (1 - share) / n + t * t / (4 * n * n))
    return centre - half, centre + half


def binomial_p_value(count: int, n: int, rate: float) -> float:
    """Exact two-sided p-value of a count: twice the smaller tail, at most 1."""
    from scipy.special import bdtr, bdtrc

    upper = float(bdtrc(count - 1, n, rate)) if count else 1.0
    return min(1.0, 2 * min(float(bdtr(count, n, rate)), upper))


def t_interval(values: Floats, unit: str = "pp", level: float = 0.95) -> Estimate:
    """Student's t interval of a mean over runs.

    ``values``: one number per run (or per pair of runs), each independent of the others; shape
    ``(K,)``. Not-a-numbers are left out, and ``clusters`` says how many went in.
    """
    kept = values[~np.isnan(values)]
    count = len(kept)
    if count == 0:
        return Estimate(NAN, unit=unit, level=level, reason="no run has both windows")
    mean = float(kept.mean())
    if count == 1:
        return Estimate(
            mean, unit=unit, clusters=1, level=level, reason="one run has no spread over runs"
        )
    se = float(kept.std(ddof=1) / math.sqrt(count))
    return _around(mean, se, count - 1, Estimate(mean, unit=unit, clusters=count, level=level))


def crossed(values: Floats, unit: str = "pp", level: float = 0.95) -> Estimate:
    """Student's t interval of a mean over two crossed samples, such as trainings and videos.

    The variance is that of the row means plus that of the column means, less what both count of
    the residue (Cameron, Gelbach and Miller, J. Bus. Econ. Stat. 2011), and at least the larger of
    the two; degrees of freedom after Satterthwaite (Biometrics Bulletin 1946). A way that does not
    vary at all, such as one training for all, adds nothing.

    ``values``: one number for each training and video, shape ``(K, V)``, without nan.
    """
    value = float(values.mean())
    df = np.array(values.shape) - 1
    empty = Estimate(value, unit=unit, clusters=int(min(values.shape)), level=level)
    if df.min() < 1:
        return _without(empty, "one of a kind has no spread")
    means = values.mean(1), values.mean(0)
    parts = [float(mean.var(ddof=1)) / len(mean) for mean in means]
    residue = values - means[0][:, None] - means[1] + value
    shared = float((residue**2).sum()) / float(df.prod()) / values.size
    variance = max(*parts, sum(parts) - shared)
    terms = np.array([*parts, shared]) ** 2 / np.array([*df, df.prod()])
    freedom = variance**2 / float(terms.sum()) if terms.sum() else math.inf
    return _around(value, math.sqrt(variance), max(freedom, float(df.min())), empty)


def jackknife(
    value: float, left_out: Floats, df: float, unit: str = "pp", level: float = 0.95
) -> Estimate:
    """Interval from leaving out one cluster at a time.

    ``se^2 = (G - 1) / G x sum (theta(-g) - mean)^2`` (Efron and Stein, Annals of Statistics 1981),
    with Student's t.

    ``left_out``: the statistic without cluster g, for each g; shape ``(G,)``. ``df``: G - 1 for a
    mean over runs, G - 2 for two windows of one run.
    """
    count = len(left_out)
    empty = Estimate(value, unit=unit, clusters=count, level=level)
    if df < 1 or np.isnan(left_out).any():
        return _without(empty, "too few clusters to tell their spread")
    spread = left_out - left_out.mean()
    se = math.sqrt((count - 1) / count * float(spread @ spread))
    return _around(value, se, df, empty)


def _around(value: float, se: float, df: float, empty: Estimate) -> Estimate:
    """Student's t interval; none where all clusters agree to the last digit."""
    if se <= 1e-12 * max(1.0, abs(value)):
        return _without(empty, "every cluster says the same, so their spread says nothing")
    half = t_quantile(empty.level, df) * se
    return dataclasses.replace(
        empty,
        value=value,
        low=value - half,
        high=value + half,
        method=f"Student's t, {df:g} degrees of freedom",
        df=float(df),
        se=se,
        p=t_p_value(value / se, df),
    )


def _without(empty: Estimate, reason: str) -> Estimate:
    return dataclasses.replace(empty, reason=reason)


@dataclass(frozen=True, eq=False)
class BatchSums:
    """Values of one run, added up by window and batch.

    ``n``, ``total``: number of values and their sum, before and after, ``(2, G)``; a batch that
    straddles the windows has numbers in both. ``at``: mean position of each batch's values, in
    videos, ``(G,)``. ``sd``: standard deviation of one value, by window, ``(2,)``.
    """

    n: Floats
    total: Floats
    at: Floats
    sd: Floats

    def means(self) -> tuple[Floats, Floats]:
        """Window means: of everything, ``(2,)``, and with each batch left out, ``(2, G)``."""
        n, total = self.n, self.total
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total.sum(1) / n.sum(1)
            rest = n.sum(1, keepdims=True) - n
            without = np.where(rest > 0, (total.sum(1, keepdims=True) - total) / rest, NAN)
        return mean, without


def window_sums(
    values: Floats, after: NDArray[np.bool_], cluster: Ints, position: Ints
) -> BatchSums:
    """Add values up; one entry per video in each of the four."""
    codes = np.unique(cluster, return_inverse=True)[1].astype(np.int64)
    count = int(codes.max()) + 1 if len(codes) else 0
    flat = codes + count * after
    n = np.bincount(flat, minlength=2 * count).reshape(2, count).astype(np.float64)
    total = np.bincount(flat, weights=values, minlength=2 * count).astype(np.float64)
    at = np.bincount(codes, weights=position, minlength=count) / np.maximum(n.sum(0), 1)
    sd = [float(part.std()) if len(part) else NAN for part in (values[~after], values[after])]
    return BatchSums(n, total.reshape(2, count), at, np.array(sd))


def difference_over_batches(sums: BatchSums, unit: str = "pp", level: float = 0.95) -> Estimate:
    """After minus before of one run, with its interval.

    A jackknife that leaves out one batch at a time, from both windows where it straddles them,
    with Student's t on G - 2 degrees of freedom (two means are estimated). The variance by which
    real feeds wander is added, with Satterthwaite's degrees of freedom: one run cannot show it.

    ``sums``: values of 100 per yes give percentage points.
    """
    sizes = sums.n.sum(1)
    empty = Estimate(NAN, unit=unit, clusters=sums.n.shape[1], level=level)
    if not sizes.all():
        absent = [name for name, size in zip(("before", "after"), sizes, strict=True) if not size]
        return _without(empty, f"no judged video in the {' and the '.join(absent)} window")
    mean, without = sums.means()
    value = float(mean[1] - mean[0])
    if np.isnan(without).any():
        reason = "a window holds only one batch, so batches tell no spread"
        return _without(dataclasses.replace(empty, value=value), reason)
    over = jackknife(value, without[1] - without[0], sums.n.shape[1] - 2, unit, level)
    return add_wandering(over, variance_of_difference(sums.n, sums.at, sums.sd))


def add_wandering(over: Estimate, variance: float) -> Estimate:
    """The same estimate with a known variance beside that of its clusters.

    With few clusters the gain in degrees of freedom can outweigh the variance that is added. So
    neither the interval nor the p-value is ever smaller than that of the clusters alone.
    """
    if not over.bounded:
        return over
    se = math.hypot(over.se, math.sqrt(variance))
    wider = _around(over.value, se, over.df * (se / over.se) ** 4, over)
    if wider.high < over.high:
        return over
    method = f"Student's t, {wider.df:.1f} degrees of freedom, for a feed that wanders"
    return dataclasses.replace(wider, method=method, p=max(wider.p, over.p))


def change_over_batches(sums: BatchSums, level: float = 0.95) -> Estimate:
    """Percentage change ``I = 100 (after - before) / before`` of one run, with its interval.

    The interval is that of ``difference_over_batches`` for ``log(after / before)``, carried back,
    so that it is lopsided as ratios are. (Fieller's covers no better here and is unbounded for half
    of the runs at a base rate of 20 %.)

    ``sums``: of yes. The least share that is not 0 is one yes of the before window, and bounds the
    interval.
    """
    mean, without = sums.means()
    empty = Estimate(NAN, unit="%", clusters=sums.n.shape[1], level=level)
    if np.isnan(mean).any():
        return _without(empty, "a window has no judged video")
    if mean[0] == 0:
        return _without(empty, "nothing was yes before, so the ratio is undefined")
    change = dataclasses.replace(empty, value=float(100 * (mean[1] / mean[0] - 1)))
    if np.isnan(without).any():
        return _without(change, "a window holds only one batch, so batches tell no spread")
    if (without == 0).any():
        return _without(change, "one batch holds every yes of a window, so the ratio has no bounds")
    logs = np.log(without[1] / without[0])
    log = jackknife(math.log(mean[1] / mean[0]), logs, sums.n.shape[1] - 2, "", level)
    log = add_wandering(log, variance_of_difference(sums.n, sums.at, sums.sd / mean))
    told = dataclasses.replace(
        log,
        value=change.value,
        low=100 * (math.exp(log.low) - 1),
        high=100 * (math.exp(log.high) - 1),
        unit="%",
        se=NAN,
        method=log.method and f"{log.method}, of the logarithm of the ratio",
    )
    return told.within(-100, 100 * (float(sums.n[0].sum()) - 1))


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

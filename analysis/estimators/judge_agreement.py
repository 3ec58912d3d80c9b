"""Two judges on the same videos: where they differ, and what that does to the sway.

Two runs that showed the same videos (one replays the other, or both saw one feed) are joined by
video id. The pair then tells the judge's part from the feed's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.data.before_after_windows import batches, compared
from analysis.data.exposures import AFTER, YES, RunInfo, Views
from analysis.errors import NothingToCompare
from analysis.statistics.estimate import NAN, Estimate, Floats, Ints
from analysis.statistics.intervals import difference_over_batches, jackknife, window_sums


@dataclass(frozen=True)
class Split:
    """A whole that is the sum of what the feed did and what the judge did, in pp."""

    whole: Estimate
    feed: Estimate
    judge: Estimate


@dataclass(frozen=True)
class Comparison:
    """The second run's judge against the first's."""

    first: RunInfo
    second: RunInfo
    videos: int  # judged by both, joined by video id (the first sight of each)
    both_yes: int  # both_yes, first_only, second_only, both_no: of these, who said yes
    first_only: int
    second_only: int
    both_no: int
    difference: Estimate
    """Second minus first in the share of yes over these videos, in pp; jackknife over the batches
    of the first run."""
    p: float
    """McNemar's exact two-sided p-value. It takes videos as independent; the interval does not."""
    agreement: float  # agreement, kappa: share of equal answers in %, and Cohen's kappa
    kappa: float
    runs: Split
    """Second minus first in the share of yes over everything that each judged: the judge's part
    comes from the common videos, the feed's part is the rest."""
    sway: Split
    """After minus before of the first run, as its own judge saw it: the feed's part is the sway of
    the same videos as the second judge sees it, the judge's part is the rest."""
    only_first: int  # only_first, only_second: judged videos that the other did not judge
    only_second: int


@dataclass(frozen=True, eq=False)
class _Joined:
    """Rows of the first and of the second run, row by row the same video."""

    one: Ints
    two: Ints


def compare(views: Views) -> Comparison:
    """Compare the second run of a table with the first.

    Raises ``NothingToCompare`` where no video was judged in both.
    """
    first, second = views.one(0), views.one(1)
    joined = _join(first, second)
    if not len(joined.one):
        raise NothingToCompare(
            f"{first.runs[0].run_id} and {second.runs[0].run_id} share no judged video. "
            f"Type: python -m agent run --platform replay --of {first.runs[0].run_id}"
        )
    a = (first.answer[joined.one] == YES).astype(np.float64)
    b = (second.answer[joined.two] == YES).astype(np.float64)
    clusters = batches(first)[joined.one]
    difference = _mean_over_batches(100 * (b - a), clusters)
    first_only, second_only = int((a > b).sum()), int((b > a).sum())
    agreement = float((a == b).mean())
    return Comparison(
        first=first.runs[0],
        second=second.runs[0],
        videos=len(a),
        both_yes=int((a * b).sum()),
        first_only=first_only,
        second_only=second_only,
        both_no=int(((1 - a) * (1 - b)).sum()),
        difference=difference,
        p=mcnemar(first_only, second_only),
        agreement=100 * agreement,
        kappa=kappa(agreement, float(a.mean()), float(b.mean())),
        runs=_split_of_runs(first, second, difference),
        sway=_split_of_sway(first, joined, a, b),
        only_first=int(first.judged.sum()) - len(a),
        only_second=int(second.judged.sum()) - len(b),
    )


def mcnemar(first_only: int, second_only: int) -> float:
    """McNemar's exact two-sided p-value; 1 where the judges never differ."""
    from analysis.statistics.intervals import binomial_p_value

    return binomial_p_value(first_only, first_only + second_only, 0.5)


def _join(first: Views, second: Views) -> _Joined:
    """Match judged rows by video id; a video seen twice is taken at first sight."""
    rows = [np.flatnonzero(run.judged) for run in (first, second)]
    ids = [run.video[kept] for run, kept in zip((first, second), rows, strict=True)]
    _, one, two = np.intersect1d(ids[0], ids[1], return_indices=True)
    order = np.argsort(rows[0][one])
    return _Joined(rows[0][one][order], rows[1][two][order])


def _mean_over_batches(values: NDArray[np.float64], clusters: Ints) -> Estimate:
    """Mean with the jackknife over batches, t on G - 1 degrees of freedom."""
    sums = window_sums(values, np.zeros(len(values), dtype=bool), clusters, clusters)
    n, total = sums.n[0], sums.total[0]
    value = float(total.sum() / n.sum())
    rest = n.sum() - n
    if not rest.all():
        return Estimate(value, clusters=1, reason="one batch holds every common video")
    return jackknife(value, (total.sum() - total) / rest, len(n) - 1).within(-100, 100)


def kappa(agreement: float, first: float, second: float) -> float:
    """Cohen's kappa (Educ. Psychol. Meas. 1960); nan where chance alone must agree."""
    chance = first * second + (1 - first) * (1 - second)
    return (agreement - chance) / (1 - chance) if chance < 1 else NAN


def _split_of_runs(first: Views, second: Views, judge: Estimate) -> Split:
    shares = [100 * float((run.answer[run.judged] == YES).mean()) for run in (first, second)]
    whole = shares[1] - shares[0]
    reason = "a difference of two feeds has no interval from one run each"
    return Split(
        Estimate(whole, reason=reason), Estimate(whole - judge.value, reason=reason), judge
    )


def _split_of_sway(first: Views, joined: _Joined, a: Floats, b: Floats) -> Split:
    rows = compared(first)
    kept = (rows.before | rows.after)[joined.one]
    at = joined.one[kept]
    after = first.phase[at] == AFTER
    parts = [
        difference_over_batches(
            window_sums(100 * values[kept], after, batches(first)[at], first.position[at])
        ).within(-most, most)
        for values, most in ((a, 100), (b, 100), (a - b, 200))
    ]
    return Split(*parts)

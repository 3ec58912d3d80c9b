"""Counts of one run's windows: what every estimate starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.data.exposures import MISSING, NONE, YES, Mask, Views
from analysis.data.windows import ComparedRows, Drop, batches, compared
from analysis.statistics.estimate import NAN
from analysis.statistics.intervals import window_sums
from analysis.statistics.null_iavg import WindowCounts

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WindowShare:
    """One window of one run."""

    shown: int  # videos that count
    judged: int  # judged, yes: of these, with an answer; and with yes
    yes: int
    missing: dict[str, int]  # of these, without an answer, by reason
    share: float  # yes / judged in %; nan where nothing was judged
    batches: int  # batches that the judged videos came in

    @property
    def unanswered(self) -> int:
        return self.shown - self.judged


def window_share(run: Views, rows: Mask) -> WindowShare:
    answers = run.answer[rows]
    judged = answers != NONE
    yes, count = int((answers == YES).sum()), int(judged.sum())
    codes = np.bincount(run.missing[rows][~judged], minlength=len(MISSING))
    return WindowShare(
        shown=len(answers),
        judged=count,
        yes=yes,
        missing={MISSING[code]: int(codes[code]) for code in np.flatnonzero(codes)},
        share=100 * yes / count if count else NAN,
        batches=len(np.unique(batches(run)[rows & run.judged])),
    )


def run_counts(run: Views, rows: ComparedRows) -> WindowCounts:
    """Judged videos and yes of one run, by window and batch."""
    n, yes = batch_sums(run, rows, (run.answer == YES).astype(float), run.judged)
    return WindowCounts(n, yes)


def batch_sums(
    run: Views, rows: ComparedRows, values: Floats, known: Mask
) -> tuple[Floats, Floats]:
    """Number of known values and their sum, by window and batch; each of shape ``(2, G)``."""
    used = (rows.before | rows.after) & known
    return window_sums(values[used], rows.after[used], batches(run)[used])


def missing_bounds(before: WindowShare, after: WindowShare) -> tuple[float, float]:
    """Smallest and largest sway in pp, whatever the missing judgements would have been.

    Lowest with every missing one yes before and no after, highest the other way round
    (Horowitz and Manski, JASA 2000).
    """
    if not (before.shown and after.shown):
        return NAN, NAN
    low = after.yes / after.shown - (before.yes + before.unanswered) / before.shown
    high = (after.yes + after.unanswered) / after.shown - before.yes / before.shown
    return 100 * low, 100 * high


def counts_by_run(views: Views, drop: Drop = "as declared") -> list[WindowCounts]:
    counted = []
    for index in range(len(views.runs)):
        run = views.one(index)
        counted.append(run_counts(run, compared(run, drop)))
    return counted

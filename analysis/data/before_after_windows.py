"""Windows: which rows of a run are compared, in which batches they came, and their counts.

Which rows are compared never depends on an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np

from analysis.data.exposures import (
    ADAPT,
    AFTER,
    ASSUMED_BATCH,
    BEFORE,
    MISSING,
    NONE,
    UNKNOWN,
    YES,
    Views,
)
from analysis.statistics.estimate import NAN, Floats, Ints, Mask
from analysis.statistics.intervals import BatchSums, window_sums
from analysis.statistics.window_counts import WindowCounts

Drop = Literal["as declared"] | int
"""``as declared``, or the number of batches to drop after the change."""


@dataclass(frozen=True, eq=False)
class ComparedRows:
    """The rows of one run that are compared.

    ``before``, ``after``: masks over the run's rows: eligible, in the window, and able to react.
    """

    before: Mask
    after: Mask
    too_early: Mask  # eligible rows of the after window that could not react yet


_DECLARED: WeakKeyDictionary[Views, ComparedRows] = WeakKeyDictionary()
"""What is compared of each run as declared, as long as the run's table is there."""
_BATCHES: WeakKeyDictionary[Views, Ints] = WeakKeyDictionary()


def change_position(run: Views) -> int | None:
    """Position of the first step after the before window; ``None`` where there is none."""
    later = run.position[run.phase != BEFORE]
    return int(later[0]) if len(later) else None


def compared(run: Views, drop: Drop = "as declared") -> ComparedRows:
    """Choose the rows of one run that are compared.

    A feed sends videos in batches and asks for the next one early, so the first videos after the
    phase changed were chosen before it did. They can't show a reaction to it, and are dropped:

    - ``drop="as declared"``, passive baseline: every video of the after window whose batch was
      requested at a position before the change. Where the platform tells no request, the first
      batch shown from the change on, at least.
    - ``drop="as declared"``, active baseline (the paper's protocol): nothing. The persona reacts
      from the first video, so nothing changes between the windows.
    - ``drop=k``: what is dropped as declared, and the first k batches shown from the change on,
      whatever the baseline: the sensitivity that is printed for k = 1, 2, 3. It never puts back
      what the primary estimate leaves out.

    The change is the first position that is not in the before window. Videos of the adapt phase
    are never compared, so an adapt phase of two batches usually leaves nothing to drop. The rule
    depends on the declared windows only, so that every arm is treated alike.
    """
    if drop == "as declared" and run in _DECLARED:
        return _DECLARED[run]
    early = _too_early(run, drop)
    eligible = run.eligible
    rows = ComparedRows(
        before=eligible & (run.phase == BEFORE),
        after=eligible & (run.phase == AFTER) & ~early,
        too_early=eligible & (run.phase == AFTER) & early,
    )
    if drop == "as declared":
        _DECLARED[run] = rows
    return rows


def _too_early(run: Views, drop: Drop) -> Mask:
    nothing = np.zeros(len(run), dtype=bool)
    change = change_position(run)
    if change is None:
        return nothing
    later: Mask = (run.phase == ADAPT) | (run.phase == AFTER)
    first = nothing if drop == "as declared" else _first_batches(run, change, drop)
    if run.runs[0].windows.baseline == "active":
        return later & first
    asked_before: Mask = (run.requested_at != UNKNOWN) & (run.requested_at < change)
    unknown: Mask = run.requested_at == UNKNOWN
    if not unknown.any():
        return later & (first | asked_before)
    return later & (first | asked_before | unknown & _first_batches(run, change, 1))


def _first_batches(run: Views, change: int, count: int) -> Mask:
    codes = batches(run)
    shown = codes[run.position >= change]
    first_shown = np.unique(shown, return_index=True)
    in_order = first_shown[0][np.argsort(first_shown[1])]
    return np.isin(codes, in_order[:count])


def batches(run: Views) -> Ints:
    """Batch of each row of one run, as a cluster code.

    Videos whose batch is unknown are taken in blocks of 12 consecutive positions.
    """
    if run not in _BATCHES:
        assumed = run.batch.max(initial=-1) + 1 + run.position // ASSUMED_BATCH
        _BATCHES[run] = np.where(run.batch == UNKNOWN, assumed, run.batch)
    return _BATCHES[run]


def batches_assumed(run: Views) -> bool:
    return bool((run.batch == UNKNOWN).any())


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
    sums = batch_sums(run, rows, (run.answer == YES).astype(float), run.judged)
    return WindowCounts(sums.n, sums.total, sums.at)


def batch_sums(run: Views, rows: ComparedRows, values: Floats, known: Mask) -> BatchSums:
    """Add known values of the compared rows up, by window and batch."""
    used = (rows.before | rows.after) & known
    return window_sums(values[used], rows.after[used], batches(run)[used], run.position[used])


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

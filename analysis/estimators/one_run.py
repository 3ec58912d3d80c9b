"""What one run shows, as a value: shares, sway, I beside its null, and what did not count.

One run is one cluster. Its intervals are over its own batches and describe this run only; what
a recommender does to personas takes several runs with controls (``contrasts``, ``persona_matrix``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from analysis.data.before_after_windows import (
    ComparedRows,
    WindowShare,
    batch_sums,
    batches_assumed,
    compared,
    missing_bounds,
    run_counts,
    window_share,
)
from analysis.data.exposures import (
    BEFORE,
    GRADES,
    NO,
    YES,
    RunInfo,
    Views,
    without_repeats,
)
from analysis.data.run_columns import RunColumns
from analysis.statistics.estimate import NAN, Estimate, as_json
from analysis.statistics.intervals import (
    BatchSums,
    change_over_batches,
    difference_over_batches,
)
from analysis.statistics.null_models import NullOfI, null_of_i
from analysis.statistics.window_counts import WindowCounts
from store.runs.ledger_site_lines import SiteCheck, last_difference
from store.runs.recorded_model_names import REPLAY
from store.terminal.printing import count_of

_OF_REPLAYS = (
    "A replay shows another run's videos again: it says how this judge answers, and nothing of how "
    "a feed would have reacted to it.",
)
_OF_ONE_RUN = (
    "One run is one account on one day: the interval says how steady this feed was from batch to "
    "batch, and allows for how far real feeds wander by themselves. It does not say how other "
    "accounts or personas would fare.",
    "There is no control here: a feed that drifts towards what everyone likes looks the same.",
)
SENSITIVITY = (1, 2, 3)


@dataclass(frozen=True)
class DwellContrast:
    """Mean seconds of delivered dwell after yes and after no; nan where there is no such video."""

    yes_count: int
    no_count: int
    yes_mean: float
    no_mean: float
    ratio: float  # yes over no
    decided: bool  # false where the arm's dwell was blind to the answer


@dataclass(frozen=True)
class NewVideos:
    """The windows once more, without the videos that had been shown before."""

    repeats_before: int  # repeats_before, repeats_after: videos of each window that it leaves out
    repeats_after: int
    before: WindowShare
    after: WindowShare
    sway: Estimate


@dataclass(frozen=True)
class OneRun:
    """One run, described alone."""

    run: RunInfo
    traits: tuple[str, ...]
    started_at: datetime
    steps: int
    resumes: int
    torn: bool
    before: WindowShare
    after: WindowShare
    sway: Estimate  # after minus before in the share of yes, in pp
    sway_bounds: tuple[float, float]
    """Its lowest and highest value whatever the missing judgements would have been."""
    change: Estimate  # the paper's I: the same as a percentage of the share before
    null: NullOfI  # where I lies when nothing happens
    graded: Estimate
    """After minus before in the mean of ``graded_by`` (``p_yes`` or ``score``), in points of 100;
    the second, more efficient reading of the same videos."""
    graded_by: str
    sensitivity: dict[int, Estimate]
    """The sway without the first 1, 2, 3 batches after the change, by number of batches."""
    without_repeats: NewVideos
    """The same windows without repeats, which else count like any exposure."""
    excluded: dict[str, int]
    """Videos that do not count, by reason; ``requested_before_change`` among them."""
    dwell: DwellContrast
    faults: dict[str, int]
    timings_ms: dict[str, float]  # median wall time of each stage of a step
    cautions: tuple[str, ...]  # what one run can't show, and what was odd about this one

    def as_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = as_json(self)
        return told


def summarise(
    columns: RunColumns, rng: np.random.Generator, null_runs: Sequence[WindowCounts] = ()
) -> OneRun:
    """Describe one run, complete or not; ``rng`` draws the null of I, nothing else is random.

    ``null_runs``: runs in which nothing happened, from which that null is drawn.
    """
    run, outline = columns.views, columns.outline
    rows = compared(run)
    counts = run_counts(run, rows)
    before, after = window_share(run, rows.before), window_share(run, rows.after)
    graded, graded_by = graded_sway(run, rows)
    return OneRun(
        run=run.runs[0],
        traits=outline.started.persona.traits,
        started_at=outline.started.at,
        steps=len(run),
        resumes=len(outline.resumes),
        torn=bool(outline.torn),
        before=before,
        after=after,
        sway=_sway_of(counts),
        sway_bounds=missing_bounds(before, after),
        change=change_over_batches(counts.in_points),
        null=null_of_i([[counts]], rng, null_runs=null_runs),
        graded=graded,
        graded_by=graded_by,
        sensitivity={count: _sway_without(run, count) for count in SENSITIVITY},
        without_repeats=_new_videos(run, rows),
        excluded=exclusions(run, rows),
        dwell=dwell_contrast(run),
        faults=dict(Counter(fault.fault for fault in outline.faults)),
        timings_ms=_medians(columns.timings_ms),
        cautions=(
            *_cautions(run, rows, before, after),
            *_moved_by_itself(columns.moved_by_itself),
            *_differences(outline.checks),
        ),
    )


def exclusions(run: Views, rows: ComparedRows) -> dict[str, int]:
    """Count the videos that are not compared, by reason (the adapt phase is not a reason)."""
    reasons = run.exclusions()
    early = int(rows.too_early.sum())
    return reasons | ({"requested_before_change": early} if early else {})


def graded_sway(run: Views, rows: ComparedRows) -> tuple[Estimate, str]:
    """Sway of the graded judgement, and its name: ISQ's score, else the probability of yes."""
    sums, name = _graded_sums(run, rows)
    if sums is None:
        return Estimate(NAN, reason="the model gives no graded judgement"), ""
    return difference_over_batches(sums).within(-100, 100), name


def graded_change(run: Views, rows: ComparedRows) -> tuple[float, str]:
    """The same without its interval, which a mean over runs does not need."""
    sums, name = _graded_sums(run, rows)
    if sums is None:
        return NAN, ""
    sizes = sums.n.sum(1)
    before, after = sums.total.sum(1) / sizes if sizes.all() else (NAN, NAN)
    return float(after - before), name


def _graded_sums(run: Views, rows: ComparedRows) -> tuple[BatchSums | None, str]:
    judged = run.judged & (rows.before | rows.after)
    for name, scale in GRADES.items():
        values = getattr(run, name) * scale
        if judged.any() and not np.isnan(values[judged]).any():
            return batch_sums(run, rows, values, run.judged), name
    return None, ""


def dwell_contrast(run: Views) -> DwellContrast:
    info = run.runs[0]
    decided = info.arm == "treatment"
    rows = run.judged & ~np.isnan(run.dwell)  # of an interrupted step it may not be known
    if decided and info.windows.baseline == "passive":
        rows = rows & (run.phase != BEFORE)
    yes, no = run.dwell[rows & (run.answer == YES)], run.dwell[rows & (run.answer == NO)]
    yes_mean = float(yes.mean()) if len(yes) else NAN
    no_mean = float(no.mean()) if len(no) else NAN
    ratio = yes_mean / no_mean if no_mean > 0 else NAN
    return DwellContrast(len(yes), len(no), yes_mean, no_mean, ratio, decided)


def _sway_without(run: Views, count: int) -> Estimate:
    return _sway_of(run_counts(run, compared(run, count)))


def _sway_of(counts: WindowCounts) -> Estimate:
    return difference_over_batches(counts.in_points).within(-100, 100)


def _new_videos(run: Views, rows: ComparedRows) -> NewVideos:
    new = without_repeats(run)
    kept = compared(new)
    counts = run_counts(new, kept)
    return NewVideos(
        repeats_before=int((rows.before & ~kept.before).sum()),
        repeats_after=int((rows.after & ~kept.after).sum()),
        before=window_share(new, kept.before),
        after=window_share(new, kept.after),
        sway=_sway_of(counts),
    )


def _medians(timings: Mapping[str, Sequence[float]]) -> dict[str, float]:
    medians = {stage: float(np.median(np.array(values))) for stage, values in timings.items()}
    return dict(sorted(medians.items(), key=lambda item: -item[1]))


def _cautions(
    run: Views, rows: ComparedRows, before: WindowShare, after: WindowShare
) -> tuple[str, ...]:
    info = run.runs[0]
    replayed = info.platform == REPLAY
    said = list(_OF_REPLAYS if replayed else _OF_ONE_RUN)
    if info.windows.baseline == "active" and not replayed:
        said.append(
            "The persona already reacted while the before window was measured, so part of the "
            "sway is in it and the difference understates the whole."
        )
    if info.status != "complete":
        said.append("The run is not complete: the windows are shorter than declared.")
    if before.unanswered + after.unanswered:
        said.append("Some videos have no answer; the sway could lie anywhere within its bounds.")
    if batches_assumed(run):
        said.append("The feed did not tell its batches: blocks of 12 videos stand in for them.")
    if rows.too_early.any() and not replayed:
        said.append("Videos requested before the persona began to react were left out.")
    return tuple(said)


def _moved_by_itself(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    videos = count_of(count, "video")
    return (f"The feed moved on by itself after {videos}: how long they lasted is its own doing.",)


def _differences(checks: Sequence[SiteCheck]) -> tuple[str, ...]:
    told = last_difference(checks)
    return (f"The site itself has counted otherwise: {told}.",) if told else ()

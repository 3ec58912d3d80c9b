"""What several runs show together: arms, contrasts, losses, and which design fits them.

Runs are grouped by platform, strategy and model; Holm's correction goes across the groups. Which
test is primary is an argument, declared before anybody looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analysis.data.before_after_windows import (
    WindowShare,
    batches_assumed,
    compared,
    missing_bounds,
    run_counts,
    window_share,
)
from analysis.data.exposures import RunInfo, Views
from analysis.errors import NothingToCompare
from analysis.estimators.contrasts import (
    Attrition,
    Contrast,
    GradedAgreement,
    agreement,
    attrition,
    attrition_p_value,
    mean_bounds,
    sways,
    treatment_minus_control,
    worst_cases,
)
from analysis.estimators.iavg import Group, group_changes
from analysis.estimators.one_run import graded_change
from analysis.estimators.persona_matrix import LEAST_PERSONAS
from analysis.statistics.estimate import NAN, Estimate, Floats
from analysis.statistics.intervals import t_interval
from analysis.statistics.permutation import holm
from analysis.statistics.window_counts import WindowCounts
from store.terminal.printing import count_of

Primary = Literal["t", "permutation"]
CONTROLS = ("yoked", "passive")
BORROWED = "borrowed base"
NO_FRAMES = "no frame was kept that could be judged again"


@dataclass(frozen=True)
class Arm:
    """One arm of one group: mean sway over its runs, and what is missing.

    ``bounds`` holds the mean sway whatever the missing judgements would have been, also of runs
    that lack every answer of a window.
    """

    arm: str
    sway: Estimate
    bounds: tuple[float, float]
    worst: tuple[Estimate, ...]
    """The mean sway over runs with missing answers completed at their worst."""
    judged: int
    unanswered: int
    agreement: GradedAgreement


@dataclass(frozen=True)
class Result:
    """One platform, strategy and model.

    ``p``, ``p_holm``: the primary p-value, and the same after Holm's correction across groups;
    two-sided. Of the first contrast, or of the treatment arm's sway where there is no control.
    """

    platform: str
    strategy: str
    model: str
    arms: tuple[Arm, ...]
    contrasts: tuple[Contrast, ...]  # treatment minus each control arm that is there
    p: float
    p_holm: float
    lost: tuple[Attrition, ...]
    attrition_p: float
    """Fisher's exact test that the treatment arm and the first control lose runs alike."""
    averages: tuple[Group, ...]  # the paper's I_avg by arm, with its null
    batches_assumed: bool  # whether blocks of 12 videos stand in for batches that nobody told
    offers: tuple[DesignOffer, ...]  # the designs, the one that fits best first


@dataclass(frozen=True, eq=False)
class _Measured:
    """What is measured of each run, in the order of the table's runs."""

    counts: list[WindowCounts]
    windows: list[tuple[WindowShare, WindowShare]]
    sway: Floats
    graded: Floats
    assumed: list[bool]


def study(
    views: Views,
    rng: np.random.Generator,
    primary: Primary = "t",
    *,
    frames: bool = True,
    null_runs: Sequence[WindowCounts] = (),
) -> tuple[Result, ...]:
    """Estimate everything that the runs of a table allow, or raise ``NothingToCompare``.

    ``frames``: whether frames of these views were kept, without which nothing is judged again.
    ``null_runs``: runs in which nothing happened, from which the null of I_avg is drawn.
    """
    if not views.runs:
        raise NothingToCompare("There is no run to analyse. Type: python -m analysis iavg latest")
    measured = _measure(views)
    groups: dict[tuple[str, str, str], list[int]] = {}
    for index, run in enumerate(views.runs):
        groups.setdefault((run.platform, run.strategy, run.model), []).append(index)
    averages = group_changes(views.runs, measured.counts, rng, null_runs)
    results = []
    for members in groups.values():
        runs = [views.runs[i] for i in members]
        result = _result(runs, _take(measured, members), averages, rng, primary)
        pairs = max((len(contrast.pairs) for contrast in result.contrasts), default=0)
        results.append(replace(result, offers=offers(runs, pairs, frames=frames)))
    adjusted = holm(np.array([result.p for result in results]))
    return tuple(
        replace(result, p_holm=float(p)) for result, p in zip(results, adjusted, strict=True)
    )


def _measure(views: Views) -> _Measured:
    counts, windows, graded, assumed = [], [], [], []
    for index in range(len(views.runs)):
        run = views.one(index)
        rows = compared(run)
        counts.append(run_counts(run, rows))
        windows.append((window_share(run, rows.before), window_share(run, rows.after)))
        graded.append(graded_change(run, rows)[0])
        assumed.append(batches_assumed(run))
    grades = np.array(graded, dtype=np.float64)
    return _Measured(counts, windows, sways(counts), grades, assumed)


def _take(measured: _Measured, members: Sequence[int]) -> _Measured:
    return _Measured(
        [measured.counts[i] for i in members],
        [measured.windows[i] for i in members],
        measured.sway[list(members)],
        measured.graded[list(members)],
        [measured.assumed[i] for i in members],
    )


def _result(
    runs: Sequence[RunInfo],
    measured: _Measured,
    averages: Sequence[Group],
    rng: np.random.Generator,
    primary: Primary,
) -> Result:
    first = runs[0]
    present = {run.arm for run in runs}
    contrasts = tuple(
        treatment_minus_control(runs, measured.sway, measured.windows, control, rng)
        for control in CONTROLS
        if {"treatment", control} <= present
    )
    arms = tuple(_arm(arm, runs, measured) for arm in ("treatment", *CONTROLS) if arm in present)
    lost = attrition(runs)
    by_arm = {entry.arm: entry for entry in lost}
    return Result(
        platform=first.platform,
        strategy=first.strategy,
        model=first.model,
        arms=arms,
        contrasts=contrasts,
        p=_primary(arms, contrasts, primary),
        p_holm=NAN,
        lost=lost,
        attrition_p=(
            attrition_p_value(by_arm["treatment"], by_arm[contrasts[0].control])
            if contrasts
            else NAN
        ),
        averages=tuple(
            group
            for group in averages
            if (group.platform, group.strategy, group.model)
            == (first.platform, first.strategy, first.model)
        ),
        batches_assumed=any(measured.assumed),
        offers=(),
    )


def _arm(arm: str, runs: Sequence[RunInfo], measured: _Measured) -> Arm:
    members = [index for index, run in enumerate(runs) if run.arm == arm]
    windows = [window for index in members for window in measured.windows[index]]
    bounds = [missing_bounds(*measured.windows[i]) for i in members]
    return Arm(
        arm=arm,
        sway=t_interval(measured.sway[members]).within(-100, 100),
        bounds=mean_bounds(bounds),
        worst=worst_cases(bounds),
        judged=sum(window.judged for window in windows),
        unanswered=sum(window.unanswered for window in windows),
        agreement=agreement(measured.sway[members], measured.graded[members]),
    )


def _primary(arms: Sequence[Arm], contrasts: Sequence[Contrast], primary: Primary) -> float:
    """The declared two-sided p-value; nan where there is no contrast to test."""
    if not contrasts:
        treated = [arm.sway.p for arm in arms if arm.arm == "treatment"]
        return treated[0] if treated and primary == "t" else NAN
    contrast = contrasts[0]
    return contrast.estimate.p if primary == "t" else contrast.permutation.p


@dataclass(frozen=True)
class DesignOffer:
    """A design, whether these runs allow it, and why or why not."""

    design: str
    offered: bool
    why: str


def offers(runs: Sequence[RunInfo], pairs: int, *, frames: bool = True) -> tuple[DesignOffer, ...]:
    """Say which designs these runs allow, the one that fits best first.

    A control arm gives the sway itself, so it comes first where there is one. Without it the
    matrix tells the specific sway with the most power, adjusted where the before window was
    passive; the borrowed base comes last, since drift passes for a sway in it.

    ``pairs``: pairs of a treatment and a control run that both have their windows.
    ``frames``: whether frames were kept, without which nothing can be judged again.
    """
    treated = [run for run in runs if run.arm == "treatment"]
    personas = len({run.persona for run in treated})
    passive = bool(treated) and all(run.windows.baseline == "passive" for run in treated)
    told = [
        _paired_offer(pairs),
        *(
            _rejudged_offer(*design) if frames else DesignOffer(design[0], False, NO_FRAMES)
            for design in (
                ("adjusted matrix", personas, passive, "a placebo comes with it"),
                ("persona matrix", personas, True, "after windows alone"),
                (BORROWED, personas, passive, "where the feed does not drift"),
            )
        ),
    ]
    return tuple(sorted(told, key=lambda offer: not offer.offered))


def _paired_offer(pairs: int) -> DesignOffer:
    counted = f"{count_of(pairs, 'pair')} of treatment and control"
    needs = "" if pairs >= 2 else ", and 2 are needed for an interval"
    return DesignOffer("paired with control", pairs >= 2, counted + needs)


def _rejudged_offer(design: str, personas: int, baseline_fits: bool, note: str) -> DesignOffer:
    if personas < LEAST_PERSONAS:
        return DesignOffer(
            design, False, f"{count_of(personas, 'persona')}, and {LEAST_PERSONAS} are needed"
        )
    if not baseline_fits:
        return DesignOffer(design, False, "the before windows were watched actively")
    return DesignOffer(
        design, True, f"{count_of(personas, 'persona')}, judged again as each other; {note}"
    )

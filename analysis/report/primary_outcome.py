"""The primary test as it was declared: its estimate, and what chance alone would give.

The study file says which test is primary: none is chosen by its result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from analysis.data.exposures import RunInfo
from analysis.estimators.persona_matrix import SpecificSway
from analysis.estimators.rejudged_matrix import PersonaMatrix
from analysis.estimators.study_results import CONTROLS, Result
from analysis.report.declared_study import PrimaryTest
from analysis.statistics.estimate import NAN, Estimate, Floats
from analysis.statistics.group_sequential import SequentialLook
from analysis.statistics.intervals import difference_over_batches, t_p_value
from analysis.statistics.null_models import NullOfSway, null_of_sway, share_below
from analysis.statistics.permutation import Permutation
from analysis.statistics.window_counts import WindowCounts

NEEDS_REJUDGING = "no frame was judged again yet"


@dataclass(frozen=True)
class WorstCase:
    """An estimate with its missing answers to one side, and its p-value, sided as declared."""

    value: float
    p: float


@dataclass(frozen=True)
class Primary:
    """The primary estimate of one platform, strategy and model.

    ``p``, ``sides``, ``test``: p-value, ``one`` or ``two``, and the test in words. nan where there
    is none.
    """

    design: str  # ``controlled``, ``paired``, ``matrix`` or ``borrowed``
    estimate: Estimate
    p: float = NAN
    sides: str = "two"
    test: str = ""
    control: str = ""  # the arm that is subtracted, or nothing
    p_other: float = NAN  # p_other, other: the same hypothesis by another test, where there is one
    other: str = ""
    function: str = ""  # function, null_function: what made the estimate, and the null
    null_function: str = ""
    null: NullOfSway = field(
        default_factory=lambda: NullOfSway(np.array([]), NAN, NAN, NAN, NAN, "none was drawn")
    )
    """Where the estimate lies when nothing happens."""
    bounds: tuple[float, float] = (NAN, NAN)
    """Its lowest and highest value whatever the missing judgements would have been."""
    worst: tuple[WorstCase, ...] = ()
    look: SequentialLook | None = None
    """The look that ``p`` is of, where the study is tested after each replicate."""

    def verdict(self, alpha: float, p_adjusted: float) -> str:
        """``up``, ``down``, ``chance``, ``untested`` (no p-value) or ``absent`` (no estimate)."""
        if not self.estimate.exists:
            return "absent"
        p = self.p if math.isnan(p_adjusted) else p_adjusted
        if math.isnan(p):
            return "untested"
        found = p < alpha if self.look is None else self.look.found
        if not found:
            return "chance"
        return "up" if self.estimate.value > 0 else "down"


def control_arm(runs: Sequence[RunInfo]) -> str:
    """The arm that treatment is compared with; empty where there is none."""
    present = {run.arm for run in runs}
    return next((arm for arm in CONTROLS if {"treatment", arm} <= present), "")


def primary(
    test: PrimaryTest,
    result: Result,
    counts: Sequence[tuple[RunInfo, WindowCounts]],
    matrix: PersonaMatrix | str,
    rng: np.random.Generator,
    null_runs: Sequence[WindowCounts] = (),
) -> Primary:
    """Make the declared estimate; ``matrix`` is the persona matrix, or why there is none."""
    if test.primary in ("matrix", "borrowed"):
        if isinstance(matrix, str):
            return Primary(test.primary, Estimate(NAN, reason=matrix), sides=test.sides)
        made = _specific if test.primary == "matrix" else _borrowed
        return replace(made(matrix, test.sides), sides=test.sides)
    if test.primary == "controlled":
        told = _controlled(result, counts, test.sides, null_runs, rng)
    else:
        told = _paired(result, counts, test.sides, null_runs, rng)
    return replace(told, sides=test.sides)


def _controlled(
    result: Result,
    counts: Sequence[tuple[RunInfo, WindowCounts]],
    sides: str,
    null_runs: Sequence[WindowCounts],
    rng: np.random.Generator,
) -> Primary:
    if not result.contrasts:
        reason = "no control run has started"
        return Primary("controlled", Estimate(NAN, reason=reason))
    contrast = result.contrasts[0]
    by_id = {run.run_id: unit for run, unit in counts}
    treated, control = ([by_id[pair[side]] for pair in contrast.pairs] for side in (0, 1))
    many = contrast.permutation
    return Primary(
        "controlled",
        contrast.estimate,
        p=_t_p(contrast.estimate, sides),
        test="Student's t over pairs",
        control=contrast.control,
        p_other=permutation_p(many, sides),
        other="exchanging the arms within pairs" if many.arrangements else "",
        function="estimators.contrasts.treatment_minus_control",
        null_function="statistics.null_models.null_of_sway",
        null=null_of_sway(treated, control, rng, null_runs=null_runs),
        bounds=contrast.bounds,
        worst=tuple(t_case(one, sides) for one in contrast.worst),
    )


def _paired(
    result: Result,
    counts: Sequence[tuple[RunInfo, WindowCounts]],
    sides: str,
    null_runs: Sequence[WindowCounts],
    rng: np.random.Generator,
) -> Primary:
    arms = [arm for arm in result.arms if arm.arm == "treatment"]
    if not arms:
        return Primary("paired", Estimate(NAN, reason="no treatment run has started"))
    units = [unit for run, unit in counts if run.arm == "treatment"]
    alone = len(units) == 1
    estimate, worst = arms[0].sway, arms[0].worst
    if alone:
        over = difference_over_batches(units[0].in_points)
        estimate = over.within(-100, 100)
        worst = tuple(_moved(estimate, one.value) for one in worst)
    return Primary(
        "paired",
        estimate,
        p=_t_p(estimate, sides),
        test="Student's t over the batches of one run" if alone else "Student's t over runs",
        function="statistics.intervals.difference_over_batches"
        if alone
        else "statistics.intervals.t_interval",
        null_function="statistics.null_models.null_of_sway",
        null=null_of_sway(units, [], rng, null_runs=null_runs),
        bounds=arms[0].bounds,
        worst=tuple(t_case(one, sides) for one in worst),
    )


def _specific(matrix: PersonaMatrix, sides: str) -> Primary:
    sway = matrix.sway
    return Primary(
        "matrix",
        sway.estimate,
        p=permutation_p(sway.test, sides),
        test="permuting which run belongs to whom",
        function="estimators.persona_matrix.specific_sway",
        null_function="estimators.persona_matrix.rearranged",
        null=_permuted(matrix.drawn, sway.estimate.value),
        bounds=matrix.bounds,
        worst=tuple(matrix_case(one, sides) for one in matrix.worst),
    )


def _permuted(drawn: Floats, observed: float) -> NullOfSway:
    """Where the statistic lies when runs are given to personas at random; ties count half."""
    if np.ptp(drawn) < 1e-9:
        reason = "every assignment of runs to personas gives the same"
        return NullOfSway(np.array([]), NAN, NAN, NAN, NAN, reason)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return NullOfSway(drawn, float(low), float(high), share_below(drawn, observed), NAN)


def _borrowed(matrix: PersonaMatrix, sides: str) -> Primary:
    if matrix.borrowed is None:
        return Primary("borrowed", Estimate(NAN, reason=matrix.refused))
    estimate = matrix.borrowed.estimate
    return Primary(
        "borrowed",
        estimate,
        p=_t_p(estimate, sides),
        test="Student's t over personas, by jackknife",
        function="estimators.shrunk_baseline.borrowed_base",
    )


def _moved(estimate: Estimate, value: float) -> Estimate:
    """The same estimate about another value: one run's bounds have no spread of their own."""
    return replace(estimate, value=value, p=t_p_value(value / estimate.se, estimate.df))


def _t_p(estimate: Estimate, sides: str) -> float:
    """Student's t for the declared side: one-sided is for a sway towards the persona."""
    if sides == "two" or math.isnan(estimate.p):
        return estimate.p
    return estimate.p / 2 if estimate.value > 0 else 1 - estimate.p / 2


def t_case(estimate: Estimate, sides: str) -> WorstCase:
    """An estimate by Student's t as a case of its own."""
    return WorstCase(estimate.value, _t_p(estimate, sides))


def matrix_case(sway: SpecificSway, sides: str) -> WorstCase:
    """A specific sway as a case of its own.

    Of no completion is the one-sided p-value greater than that of the worst. So the two-sided test
    takes twice the smaller one-sided p-value, where it is larger than its own.
    """
    value, test = sway.estimate.value, sway.test
    if sides == "one" or math.isnan(test.p):
        return WorstCase(value, permutation_p(test, sides))
    below = 1 - test.p_greater + 1 / test.arrangements
    return WorstCase(value, max(test.p, min(1, 2 * min(test.p_greater, below))))


def permutation_p(test: Permutation, sides: str) -> float:
    return test.p if sides == "two" else test.p_greater

"""Estimates over several runs: paired sways, treatment minus control, bounds, attrition.

Every function takes arrays with one entry per run and pairs within the account first. The run
is the cluster; intervals come from ``intervals``, tests from ``permutation``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.data.before_after_windows import WindowShare, missing_bounds
from analysis.data.exposures import RunInfo
from analysis.statistics.estimate import NAN, Estimate, Floats
from analysis.statistics.intervals import t_interval
from analysis.statistics.permutation import Permutation, sign_flips
from analysis.statistics.window_counts import WindowCounts


@dataclass(frozen=True)
class Contrast:
    """Treatment minus control in the sway, in pp."""

    control: str
    estimate: Estimate  # mean over pairs with Student's t over pairs
    permutation: Permutation  # the same mean by exchanging arms within pairs
    bounds: tuple[float, float]
    """Smallest and largest value whatever the missing judgements would have been; pairs that lack
    every answer of a window are in it."""
    worst: tuple[Estimate, ...]
    """With missing answers to either side, and completed so that the test finds least."""
    pairs: tuple[tuple[str, str], ...]  # (treatment run, control run), by id
    unpaired: tuple[str, ...]
    """Runs without a partner of the same persona and replicate, or without both windows."""


def sways(counts: Sequence[WindowCounts]) -> Floats:
    """After minus before of each run, in pp; nan where a window is empty."""
    return np.array([100 * (unit.share[1] - unit.share[0]) for unit in counts], dtype=np.float64)


def pair_up(runs: Sequence[RunInfo], control: str) -> list[tuple[int, int]]:
    """Match each treatment run with the control run of the same persona and replicate.

    Platform, strategy and model have to agree too. Returns indices (treatment, control).
    """
    partner = {_key(run): index for index, run in enumerate(runs) if run.arm == control}
    return [
        (index, partner[_key(run)])
        for index, run in enumerate(runs)
        if run.arm == "treatment" and _key(run) in partner
    ]


def _key(run: RunInfo) -> tuple[str, str, str, str, int]:
    return run.platform, run.strategy, run.model, run.persona, run.replicate


def treatment_minus_control(
    runs: Sequence[RunInfo],
    sway: Floats,
    windows: Sequence[tuple[WindowShare, WindowShare]],
    control: str,
    rng: np.random.Generator,
) -> Contrast:
    """Contrast the arms, paired by persona and replicate.

    ``runs``, ``sway``, ``windows``: one entry per run: what it was, its sway in pp, and its
    (before, after).
    ``control``: arm to compare with: ``yoked`` or ``passive``.
    """
    matched = [(t, c) for t, c in pair_up(runs, control) if not math.isnan(sway[t] - sway[c])]
    used = {index for pair in matched for index in pair}
    differences = np.array([sway[t] - sway[c] for t, c in matched], dtype=np.float64)
    bounds = [
        contrast_bounds(missing_bounds(*windows[t]), missing_bounds(*windows[c]))
        for t, c in pair_up(runs, control)
    ]
    return Contrast(
        control=control,
        estimate=t_interval(differences).within(-200, 200),
        permutation=sign_flips(differences, rng) if matched else Permutation(NAN, NAN, 0, False),
        bounds=mean_bounds(bounds),
        worst=worst_cases(bounds),
        pairs=tuple((runs[t].run_id, runs[c].run_id) for t, c in matched),
        unpaired=tuple(
            run.run_id
            for index, run in enumerate(runs)
            if run.arm in ("treatment", control) and index not in used
        ),
    )


def contrast_bounds(
    treatment: tuple[float, float], control: tuple[float, float]
) -> tuple[float, float]:
    """Bounds of treatment minus control: the control's missing answers go the other way."""
    return treatment[0] - control[1], treatment[1] - control[0]


def mean_bounds(bounds: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Bounds of a mean over runs or pairs; those that showed nothing in a window have none."""
    known = [(low, high) for low, high in bounds if not math.isnan(low)]
    if not known:
        return NAN, NAN
    low, high = np.mean(known, axis=0)
    return float(low), float(high)


_AT_ONCE = 20_000_000  # numbers
_LISTED = 12  # runs or pairs whose bounds are tried in every combination


def worst_cases(bounds: Sequence[tuple[float, float]]) -> tuple[Estimate, ...]:
    """Student's t over the lower bounds, over the upper ones, and where t is nearest to 0.

    Some bounds low and others high can spread the values so far that t is smaller than at either
    side. As t has no least value within a side's interior, the ends are tried in every combination:
    those of the twelve widest bounds; further ones stay at the end nearest to 0.
    """
    ends = np.array(bounds, dtype=np.float64).reshape(-1, 2)
    ends = ends[~np.isnan(ends).any(1)]
    sides = t_interval(ends[:, 0]), t_interval(ends[:, 1])
    wide = np.argsort(ends[:, 0] - ends[:, 1], kind="stable")[:_LISTED]
    wide = wide[ends[wide, 1] > ends[wide, 0]]
    if len(ends) < 2 or not len(wide):
        return sides
    nearest = np.take_along_axis(ends, np.abs(ends).argmin(1)[:, None], 1)[:, 0]
    chosen = np.array(list(itertools.product((0, 1), repeat=len(wide))))
    sizes = []
    for some in np.array_split(chosen, max(1, len(chosen) * len(ends) // _AT_ONCE)):
        filled = np.tile(nearest, (len(some), 1))
        filled[:, wide] = ends[wide, some]
        spread = np.maximum(filled.std(1, ddof=1), 1e-9)
        sizes.append(np.abs(filled.mean(1) / spread))
    worst = nearest.copy()
    worst[wide] = ends[wide, chosen[np.concatenate(sizes).argmin()]]
    return *sides, t_interval(worst)


@dataclass(frozen=True)
class Attrition:
    """Runs of one arm: how many were started, and how many have both windows in full."""

    arm: str
    started: int
    complete: int
    short: tuple[str, ...]


def attrition(runs: Sequence[RunInfo]) -> tuple[Attrition, ...]:
    told = []
    for arm in dict.fromkeys(["treatment", *sorted(run.arm for run in runs)]):
        members = [run for run in runs if run.arm == arm]
        if not members:
            continue
        short = tuple(run.run_id for run in members if run.status != "complete")
        told.append(Attrition(arm, len(members), len(members) - len(short), short))
    return tuple(told)


def attrition_p_value(one: Attrition, other: Attrition) -> float:
    """Fisher's exact two-sided test that two arms lose runs alike."""
    return fisher_p_value((len(one.short), one.started), (len(other.short), other.started))


def fisher_p_value(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Fisher's exact two-sided test that two shares are alike, each as (count, of how many)."""
    (count, size), (counted, others) = one, other
    if not (size and others):
        return NAN
    both = count + counted
    weights = [
        math.comb(size, k) * math.comb(others, both - k)
        for k in range(max(0, both - others), min(both, size) + 1)
    ]
    observed = math.comb(size, count) * math.comb(others, counted)
    return sum(w for w in weights if w <= observed) / math.comb(size + others, both)


@dataclass(frozen=True)
class GradedAgreement:
    """Whether the graded sway says the same as the yes/no one.

    Both are put on the scale of their own standard errors; ``agree`` is whether the signs are
    the same and neither interval excludes 0 on a different side.
    """

    binary: Estimate
    graded: Estimate
    correlation: float
    agree: bool
    efficiency: float
    """Variance of the yes/no estimate over that of the graded one, each in units of itself."""


def agreement(binary: Floats, graded: Floats) -> GradedAgreement:
    """Compare the yes/no sways of runs with their graded ones.

    ``binary``, ``graded``: one entry per run, in pp and in points of 100. The two have different
    scales (a judge that is seldom sure moves its graded answer less), so that size is not compared,
    but sign and precision: ``efficiency`` is the squared ratio of the t statistics.
    """
    both = ~(np.isnan(binary) | np.isnan(graded))
    one = t_interval(binary[both]).within(-100, 100)
    other = t_interval(graded[both], unit="points").within(-100, 100)
    correlation, efficiency = NAN, NAN
    if one.bounded and other.bounded:
        correlation = float(np.corrcoef(binary[both], graded[both])[0, 1])
        if one.value:
            efficiency = (other.value / other.se) ** 2 / (one.value / one.se) ** 2
    return GradedAgreement(
        one, other, correlation, _verdict(one) * _verdict(other) >= 0, efficiency
    )


def _verdict(estimate: Estimate) -> int:
    """1 or -1 where the interval lies on one side of 0, else 0."""
    if not estimate.bounded:
        return 0
    return int(estimate.low > 0) - int(estimate.high < 0)

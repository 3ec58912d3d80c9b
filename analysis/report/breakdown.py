"""The sway broken down: by persona (the forest plot), and by position in the feed (the drift).

A persona's interval is over the batches of its own runs, and describes these accounts alone; what
holds for personas in general is the estimate over runs. A curve has a point for each bin of
consecutive videos that count, with a band over runs, and no bin straddles windows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.data.before_after_windows import compared
from analysis.data.exposures import ASSUMED_BATCH, PHASES, YES, RunInfo, Views
from analysis.estimators.contrasts import pair_up
from analysis.statistics.estimate import NAN, Estimate, Ints, Mask
from analysis.statistics.intervals import difference_over_batches, t_interval, t_p_value, t_quantile
from analysis.statistics.window_counts import WindowCounts


@dataclass(frozen=True)
class PersonaSway:
    """One persona: shares of yes in %, and its sway in pp.

    ``treatment``, ``control``: share of yes before and after, means over its runs of these arms;
    ``control`` is nan where there is none. Runs without a sway, or with a control without a partner
    that has one, are left out where others have one.
    """

    persona: str
    runs: int  # its treatment runs
    treatment: tuple[float, float]
    control: tuple[float, float]
    estimate: Estimate  # treatment minus control where there is a control, else after minus before


def by_persona(
    runs: Sequence[RunInfo], counts: Sequence[WindowCounts], control: str | None
) -> tuple[PersonaSway, ...]:
    """Sway of each persona, in the order of their ids, from one entry per run.

    ``control``: arm to subtract within pairs; ``None`` to take the treatment alone.
    """
    over = [difference_over_batches(unit.in_points) for unit in counts]
    whole = {at for at, unit in enumerate(counts) if unit.n.sum(1).all()}
    partners: Mapping[int, int] = dict(pair_up(runs, control)) if control else {}
    pairs = {t: c for t, c in partners.items() if {t, c} <= whole}
    told = []
    for persona in sorted({run.persona for run in runs}):
        mine = [i for i, run in enumerate(runs) if (run.persona, run.arm) == (persona, "treatment")]
        if not mine:
            continue
        used = [i for i in mine if i in (pairs if control else whole)]
        parts = [_less(over[i], over[pairs[i]]) if control else over[i] for i in used]
        lonely = bool(control) and not set(mine) & set(partners)
        told.append(
            PersonaSway(
                persona=persona,
                runs=len(mine),
                treatment=_means([counts[i] for i in used or mine]),
                control=_means([counts[pairs[i]] for i in used] if control else []),
                estimate=_mean(parts, lonely).within(*((-200, 200) if control else (-100, 100))),
            )
        )
    return tuple(told)


def _means(runs: Sequence[WindowCounts]) -> tuple[float, float]:
    """Mean share of yes of some runs, before and after, in %."""
    if not runs:
        return NAN, NAN
    before, after = np.mean([100 * run.share for run in runs], axis=0)
    return float(before), float(after)


def _less(one: Estimate, other: Estimate) -> Estimate:
    value = one.value - other.value
    if not (one.bounded and other.bounded):
        return Estimate(value, reason=one.reason or other.reason)
    return _combined(value, (one, other), 1.0)


def _mean(parts: Sequence[Estimate], lonely: bool) -> Estimate:
    if not parts:
        return Estimate(NAN, reason=f"no run {'with a partner' if lonely else 'has both windows'}")
    if len(parts) == 1:
        return parts[0]
    value = float(np.mean([part.value for part in parts]))
    unbounded = [part for part in parts if not part.bounded]
    if unbounded:
        return Estimate(value, reason=unbounded[0].reason)
    return _combined(value, parts, 1 / len(parts))


def _combined(value: float, parts: Sequence[Estimate], weight: float) -> Estimate:
    """Interval of a weighted sum of independent estimates.

    Student's t on the degrees of freedom of Welch and Satterthwaite (Biometrika 1947).
    """
    variances = np.array([(weight * part.se) ** 2 for part in parts])
    variance = float(variances.sum())
    df = variance**2 / float((variances**2 / [part.df for part in parts]).sum())
    se = math.sqrt(variance)
    half = t_quantile(0.95, df) * se
    return Estimate(
        value=value,
        low=value - half,
        high=value + half,
        method=f"Student's t, {df:.1f} degrees of freedom",
        clusters=sum(part.clusters for part in parts),
        df=df,
        se=se,
        p=t_p_value(value / se, df),
    )


@dataclass(frozen=True)
class Bin:
    """Consecutive positions within one window, counted in eligible videos from 0."""

    phase: str
    first: int
    last: int

    @property
    def middle(self) -> float:
        return (self.first + self.last) / 2


@dataclass(frozen=True)
class ArmCurve:
    """One arm: in each bin the mean over runs of a run's share of yes, in %."""

    arm: str
    points: tuple[Estimate, ...]


@dataclass(frozen=True)
class Drift:
    """Curves over the same bins; ``length`` is the number of eligible positions."""

    bins: tuple[Bin, ...]
    curves: tuple[ArmCurve, ...]
    length: int


def drift(views: Views, runs: Sequence[int], arms: Sequence[str]) -> Drift:
    """Share of yes over eligible position, by arm, of the runs with these indices.

    Bins hold about 12 positions, the size of a batch. Runs whose windows are shorter than others'
    are in the bins that they reach. Videos of the after window that were requested before the
    change keep their positions and have no say, as in every comparison.
    """
    rows = np.isin(views.run, list(runs)) & views.eligible
    run, phase, answer = views.run[rows], views.phase[rows], views.answer[rows]
    place = _places(run, phase)
    lengths = [int(place[phase == code].max(initial=-1)) + 1 for code in range(len(PHASES))]
    bins, starts = _bins(lengths)
    offsets = np.cumsum([0, *lengths[:-1]])
    which = np.searchsorted(starts, offsets[phase] + place, side="right") - 1
    cell = run * len(bins) + which
    size = len(views.runs) * len(bins)
    known = (answer >= 0) & ~_too_early(views)[rows]
    said_yes = known & (answer == YES)
    n = np.bincount(cell[known], minlength=size).reshape(-1, len(bins))
    yes = np.bincount(cell[said_yes], minlength=size).reshape(-1, len(bins))
    share = np.divide(100 * yes, n, out=np.full(n.shape, np.nan), where=n > 0)
    curves = []
    for arm in arms:
        members = [index for index in runs if views.runs[index].arm == arm]
        points = tuple(t_interval(column, "%").within(0, 100) for column in share[members].T)
        curves.append(ArmCurve(arm, points))
    return Drift(bins, tuple(curves), sum(lengths))


def _too_early(views: Views) -> Mask:
    runs = [compared(views.one(index)).too_early for index in range(len(views.runs))]
    early: Mask = np.concatenate(runs)
    return early


def _places(run: Ints, phase: Ints) -> Ints:
    """Place of each row within its run and phase, counted from 0; rows are in order."""
    group = run * len(PHASES) + phase
    order = np.argsort(group, kind="stable")
    grouped = group[order]
    first = np.searchsorted(grouped, grouped, side="left")
    place = np.empty(len(group), dtype=np.int64)
    place[order] = np.arange(len(group)) - first
    return place


def _bins(lengths: Sequence[int]) -> tuple[tuple[Bin, ...], Ints]:
    """Bins of about a batch within each phase, and where they start."""
    bins: list[Bin] = []
    offset = 0
    for phase, length in zip(PHASES, lengths, strict=True):
        parts = max(1, round(length / ASSUMED_BATCH))
        edges = (offset + np.linspace(0, length, parts + 1).round()).astype(int)
        bins += [Bin(phase, int(a), int(b) - 1) for a, b in itertools.pairwise(edges) if b > a]
        offset += length
    return tuple(bins), np.array([part.first for part in bins], dtype=np.int64)

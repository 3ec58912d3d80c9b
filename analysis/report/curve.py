"""The share of yes over position: one curve per arm, with a band over runs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.data.exposures import ASSUMED_BATCH, PHASES, YES, Ints, Mask, Views
from analysis.data.windows import compared
from analysis.statistics.estimate import Estimate
from analysis.statistics.intervals import t_interval


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

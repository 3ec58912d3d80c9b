"""Answers of personas about videos, and their shares with intervals that respect both.

Answers of one persona hang together, and so do answers about one video, so both are clusters:
Cameron, Gelbach & Miller, "Robust inference with multiway clustering", JBES 29 (2011). The variance
of a share is that over personas, plus that over videos, less that over single answers; where that
is negative the larger of the first two stands in. Where all answers are alike there is no variance
to go by; the interval reaches as far then as Wilson's would for one answer from each persona or
each video, whichever are fewer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.benchmarks.viewer_inputs import Exhibit, Tell
from agent.judge.judge import ModelJudge
from store.runs.ledger_lines import Judgement

AT_ONCE = 8
"""Questions under way at the same time."""
_Z = 1.959964  # of the normal distribution, for 95 %
_NIL = 1e-12

Grid = NDArray[np.float64]
"""One row a persona, one column a video; ``nan`` where there is no answer."""


class GridCell(NamedTuple):
    """One persona and one video, by their places."""

    persona: int
    video: int


@dataclass(frozen=True)
class GridAnswers:
    """What was said about pairs of a grid."""

    shape: tuple[int, int]
    said: Mapping[GridCell, Judgement]

    @property
    def yes(self) -> Grid:
        """1 for a yes, 0 for a no; ``nan`` where there is no answer."""
        return self.lay_out(lambda j: None if j.answer is None else float(j.answer == "yes"))

    @property
    def scores(self) -> Grid:
        """S% of questionnaires."""
        return self.lay_out(lambda judgement: judgement.score)

    def lay_out(self, measure: Callable[[Judgement], float | None]) -> Grid:
        """Lay out a number of each judgement; ``nan`` where there is none."""
        grid: Grid = np.full(self.shape, np.nan)
        for pair, judgement in self.said.items():
            number = measure(judgement)
            grid[pair] = np.nan if number is None else number
        return grid


async def ask_pairs(
    judges: Sequence[ModelJudge],
    exhibits: Sequence[Exhibit],
    pairs: Sequence[GridCell],
    tell: Tell,
    repeat: int = 0,
) -> GridAnswers:
    """Ask about every pair, past any kept reply; the first failure ends the others.

    The first question about each video goes alone, so that its latency is the model's own.
    """
    said: dict[GridCell, Judgement] = {}
    places = asyncio.Semaphore(AT_ONCE)
    by_video: dict[int, list[GridCell]] = {}
    for pair in pairs:
        by_video.setdefault(pair.video, []).append(pair)

    async def one(pair: GridCell) -> None:
        async with places:
            exhibit = exhibits[pair.video]
            judge = judges[pair.persona]
            said[pair] = await judge.judge((exhibit.frame,), exhibit.caption, repeat=repeat)
        tell(len(said), len(pairs))

    for first, *others in by_video.values():
        await one(first)
        try:
            async with asyncio.TaskGroup() as group:
                for pair in others:
                    group.create_task(one(pair))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
    return GridAnswers((len(judges), len(exhibits)), said)


@dataclass(frozen=True)
class MeasuredShare:
    """A share (or a mean) with its 95 % interval; ``nan`` where nothing was counted."""

    value: float
    low: float
    high: float
    answers: int
    """How many answers it is a share of."""


def measure_share(hits: Grid) -> MeasuredShare:
    """Share of hits (1) among hits and misses (0)."""
    return measure_mean(hits, 0, 1)


def measure_mean(grid: Grid, lowest: float, highest: float) -> MeasuredShare:
    """Mean of what can lie between two bounds."""
    counted = ~np.isnan(grid)
    if not counted.any():
        return MeasuredShare(nan, nan, nan, 0)
    value = float(grid[counted].mean())
    influence = np.where(counted, np.nan_to_num(grid) - value, 0.0) / counted.sum()
    return _with_interval(value, influence, counted, (lowest, highest))


def balance_shares(first: Grid, second: Grid) -> MeasuredShare:
    """Mean of two shares over one grid. Each cell is in one of them at most."""
    one, other = measure_share(first), measure_share(second)
    if not one.answers or not other.answers:
        return MeasuredShare(nan, nan, nan, one.answers + other.answers)
    influence = np.zeros(first.shape)
    for hits, part in ((first, one), (second, other)):
        counted = ~np.isnan(hits)
        influence[counted] += (hits[counted] - part.value) / counted.sum() / 2
    counted = ~np.isnan(first) | ~np.isnan(second)
    return _with_interval((one.value + other.value) / 2, influence, counted)


def _clusters(counted: NDArray[np.bool_]) -> int:
    return min(int(counted.any(axis=1).sum()), int(counted.any(axis=0).sum()))


def _with_interval(
    value: float,
    influence: Grid,
    counted: NDArray[np.bool_],
    bounds: tuple[float, float] = (0.0, 1.0),
) -> MeasuredShare:
    from scipy.special import stdtrit  # heavy for a start-up

    clusters = _clusters(counted)
    answers = int(counted.sum())
    if clusters < 2:
        return MeasuredShare(value, nan, nan, answers)
    if np.abs(influence).max() < _NIL:
        slack = _Z**2 / (clusters + _Z**2)
        low, high = value - slack * (value - bounds[0]), value + slack * (bounds[1] - value)
        return MeasuredShare(value, low, high, answers)
    over = [float((influence.sum(axis=axis) ** 2).sum()) for axis in (1, 0)]
    variance = over[0] + over[1] - float((influence**2).sum())
    variance = (variance if variance > 0 else max(over)) * clusters / (clusters - 1)
    half = float(stdtrit(clusters - 1, 0.975)) * sqrt(variance)
    return MeasuredShare(value, max(bounds[0], value - half), min(bounds[1], value + half), answers)

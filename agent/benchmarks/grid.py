"""Puts many questions about exhibits to one model, several at a time, past any kept reply.

Refuses to know what the answers mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from agent.benchmarks.exhibits import Exhibit
from agent.benchmarks.shares import Grid
from agent.judge.judge import ModelJudge
from store.runs.records import Judgement

AT_ONCE = 8
"""Questions under way at the same time."""

Told = Callable[[int, int], None]
"""Told how many questions of how many are answered."""


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
        return self.grid(lambda j: None if j.answer is None else float(j.answer == "yes"))

    @property
    def scores(self) -> Grid:
        """S% of questionnaires."""
        return self.grid(lambda judgement: judgement.score)

    def grid(self, of: Callable[[Judgement], float | None]) -> Grid:
        """Lay out a number of each judgement; ``nan`` where there is none."""
        grid: Grid = np.full(self.shape, np.nan)
        for pair, judgement in self.said.items():
            number = of(judgement)
            grid[pair] = np.nan if number is None else number
        return grid


async def ask(
    judges: Sequence[ModelJudge],
    exhibits: Sequence[Exhibit],
    pairs: Sequence[GridCell],
    told: Told,
    repeat: int = 0,
) -> GridAnswers:
    """Ask about every pair; the first failure ends the others.

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
        told(len(said), len(pairs))

    for first, *others in by_video.values():
        await one(first)
        try:
            async with asyncio.TaskGroup() as group:
                for pair in others:
                    group.create_task(one(pair))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
    return GridAnswers((len(judges), len(exhibits)), said)

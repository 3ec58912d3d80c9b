"""Shares over a grid of personas and videos, with intervals that respect both.

Answers of one persona hang together, and so do answers about one video, so both are clusters:
Cameron, Gelbach & Miller, "Robust inference with multiway clustering", JBES 29 (2011). The variance
of a share is that over personas, plus that over videos, less that over single answers; where that
is negative the larger of the first two stands in. Refuses to know what the answers are about.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.float64]
"""One row a persona, one column a video; ``nan`` where there is no answer."""


@dataclass(frozen=True)
class Share:
    """A share from 0 to 1 with its 95 % interval; ``nan`` where nothing was counted."""

    value: float
    low: float
    high: float
    answers: int
    """How many answers it is a share of."""


def share(hits: Grid) -> Share:
    """Share of hits (1) among hits and misses (0)."""
    counted = ~np.isnan(hits)
    if not counted.any():
        return Share(nan, nan, nan, 0)
    value = float(hits[counted].mean())
    influence = np.where(counted, np.nan_to_num(hits) - value, 0.0) / counted.sum()
    return _with_interval(value, influence, counted)


def balanced(first: Grid, second: Grid) -> Share:
    """Mean of two shares over the same personas and videos, each cell in one of them at most."""
    one, other = share(first), share(second)
    if not one.answers or not other.answers:
        return Share(nan, nan, nan, one.answers + other.answers)
    influence = np.zeros(first.shape)
    for hits, part in ((first, one), (second, other)):
        counted = ~np.isnan(hits)
        influence[counted] += (hits[counted] - part.value) / counted.sum() / 2
    counted = ~np.isnan(first) | ~np.isnan(second)
    return _with_interval((one.value + other.value) / 2, influence, counted)


def _with_interval(value: float, influence: Grid, counted: NDArray[np.bool_]) -> Share:
    from scipy.special import stdtrit  # heavy for a start-up

    clusters = min(int(counted.any(axis=1).sum()), int(counted.any(axis=0).sum()))
    answers = int(counted.sum())
    if clusters < 2:
        return Share(value, nan, nan, answers)
    over = [float((influence.sum(axis=axis) ** 2).sum()) for axis in (1, 0)]
    variance = over[0] + over[1] - float((influence**2).sum())
    variance = (variance if variance > 0 else max(over)) * clusters / (clusters - 1)
    half = float(stdtrit(clusters - 1, 0.975)) * sqrt(variance)
    return Share(value, max(0.0, value - half), min(1.0, value + half), answers)

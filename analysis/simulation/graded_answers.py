"""Simulated graded answers beside the simulated yes and no, which stay as they were drawn.

A video has a latent normal whose mean is such that it is above 0 at its batch's rate, and a yes is
a latent above 0. A judge's score is ``Phi(latent / tau)``: near 0 or 1 where tau is small (a sure
judge), near the middle where it is large (an unsure one). A score that tells nothing beside its
answer is on the answer's side of 1/2 and otherwise noise, as where videos either suit a persona or
do not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from analysis.simulation.scenarios import SimulatedAnswers

Floats = NDArray[np.float64]

_EDGE = 1e-12  # rates and ranks are kept this far from 0 and 1, where a normal quantile is infinite
_GRID = np.linspace(0, 1, 402)[1:-1]
_RANKS = (np.arange(400) + 0.5) / 400


@dataclass(frozen=True)
class Grader:
    """How a judge grades."""

    tau: float  # its unsureness
    telling: bool = True
    """Whether the score is of the latent; else it tells nothing beside the answer."""
    fading: float = 1.0
    """By how much it is less sure in the after windows: there tau is this many times as large."""

    @property
    def by_window(self) -> tuple[Grader, Grader]:
        """The same judge before and after."""
        return replace(self, fading=1.0), replace(self, tau=self.fading * self.tau, fading=1.0)


SURE = Grader(0.3)
UNSURE = Grader(2.0)
NOISY = Grader(1.0, telling=False)
FADING = Grader(0.3, fading=3.0)


def graded(
    drawn: SimulatedAnswers, grader: Grader, icc: float, rng: np.random.Generator
) -> SimulatedAnswers:
    """The same studies with sums of scores in place of counts of yes.

    Shares are then mean scores in points of 100, and ``expected`` is the mean score without
    chance. Scores are drawn video by video of a batch, so that memory stays that of the counts.

    ``icc``: of the world that was drawn.
    """
    if drawn.rates is None:
        raise ValueError("these answers were not drawn with their rates")
    sums = np.zeros(drawn.yes.shape)
    for window, batch in zip(*np.nonzero(_longest(drawn.n)), strict=True):
        at = (..., window, batch)
        n = np.broadcast_to(drawn.n[at], drawn.yes[at].shape)
        for video in range(int(n.max())):
            said = drawn.yes[at] > video
            score = _scores(said, drawn.rates[at], grader.by_window[window], rng)
            sums[at] += np.where(video < n, score, 0.0)
    expected = [
        100 * _mean_score(shares / 100, judge, icc)
        for shares, judge in zip(drawn.expected, grader.by_window, strict=True)
    ]
    return replace(drawn, yes=sums, expected=np.stack(expected))


def _longest(n: Floats) -> Floats:
    """Most videos of any run, by window and batch."""
    most: Floats = n.reshape(-1, *n.shape[-2:]).max(0)
    return most


def _scores(
    said: NDArray[np.bool_], rate: Floats, grader: Grader, rng: np.random.Generator
) -> Floats:
    """A score for each answer."""
    from scipy.special import ndtr, ndtri

    rank = rng.random(said.shape)
    if not grader.telling:
        latent = np.abs(ndtri(np.clip(rank, _EDGE, 1 - _EDGE))) * np.where(said, 1, -1)
    else:
        rate = np.clip(rate, _EDGE, 1 - _EDGE)
        # the latent's rank among all: yes is the uppermost share of them
        rank = np.where(said, 1 - rate * rank, (1 - rate) * rank)
        latent = ndtri(rate) + ndtri(np.clip(rank, _EDGE, 1 - _EDGE))
    score: Floats = ndtr(latent / grader.tau)
    return score


def _mean_score(rate: Floats, grader: Grader, icc: float) -> Floats:
    """Mean score where the mean rate is this, over batches and videos."""
    mean: Floats = np.interp(rate, _GRID, _curve(grader, icc))
    return mean


@lru_cache(maxsize=16)
def _curve(grader: Grader, icc: float) -> Floats:
    """Mean score on a grid of mean rates; over a batch, ``Phi(mean latent / sqrt(1 + tau^2))``."""
    from scipy.special import betaincinv, ndtr, ndtri

    if not grader.telling:
        # E Phi(|z| / tau) for a standard normal z
        sure = 0.5 + np.arctan(1 / grader.tau) / np.pi
        return np.asarray(1 - sure + (2 * sure - 1) * _GRID)
    rates = _GRID[:, None]
    if icc > 0:
        strength = (1 - icc) / icc
        rates = betaincinv(_GRID[:, None] * strength, (1 - _GRID[:, None]) * strength, _RANKS)
    latent = ndtri(np.clip(rates, _EDGE, 1 - _EDGE))
    return np.asarray(ndtr(latent / np.sqrt(1 + grader.tau**2)).mean(1))

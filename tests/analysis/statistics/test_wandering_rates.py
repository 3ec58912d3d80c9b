"""Feeds that wander: as far as real ones, and as the formula says."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.statistics.wandering_rates import (
    SHARE,
    VIDEOS,
    correlation,
    variance_of_difference,
    wandering,
)

REAL = {(50, 50): 1.27, (100, 100): 1.85, (50, 150): 1.66}
"""Of 76 control runs: variance of after minus before over that of answers drawn one by one, by the
videos of a window and from the begin of one to the begin of the other."""
ERROR = 0.17  # of a variance of 76 runs, as a share of it


@pytest.mark.parametrize(("size", "apart"), REAL)
def test_runs_that_are_drawn_vary_as_real_ones(size: int, apart: int) -> None:
    rng = np.random.default_rng(1)
    at = np.arange(apart + size, dtype=np.float64)
    yes = rng.random((4000, len(at))) < wandering(rng, np.full(4000, 0.2), at)
    change = yes[:, apart:].mean(1) - yes[:, :size].mean(1)
    inflation = change.var() / (2 * 0.2 * 0.8 / size)
    assert inflation == pytest.approx(REAL[size, apart], rel=ERROR)
    n = np.zeros((2, len(at)))
    n[0, :size] = n[1, apart:] = 1
    formula = variance_of_difference(n, at, np.full(2, 0.4))
    assert change.var() == pytest.approx(formula + 2 * 0.16 / size, rel=4 * np.sqrt(2 / 4000))


def test_shares_that_are_near_are_alike_in_whatever_order_they_come() -> None:
    rng = np.random.default_rng(2)
    at = np.array([150.0, 0.0, 50.0, 50.0, 1e6])
    drawn = wandering(rng, np.full(40_000, 0.5), at)
    assert np.corrcoef(drawn.T) == pytest.approx(correlation(at, at), abs=0.02)
    assert correlation(at, at)[0, 1] == pytest.approx(np.exp(-150 / VIDEOS))
    assert drawn.var(0) == pytest.approx(SHARE * 0.25, rel=0.04)
    assert drawn.mean(0) == pytest.approx(0.5, abs=0.003)


def test_a_share_that_is_certain_does_not_wander() -> None:
    at = np.arange(4, dtype=np.float64)
    drawn = wandering(np.random.default_rng(3), np.array([0.0, 1.0]), at)
    assert drawn.tolist() == [[0] * 4, [1] * 4]

"""The runs' own null of the sway."""

import numpy as np
import pytest

from analysis.statistics.null_iavg import WindowCounts
from analysis.statistics.null_sway import null_of_sway
from tests.analysis.made import plausible


def runs(
    rng: np.random.Generator, count: int, sway: float = 0.0, icc: float = 0.1
) -> list[WindowCounts]:
    """Runs of 50 and 50 videos in batches of 12, base 20 %."""
    n = np.array([[12, 12, 12, 12, 2, 0, 0, 0, 0], [0, 0, 0, 0, 10, 12, 12, 12, 4]], dtype=float)
    made = []
    for _ in range(count):
        strength = (1 - icc) / icc
        rate = np.array([[0.2], [0.2 + sway]])
        rates = rng.beta(rate * strength, (1 - rate) * strength, (2, 9))
        made.append(WindowCounts(n, rng.binomial(n.astype(int), rates).astype(float)))
    return made


def test_the_null_is_centred_and_as_wide_as_theory_says() -> None:
    rng = np.random.default_rng(4)
    treated, control = runs(rng, 8), runs(rng, 8)
    null = null_of_sway(treated, control, rng, draws=20_000)
    assert null.drawn.mean() == pytest.approx(0, abs=0.2)
    assert null.low == pytest.approx(-null.high, abs=1)
    assert (np.diff(null.drawn) >= 0).all()
    rate = np.mean([unit.pooled for unit in [*treated, *control]])
    binomial = 100 * np.sqrt(rate * (1 - rate) * (4 / 50) / 8)
    assert binomial < null.drawn.std() < 2.2 * binomial


def test_the_percentile_is_uniform_when_nothing_happens() -> None:
    rng = np.random.default_rng(9)
    studies, high = 300, 0
    for _ in range(studies):
        null = null_of_sway(runs(rng, 6), runs(rng, 6), rng, draws=400)
        high += not 2.5 <= null.percentile <= 97.5
    assert plausible(high, studies, 0.02, 0.12)


def test_a_sway_lies_above_its_null() -> None:
    rng = np.random.default_rng(5)
    null = null_of_sway(runs(rng, 8, sway=0.3), [], rng)
    assert null.percentile > 99
    assert null.reason == ""


def test_where_there_is_no_null() -> None:
    rng = np.random.default_rng(5)
    empty = WindowCounts(np.zeros((2, 3)), np.zeros((2, 3)))
    alike = WindowCounts(np.array([[5.0], [5.0]]), np.array([[1.0], [2.0]]))
    for units in ([], [empty], [alike]):
        null = null_of_sway(units, [], rng)
        assert len(null.drawn) == 0
        assert np.isnan(null.percentile)
        assert null.reason

"""The null models of I and of the sway."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.statistics.intervals import binomial_p_value
from analysis.statistics.null_models import (
    WindowCounts,
    draw_yes,
    intraclass_correlation,
    mean_change,
    null_of_i,
    null_of_sway,
)
from tests.analysis.made_results import plausible

PAPER = np.array([[12, 12, 12, 12, 2, 0, 0, 0, 0], [0, 0, 0, 0, 10, 12, 12, 12, 4]], float)


def drawn(rng: np.random.Generator, rate: float, icc: float) -> WindowCounts:
    """A run in which nothing happens."""
    columns = [draw_yes(rng, rate, icc, column[:, None], 1)[0] for column in PAPER.T]
    return WindowCounts(PAPER, np.stack(columns, axis=1).astype(float))


def test_i_of_counts() -> None:
    unit = WindowCounts(np.array([[10.0], [20.0]]), np.array([[2.0], [6.0]]))
    assert unit.share.tolist() == [0.2, 0.3]
    assert unit.change == pytest.approx(50)
    assert unit.pooled == pytest.approx(8 / 30)
    assert math.isnan(WindowCounts(unit.n, np.array([[0.0], [6.0]])).change)


def test_undefined_personas_are_counted_and_not_averaged() -> None:
    one = WindowCounts(np.array([[10.0], [10.0]]), np.array([[2.0], [4.0]]))
    none = WindowCounts(one.n, np.array([[0.0], [4.0]]))
    assert np.allclose(mean_change([one, none]), (100, 1))
    average, undefined = mean_change([none])
    assert math.isnan(average)
    assert undefined == 1


# the figures of the method's null: mean of I at 50 and 50 videos when nothing happens
@pytest.mark.parametrize(
    ("rate", "icc", "mean"),
    [(0.1, 0, 26), (0.2, 0, 10), (0.4, 0, 3), (0.1, 0.1, 45), (0.2, 0.1, 23), (0.4, 0.1, 7)],
)
def test_the_mean_of_i_when_nothing_happens(rate: float, icc: float, mean: float) -> None:
    unit = WindowCounts(PAPER, PAPER * rate)
    null = null_of_i([unit], np.random.default_rng(1), icc=icc, draws=40_000)
    assert null.mean == pytest.approx(mean, abs=3)
    assert null.low < 0 < null.high


@pytest.mark.parametrize("personas", [1, 10])
def test_the_percentile_is_even_when_nothing_happens(personas: int) -> None:
    rng = np.random.default_rng(7)
    percentiles = []
    for _ in range(300):
        units = [drawn(rng, 0.3, 0.1) for _ in range(personas)]
        percentiles.append(null_of_i(units, rng, draws=300).percentile)
    extreme = sum(p < 5 or p > 95 for p in percentiles)
    assert binomial_p_value(extreme, 300, 0.1) > 0.001
    assert abs(np.mean(percentiles) - 50) < 3.3 * 100 / math.sqrt(12 * 300)


def test_a_real_change_lies_above_its_null() -> None:
    yes = np.where(PAPER[0] > 0, PAPER * 0.25, PAPER * 0.75).round()
    null = null_of_i([WindowCounts(PAPER, yes)] * 4, np.random.default_rng(1))
    assert null.percentile > 99


def test_a_null_that_cannot_be_drawn_says_why() -> None:
    rng = np.random.default_rng(1)
    single = WindowCounts(np.array([[5.0], [0.0]]), np.array([[2.0], [0.0]]))
    assert "batches" in null_of_i([single], rng).reason
    never = WindowCounts(PAPER, 0 * PAPER)
    assert math.isnan(null_of_i([never], rng).percentile)
    assert null_of_i([never], rng).reason
    rare = WindowCounts(PAPER, np.where(np.arange(9) == 7, [[0.0], [3.0]], 0.0))
    assert null_of_i([rare], rng).reason == "I is undefined here"


@pytest.mark.parametrize("icc", [0.0, 0.1, 0.3])
def test_the_correlation_within_batches_is_found_again(icc: float) -> None:
    rng = np.random.default_rng(5)
    units = [drawn(rng, 0.3, icc) for _ in range(400)]
    found = intraclass_correlation(
        np.concatenate([unit.n for unit in units]), np.concatenate([unit.yes for unit in units])
    )
    assert found == pytest.approx(icc, abs=0.02)


def test_the_correlation_by_hand() -> None:
    # two batches of two, one all yes and one all no: nothing varies within
    assert intraclass_correlation(np.array([[2.0, 2.0]]), np.array([[2.0, 0.0]])) == 1
    # one yes in each: nothing varies between
    assert intraclass_correlation(np.array([[2.0, 2.0]]), np.array([[1.0, 1.0]])) == -1
    assert math.isnan(intraclass_correlation(np.array([[4.0]]), np.array([[2.0]])))
    assert math.isnan(intraclass_correlation(np.array([[4.0, 4.0]]), np.zeros((1, 2))))


def test_draws_keep_the_rate_and_straddling_batches() -> None:
    rng = np.random.default_rng(2)
    yes = draw_yes(rng, 0.3, 0.5, np.array([[6.0], [6.0]]), 20_000)
    assert yes.mean() / 6 == pytest.approx(0.3, abs=0.01)
    assert np.corrcoef(yes[:, 0], yes[:, 1]).min() > 0.8
    apart = draw_yes(rng, 0.3, 0.5, np.array([[6.0, 0], [0, 6.0]]), 20_000)
    assert abs(np.corrcoef(apart[:, 0], apart[:, 1]).min()) < 0.03


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

"""The null models of I and of the sway."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from analysis.statistics.null_models import draw_yes, null_of_i, null_of_sway
from analysis.statistics.window_counts import (
    WindowCounts,
    intraclass_correlation,
    mean_change,
    pooled,
)
from tests.analysis.made_results import plausible

PAPER = np.array([[12, 12, 12, 12, 2, 0, 0, 0, 0], [0, 0, 0, 0, 10, 12, 12, 12, 4]], float)
AT = 12 * np.arange(9, dtype=np.float64) + 5.5


def counts(n: Sequence[Sequence[float]], yes: Sequence[Sequence[float]]) -> WindowCounts:
    return WindowCounts(np.array(n, float), np.array(yes, float), AT[: len(n[0])])


def drawn(rng: np.random.Generator, rate: float, icc: float) -> WindowCounts:
    """A run in which nothing happens."""
    columns = [draw_yes(rng, np.array([rate]), icc, column[:, None])[0] for column in PAPER.T]
    return WindowCounts(PAPER, np.stack(columns, axis=1).astype(float), AT)


def test_i_of_counts() -> None:
    unit = counts([[10], [20]], [[2], [6]])
    assert unit.share.tolist() == [0.2, 0.3]
    assert unit.change == pytest.approx(50)
    assert math.isnan(counts([[10], [20]], [[0], [6]]).change)
    assert unit.in_points.total.tolist() == [[200], [600]]
    assert unit.in_points.sd == pytest.approx([40, 100 * math.sqrt(0.21)])


def test_undefined_personas_are_counted_and_not_averaged() -> None:
    one = counts([[10], [10]], [[2], [4]])
    none = counts([[10], [10]], [[0], [4]])
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
    yes = draw_yes(np.random.default_rng(1), np.full(40_000, rate), icc, PAPER)
    before, after = yes[yes[:, 0] > 0].T
    assert (100 * (after / before - 1)).mean() == pytest.approx(mean, abs=3)


def test_an_effect_does_not_shrink_the_null_that_it_is_read_against() -> None:
    """The rate of both windows together would: I of the same before window spreads less there."""
    yes = (0.2 * PAPER).round()
    risen = np.array([yes[0], np.minimum(PAPER[1], 4 * yes[1])])
    still, moved = (
        null_of_i([[WindowCounts(PAPER, each, AT)]], np.random.default_rng(1))
        for each in (yes, risen)
    )
    assert (moved.low, moved.high) == (still.low, still.high)
    assert moved.percentile > still.percentile


@pytest.mark.parametrize("personas", [1, 10])
def test_the_percentile_is_seldom_extreme_when_nothing_happens(personas: int) -> None:
    rng = np.random.default_rng(7)
    percentiles = []
    for _ in range(200):
        units = [[drawn(rng, 0.3, 0.1)] for _ in range(personas)]
        percentiles.append(null_of_i(units, rng, draws=150).percentile)
    # these feeds do not wander, so that the null is a little wide; and a before window that is high
    # by chance makes I low, and its null narrow, so that the lower tail is the fuller one
    assert plausible(sum(p < 5 for p in percentiles), 200, 0.02, 0.08)
    assert plausible(sum(p > 95 for p in percentiles), 200, 0.005, 0.05)
    assert abs(np.mean(percentiles) - 50) < 10


def test_a_real_change_lies_above_its_null() -> None:
    yes = np.where(PAPER[0] > 0, PAPER * 0.25, PAPER * 0.75).round()
    null = null_of_i([[WindowCounts(PAPER, yes, AT)]] * 4, np.random.default_rng(1))
    assert null.percentile > 98


def test_a_null_that_cannot_be_drawn_says_why() -> None:
    rng = np.random.default_rng(1)
    single = counts([[5], [0]], [[2], [0]])
    assert "batches" in null_of_i([[single]], rng).reason
    never = WindowCounts(PAPER, 0 * PAPER, AT)
    assert math.isnan(null_of_i([[never]], rng).percentile)
    assert null_of_i([[never]], rng).reason
    rare = WindowCounts(PAPER, np.where(np.arange(9) == 7, [[0.0], [3.0]], 0.0), AT)
    assert null_of_i([[rare]], rng).reason == "I is undefined here"


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
    rate = np.full(20_000, 0.3)
    yes = draw_yes(rng, rate, 0.5, np.array([[6.0], [6.0]]))
    assert yes.mean() / 6 == pytest.approx(0.3, abs=0.01)
    assert np.corrcoef(yes[:, 0], yes[:, 1]).min() > 0.8
    apart = draw_yes(rng, rate, 0.5, np.array([[6.0, 0], [0, 6.0]]))
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
        made.append(WindowCounts(n, rng.binomial(n.astype(int), rates).astype(float), AT))
    return made


def test_the_null_is_centred_and_as_wide_as_theory_says() -> None:
    rng = np.random.default_rng(4)
    treated, control = runs(rng, 8), runs(rng, 8)
    null = null_of_sway(treated, control, rng, draws=20_000)
    assert null.drawn.mean() == pytest.approx(0, abs=0.2)
    assert null.low == pytest.approx(-null.high, abs=1)
    assert (np.diff(null.drawn) >= 0).all()
    rate = np.mean([unit.share[0] for unit in [*treated, *control]])
    binomial = 100 * np.sqrt(rate * (1 - rate) * (4 / 50) / 8)
    assert binomial < null.drawn.std() < 2.5 * binomial


def test_the_percentile_is_uniform_when_nothing_happens() -> None:
    rng = np.random.default_rng(9)
    studies, high = 200, 0
    for _ in range(studies):
        null = null_of_sway(runs(rng, 6), runs(rng, 6), rng, draws=200)
        high += not 2.5 <= null.percentile <= 97.5
    assert plausible(high, studies, 0.02, 0.12)


def test_a_sway_lies_above_its_null() -> None:
    rng = np.random.default_rng(5)
    null = null_of_sway(runs(rng, 8, sway=0.3), [], rng)
    assert null.percentile > 99
    assert null.reason == ""


def test_where_there_is_no_null() -> None:
    rng = np.random.default_rng(5)
    empty = WindowCounts(np.zeros((2, 3)), np.zeros((2, 3)), AT[:3])
    alike = counts([[5], [5]], [[1], [2]])
    for units in ([], [empty], [alike]):
        null = null_of_sway(units, [], rng)
        assert len(null.drawn) == 0
        assert np.isnan(null.percentile)
        assert null.reason


def test_runs_of_one_persona_wander_each_for_itself() -> None:
    one, two = drawn(np.random.default_rng(1), 0.3, 0.1), drawn(np.random.default_rng(2), 0.3, 0.1)
    both = pooled([one, two])
    assert both.share == pytest.approx((one.share + two.share) / 2)
    assert both.at[:9].tolist() == one.at.tolist()
    assert both.at[9] - both.at[8] > 1e5


def test_null_runs_take_the_place_of_the_model() -> None:
    """All is exact: of 3 runs and 20 others there are 1,771 threes, and this one is the highest."""
    rng = np.random.default_rng(3)
    quiet = [counts([[10], [10]], [[4], [yes]]) for yes in (3, 4, 4, 5, 3) * 4]
    risen = [counts([[10], [10]], [[4], [9]])] * 3
    sway = null_of_sway(risen, [], rng, null_runs=quiet, draws=20_000)
    assert (sway.null_runs, math.isnan(sway.icc)) == (20, True)
    assert sway.drawn.max() == pytest.approx(50)
    share_of_highest = (sway.drawn > 49.9).mean()
    assert plausible(round(20_000 * share_of_highest), 20_000, 1 / 1771, 1 / 1771)
    assert sway.percentile == pytest.approx(100 * (1 - share_of_highest / 2))
    change = null_of_i([[run] for run in risen], rng, null_runs=quiet, draws=20_000)
    assert change.percentile > 99.9
    assert change.mean == pytest.approx(100 * ((3 * 50 + 20 * -2) / 23) / 40, abs=1)


def test_a_persona_with_two_runs_is_drawn_with_two() -> None:
    rng = np.random.default_rng(4)
    quiet = [counts([[10], [10]], [[0], [5]]), counts([[10], [10]], [[5], [0]])] * 10
    null = null_of_i([quiet[:2]], rng, null_runs=quiet[2:], draws=4000)
    # two runs without yes before leave I undefined; one alone would in half of the draws
    assert null.undefined == pytest.approx(10 * 9 / (20 * 19), abs=0.03)

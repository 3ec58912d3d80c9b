import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import t as student

from analysis.statistics.estimate import Floats
from analysis.statistics.intervals import (
    BatchSums,
    binomial_interval,
    binomial_p_value,
    change_over_batches,
    crossed,
    difference_over_batches,
    jackknife,
    t_interval,
    window_sums,
)
from analysis.statistics.null_models import draw_yes
from analysis.statistics.wandering_rates import SHARE, VIDEOS
from analysis.statistics.window_counts import WindowCounts
from tests.analysis.made_results import plausible

# 50 and 50 videos in batches of 12: the fifth batch straddles the windows
PAPER = np.array([[12, 12, 12, 12, 2, 0, 0, 0, 0], [0, 0, 0, 0, 10, 12, 12, 12, 4]], float)
AT: Floats = 12 * np.arange(9, dtype=np.float64) + 5.5


def counts(
    n: Sequence[Sequence[float]], yes: Sequence[Sequence[float]], apart: float = 1e9
) -> BatchSums:
    """Batches so far apart that each wanders for itself, unless they are said to be nearer."""
    at = apart * np.arange(len(n[0]), dtype=np.float64)
    return WindowCounts(np.array(n, float), np.array(yes, float), at).in_points


def test_t_interval_of_three_runs() -> None:
    estimate = t_interval(np.array([1.0, 2.0, 3.0]))
    half = 4.302653 / math.sqrt(3)
    assert estimate.value == 2
    assert estimate.low == pytest.approx(2 - half, abs=1e-5)
    assert estimate.high == pytest.approx(2 + half, abs=1e-5)
    assert estimate.p == pytest.approx(0.07418, abs=1e-4)
    assert (estimate.clusters, estimate.df) == (3, 2)


def test_runs_without_a_sway_are_left_out_and_counted() -> None:
    assert t_interval(np.array([1.0, math.nan, 3.0])).clusters == 2


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], "no run has both windows"),
        ([5.0], "one run has no spread over runs"),
        ([5.0, 5.0], "every cluster says the same"),
    ],
)
def test_an_interval_that_does_not_exist_says_why(values: list[float], reason: str) -> None:
    estimate = t_interval(np.array(values))
    assert not estimate.bounded
    assert math.isnan(estimate.p)
    assert estimate.reason.startswith(reason)


def test_the_jackknife_of_a_mean_is_students_t() -> None:
    values = np.array([3.0, 8.0, -2.0, 5.0, 11.0])
    left_out = (values.sum() - values) / 4
    one, other = jackknife(values.mean(), left_out, 4), t_interval(values)
    assert one.low == pytest.approx(other.low)
    assert one.p == pytest.approx(other.p)
    assert jackknife(2.0, np.array([1.0, 2.0, 3.0]), 1).bounded
    assert not jackknife(2.0, np.array([1.0, 2.0]), 0).bounded


def test_window_sums_keep_a_straddling_batch_in_both_windows() -> None:
    sums = window_sums(
        np.array([1.0, 0, 1, 1]),
        np.array([False, False, True, True]),
        np.array([7, 9, 9, 11]),
        np.array([3, 4, 8, 9]),
    )
    assert sums.n.tolist() == [[1, 1, 0], [0, 1, 1]]
    assert sums.total.tolist() == [[1, 0, 0], [0, 1, 1]]
    assert sums.at.tolist() == [3, 6, 9]
    assert sums.sd.tolist() == [0.5, 0]


def test_the_difference_over_batches_by_hand() -> None:
    n = [[2, 2, 0, 0], [0, 0, 2, 2]]
    yes = [[0, 1, 0, 0], [0, 0, 1, 2]]
    # shares 1/4 and 3/4; without each batch in turn: 1/4, 3/4, 3/4, 1/4 more after than before
    estimate = difference_over_batches(counts(n, yes))
    assert estimate.value == 50
    # what a feed wanders is not added here: it would gain more freedom than it costs
    assert estimate.se == pytest.approx(100 * math.sqrt(3 / 4 * 4 / 16))
    assert estimate.df == 2


def test_a_feed_wanders_and_less_between_windows_that_are_near() -> None:
    """By hand: four batches in each window, and the rest is the jackknife's."""
    n = [[6] * 4 + [0] * 4, [0] * 4 + [6] * 4]
    yes = [[1, 2, 1, 2, 0, 0, 0, 0], [0, 0, 0, 0, 3, 4, 3, 5]]
    far, near = (difference_over_batches(counts(n, yes, apart)) for apart in (1e9, 10.0))
    spread = [math.sqrt(6 * 18), math.sqrt(15 * 9)]  # of 24 answers, times 24
    weights = [-spread[0] / 4] * 4 + [spread[1] / 4] * 4

    def wandered(alike: float) -> float:
        pairs = ((g, h) for g in range(8) for h in range(8))
        total = sum(weights[g] * weights[h] * alike ** abs(g - h) for g, h in pairs)
        return SHARE * total * (100 / 24) ** 2

    shares = [  # after minus before without each batch, of 18 and 24 answers, in %
        *(100 * (15 / 24 - (6 - one) / 18) for one in (1, 2, 1, 2)),
        *(100 * ((15 - one) / 18 - 6 / 24) for one in (3, 4, 3, 5)),
    ]
    left_out = np.array(shares)
    over_batches = 7 / 8 * ((left_out - left_out.mean()) ** 2).sum()
    for told, alike in ((far, 0.0), (near, math.exp(-10 / VIDEOS))):
        variance = over_batches + wandered(alike)
        assert told.se == pytest.approx(math.sqrt(variance))
        assert told.df == pytest.approx(6 * (variance / over_batches) ** 2)
    assert near.high - near.low < far.high - far.low


def test_windows_without_videos_or_with_one_batch() -> None:
    nothing = difference_over_batches(counts([[3], [0]], [[1], [0]]))
    assert math.isnan(nothing.value)
    assert nothing.reason == "no judged video in the after window"
    two = difference_over_batches(counts([[3, 0], [0, 3]], [[1, 0], [0, 2]]))
    assert two.value == pytest.approx(100 / 3)
    assert not two.bounded
    assert two.reason == "a window holds only one batch, so batches tell no spread"


def test_i_is_the_papers() -> None:
    change = change_over_batches(
        counts([[10, 10, 0, 0], [0, 0, 10, 10]], [[2, 3, 0, 0], [0, 0, 5, 6]])
    )
    assert change.value == pytest.approx(120)
    assert -100 < change.low < 120 < change.high
    # the ends are as far from the value as logarithms, so that their product is its square
    ends = (1 + change.low / 100) * (1 + change.high / 100)
    assert ends == pytest.approx(2.2**2)
    nothing = change_over_batches(counts([[3], [0]], [[1], [0]]))
    assert nothing.reason == "a window has no judged video"


@pytest.mark.parametrize(
    ("yes", "reason"),
    [
        ([[0, 0, 0, 0], [0, 0, 5, 6]], "nothing was yes before"),
        ([[0, 3, 0, 0], [0, 0, 5, 6]], "one batch holds every yes of a window"),
        ([[3, 3, 0, 0], [0, 0, 0, 0]], "one batch holds every yes of a window"),
    ],
)
def test_i_without_an_interval_says_why(yes: list[list[float]], reason: str) -> None:
    change = change_over_batches(counts([[10, 10, 0, 0], [0, 0, 10, 10]], yes))
    assert not change.bounded
    assert change.reason.startswith(reason)


@pytest.mark.parametrize(("rate", "icc"), [(0.2, 0.1), (0.4, 0.0), (0.5, 0.2)])
def test_intervals_over_four_batches_a_window_cover(rate: float, icc: float) -> None:
    rng = np.random.default_rng(20250301)
    covered, draws = 0, 800
    # one batch at a time, as windows of their own; only the straddling one has two
    rates = np.full(draws, rate)
    by_batch = [draw_yes(rng, rates, icc, column[:, None]) for column in PAPER.T]
    for yes in np.stack(by_batch, axis=2):
        estimate = difference_over_batches(WindowCounts(PAPER, yes.astype(float), AT).in_points)
        covered += estimate.low <= 0 <= estimate.high
    # a percentile bootstrap's would be 0.86 to 0.89; feeds that do not wander are covered too well
    assert plausible(covered, draws, 0.95, 0.99)


def test_exact_binomial_values() -> None:
    assert np.allclose(binomial_interval(0, 10), (0, 0.30850), atol=1e-5)
    assert np.allclose(binomial_interval(10, 10), (0.69150, 1), atol=1e-5)
    assert math.isnan(binomial_interval(0, 0)[0])
    assert binomial_p_value(8, 10, 0.5) == pytest.approx(2 * 56 / 1024)
    assert binomial_p_value(5, 10, 0.5) == 1.0


def test_a_change_is_no_larger_than_one_yes_before_allows() -> None:
    change = change_over_batches(
        counts([[12, 12, 0, 0], [0, 0, 12, 12]], [[1, 1, 0, 0], [0, 0, 2, 9]])
    )
    assert change.value == pytest.approx(450)
    assert -100 < change.low < change.value
    assert change.high == 100 * (24 / 1 - 1)  # one yes of 24 before, nothing but yes after
    assert change.method.endswith("of the logarithm of the ratio, cut at what can exist")


def test_a_crossed_variance_takes_off_what_both_ways_count() -> None:
    """By hand, after Cameron, Gelbach and Miller: V = V_rows + V_columns - V_both."""
    values = np.array([[10.0, 20.0, 30.0], [40.0, 80.0, 90.0]])
    rows, columns, mean = [20.0, 70.0], [25.0, 50.0, 60.0], 45.0
    by_row = sum((row - mean) ** 2 for row in rows) / 1 / 2
    by_column = sum((column - mean) ** 2 for column in columns) / 2 / 3
    both = sum(
        (values[r, c] - rows[r] - columns[c] + mean) ** 2 for r in range(2) for c in range(3)
    )
    both /= 1 * 2 * 6
    assert (by_row, by_column, both) == pytest.approx((625, 325 / 3, 25))
    told = crossed(values)
    variance = by_row + by_column - both
    df = variance**2 / (by_row**2 / 1 + by_column**2 / 2 + both**2 / 2)
    assert told.df == pytest.approx(df)
    assert told.high - told.value == pytest.approx(
        float(student.ppf(0.975, df)) * math.sqrt(variance)
    )


def test_an_interval_has_the_unit_and_the_level_that_it_was_asked_for() -> None:
    assert crossed(np.array([[1.0, 2.0], [3.0, 5.0]])).unit == "pp"
    sums = counts(
        [[6] * 4 + [0] * 4, [0] * 4 + [6] * 4], [[1, 2, 1, 2] + [0] * 4, [0] * 4 + [3, 4, 3, 5]]
    )
    wide, narrow = (difference_over_batches(sums, "points", level) for level in (0.95, 0.8))
    assert (narrow.unit, narrow.level) == ("points", 0.8)
    assert narrow.high - narrow.low < wide.high - wide.low


@pytest.mark.parametrize(
    ("n", "yes"),
    [
        ([[3], [0]], [[1], [0]]),
        ([[3, 0], [0, 3]], [[1, 0], [0, 2]]),
        ([[10, 10, 0, 0], [0, 0, 10, 10]], [[0, 0, 0, 0], [0, 0, 5, 6]]),
        ([[10, 10, 0, 0], [0, 0, 10, 10]], [[2, 3, 0, 0], [0, 0, 5, 6]]),
    ],
)
def test_an_estimate_of_one_run_says_its_unit_level_and_batches_also_without_an_interval(
    n: list[list[float]], yes: list[list[float]]
) -> None:
    sums = counts(n, yes)
    sway, change = difference_over_batches(sums, "points", 0.8), change_over_batches(sums, 0.8)
    assert (sway.unit, sway.level, sway.clusters) == ("points", 0.8, len(n[0]))
    assert (change.unit, change.level, change.clusters) == ("%", 0.8, len(n[0]))
    sway, change = difference_over_batches(sums), change_over_batches(sums)
    assert (sway.unit, sway.level, change.level) == ("pp", 0.95, 0.95)


@pytest.mark.parametrize("values", [[], [5.0], [5.0, 5.0], [1.0, 2.0, 3.0]])
def test_an_estimate_over_runs_says_its_unit_level_and_runs_also_without_an_interval(
    values: list[float],
) -> None:
    table = np.array([values, values]).T if values else np.zeros((1, 1))
    for told, size in (
        (t_interval(np.array(values), "points", 0.8), len(values)),
        (jackknife(0.0, np.array(values), len(values) - 1, "points", 0.8), len(values)),
        (crossed(table, "points", 0.8), min(table.shape)),
    ):
        assert (told.unit, told.level, told.clusters) == ("points", 0.8, size)
    assert t_interval(np.array(values)).level == crossed(table).level == 0.95
    assert jackknife(0.0, np.array(values), len(values) - 1).level == 0.95


def test_a_crossed_variance_is_no_less_than_that_of_either_way() -> None:
    rng = np.random.default_rng(3)
    floors = 0
    for _ in range(50):
        values = rng.normal(0, 1, (4, 5))
        by_row = float(values.mean(1).var(ddof=1)) / 4
        by_column = float(values.mean(0).var(ddof=1)) / 5
        told = crossed(values)
        se = (told.high - told.value) / float(student.ppf(0.975, told.df))
        assert se**2 >= max(by_row, by_column) * (1 - 1e-9)
        floors += se**2 == pytest.approx(max(by_row, by_column))
    assert 5 < floors < 50  # where only noise varies, the floor is what holds

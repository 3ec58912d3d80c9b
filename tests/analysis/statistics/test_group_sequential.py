"""Looks by permutation paths, held against counting by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from analysis.statistics.group_sequential import error_spent, take_looks


def test_error_is_spent_by_the_square_of_the_part_that_is_done() -> None:
    assert [error_spent(0.05, number, 4) for number in (1, 2, 4)] == [0.003125, 0.0125, 0.05]


def test_a_look_stops_where_the_error_up_to_it_allows() -> None:
    """Of 100 paths 1 may cross at the first of two looks at 0.04, and 4 over both."""
    drawn = np.stack([np.arange(99) / 100.0, np.zeros(99)])
    (first,) = take_looks(np.array([1.0]), drawn[:1], 2, 0.04, "greater")
    assert first.spent == pytest.approx(0.01)
    assert (first.p, first.found) == (0.01, True)
    (second,) = take_looks(np.array([0.975]), drawn[:1], 2, 0.04, "greater")
    assert (second.p, second.found) == (0.02, False)


def test_who_crossed_before_counts_at_later_looks() -> None:
    """The best of the first look is gone; it counts, although it is low in the end."""
    first, last = np.arange(99) / 100.0, -np.arange(99) / 50.0
    looks = take_looks(np.array([0.5, 9.0]), np.stack([first, last]), 2, 0.04, "greater")
    assert [look.number for look in looks] == [1, 2]
    assert looks[0].p == pytest.approx(0.50)  # 49 lie above, one is equal, and itself... of 100
    assert looks[1].p == pytest.approx(0.02)  # itself, and the one that crossed
    assert looks[1].found


def test_equal_paths_cross_together_or_not_at_all() -> None:
    drawn = np.concatenate([np.full(3, 5.0), np.zeros(96)])
    looks = take_looks(np.array([0.0, 0.0]), np.stack([drawn, np.zeros(99)]), 2, 0.08, "greater")
    assert looks[1].p == 1.0  # three of equal rank are more than two that may cross
    looks = take_looks(np.array([0.0, 0.0]), np.stack([drawn, np.zeros(99)]), 2, 0.12, "greater")
    assert looks[1].p == 1.0  # three may, did, and count with all that are left


@pytest.mark.parametrize("sided", ["two", "greater"])
def test_the_level_is_exact_over_all_paths(sided: str) -> None:
    """Every path in turn is the observed one: no more than alpha of them find something."""
    rng = np.random.default_rng(4)
    stages = rng.standard_normal((3, 200))
    found = 0
    for place in range(200):
        others = np.delete(stages, place, axis=1)
        looks = take_looks(stages[:, place], others, 3, 0.05, sided)  # type: ignore[arg-type]
        found += looks[-1].found
    assert found == 10  # all of the error is spent in the end


def test_nothing_is_found_where_too_few_paths_tell() -> None:
    drawn = np.array(list(itertools.repeat(0.0, 19)))[None]
    (look,) = take_looks(np.array([99.0]), drawn, 5, 0.05)
    assert (look.p, look.found) == (0.05, False)


@pytest.mark.parametrize(("stages", "bound"), [(1, 2.773), (2, 2.347), (3, 2.062)])
def test_bounds_are_those_of_normal_statistics(stages: int, bound: float) -> None:
    """Of three looks at 0.05, solved by integrating the multivariate normal density with SciPy.

    100,000 paths tell a bound of 2.8 to about 0.02.
    """
    drawn = np.random.default_rng(1).standard_normal((3, 100_000))
    for z, crosses in ((bound + 0.06, True), (bound - 0.06, False)):
        path = np.array([0.0] * (stages - 1) + [z * np.sqrt(stages)])
        assert take_looks(path, drawn[:stages], 3, 0.05)[-1].found == crosses

"""Agreement of people equals published examples, and computations by hand."""

from __future__ import annotations

import math
from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.estimators.label_agreement import (
    cohen_kappa,
    krippendorff_alpha,
    leave_out_clusters,
    measure_agreement,
)
from analysis.statistics.estimate import Ints
from tests.analysis.made_labels import label_rows

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011): two observers, binary (B), and
# four observers with missing data (C and D), nominal.
BINARY = [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
FOUR = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, -1, -1, -1],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, -1, 3],
    [-1, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, -1],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, -1],
]


def alpha_by_hand(answers: list[list[int]]) -> float:
    """The coincidence matrix, pair by pair."""
    pairs: Counter[tuple[int, int]] = Counter()
    for unit in zip(*answers, strict=True):
        values = [value for value in unit if value >= 0]
        for one, two in permutations(range(len(values)), 2):
            pairs[values[one], values[two]] += 1 / (len(values) - 1)  # type: ignore[assignment]
    totals: Counter[int] = Counter()
    for (one, _), count in pairs.items():
        totals[one] += count
    n = sum(totals.values())
    observed = sum(count for (one, two), count in pairs.items() if one != two) / n
    expected = sum(totals[one] * totals[two] for one in totals for two in totals if one != two) / (
        n * (n - 1)
    )
    return 1 - observed / expected


def test_published_examples() -> None:
    assert krippendorff_alpha(np.array(BINARY)) == pytest.approx(0.095, abs=5e-4)
    assert krippendorff_alpha(np.array(FOUR)) == pytest.approx(0.743, abs=5e-4)
    assert alpha_by_hand(FOUR) == pytest.approx(0.743, abs=5e-4)


@given(st.lists(st.tuples(*[st.integers(-1, 2)] * 3), min_size=2, max_size=20))
def test_alpha_equals_a_count_of_pairs(units: list[tuple[int, ...]]) -> None:
    answers = [list(row) for row in zip(*units, strict=True)]
    found = krippendorff_alpha(np.array(answers))
    try:
        expected = alpha_by_hand(answers)
    except ZeroDivisionError:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(expected)


def test_alpha_of_one_value_or_of_nobody_is_none() -> None:
    assert math.isnan(krippendorff_alpha(np.array([[1, 1], [1, 1]])))
    assert math.isnan(krippendorff_alpha(np.array([[1, -1], [-1, 1]])))
    assert krippendorff_alpha(np.array([[0, 1, 0], [0, 1, 0]])) == 1


def test_cohens_kappa_of_a_table() -> None:
    """Cohen's kappa by its formula, of a table of 20, 5, 10 and 15."""
    first = np.array([1] * 25 + [0] * 25)
    second = np.array([1] * 20 + [0] * 5 + [1] * 10 + [0] * 15)
    assert cohen_kappa(first, second) == pytest.approx((0.7 - 0.5) / 0.5)
    doubled = np.concatenate([first, first[:20]]), np.concatenate([second, second[:20]])
    weight = np.ones(50)
    weight[:20] = 2
    assert cohen_kappa(first, second, weight) == pytest.approx(cohen_kappa(*doubled))
    missing = np.append(first, -1), np.append(second, 1)
    assert cohen_kappa(*missing) == cohen_kappa(first, second)


def test_the_interval_leaves_out_a_run_at_a_time() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 80)
    answers = np.stack([np.where(rng.random(80) < 0.85, truth, 1 - truth) for _ in range(2)])
    rows = label_rows(answers, run=np.repeat(np.arange(8), 10))
    told = measure_agreement(rows)
    left = [krippendorff_alpha(answers[:, rows.run != run]) for run in range(8)]
    se = math.sqrt(7 / 8 * sum((one - np.mean(left)) ** 2 for one in left))
    t = 2.364624251592785  # Student's t of 7 degrees of freedom
    assert told.alpha.value == pytest.approx(krippendorff_alpha(answers))
    assert told.alpha.high - told.alpha.low == pytest.approx(2 * t * se)
    assert told.alpha.clusters == 8
    one_run = measure_agreement(label_rows(answers, run=np.zeros(80, int), batch=rows.run))
    assert one_run.alpha == told.alpha, "of one run its batches"


def test_who_differs_and_who_ties() -> None:
    answers: Ints = np.array([[1, 1, 0, -1, -2], [1, 0, 0, 1, 1], [1, 1, 0, 0, -2]])
    told = measure_agreement(label_rows(answers))
    assert (told.shared, told.differ, told.ties) == (4, 2, 1)
    assert [pair.questions for pair in told.pairs] == [3, 3, 4]
    rows = label_rows(answers)
    assert rows.majority.tolist() == [1, 1, 0, -1, 1]


def test_no_interval_where_clusters_are_too_few() -> None:
    told = leave_out_clusters(lambda kept: float(kept.sum()), np.zeros(4, int), np.ones(4, bool))
    assert told.reason
    assert not told.bounded

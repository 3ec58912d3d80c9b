"""A judge against people equals a computation by hand, weights, ties and missing included."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis.estimators.judge_against_people import measure_judge
from tests.analysis.made_labels import label_rows


def test_the_weighted_table_by_hand() -> None:
    """Eight questions: of people 4 yes, 3 no and a tie; the judge is silent once."""
    people = np.array([[1, 1, 1, 1, 0, 0, 0, 1], [1, 1, 1, 1, 0, 0, 0, 0]])
    judge = np.array([1, 1, 0, 1, 0, 1, -1, 1])
    weight = np.array([1.0, 2, 4, 1, 3, 1, 9, 9])
    told = measure_judge(label_rows(people, weight=weight), judge, "judge")
    everything = told.parts[0]
    assert (told.silent, told.undecided) == (1, 1)
    assert (everything.part, everything.questions) == ("all", 6)
    assert everything.sensitivity == pytest.approx(100 * (1 + 2 + 1) / 8)
    assert everything.specificity == pytest.approx(100 * 3 / 4)
    assert everything.balanced.value == pytest.approx((50 + 75) / 2)
    assert everything.people_yes == pytest.approx(100 * 8 / 12)
    assert everything.judge_yes == pytest.approx(100 * 5 / 12)
    equal = (1 + 2 + 1 + 3) / 12
    chance = (8 / 12) * (5 / 12) + (4 / 12) * (7 / 12)
    assert everything.kappa.value == pytest.approx((equal - chance) / (1 - chance))


def test_by_window_and_persona() -> None:
    rng = np.random.default_rng(1)
    people = rng.integers(0, 2, (1, 80))
    judge = np.where(rng.random(80) < 0.8, people[0], 1 - people[0])
    run, after = np.repeat(np.arange(8), 10), np.arange(80) % 2 == 1
    rows = label_rows(people, run=run, after=after)
    parts = {one.part: one for one in measure_judge(rows, judge, "judge").parts}
    assert list(parts) == ["all", "before", "after", "persona0", "persona1"]
    for name, kept in (("after", after), ("persona1", run % 2 == 1)):
        yes, no = (kept & (people[0] == each) for each in (1, 0))
        found = [float((judge[truth] == each).mean()) for truth, each in ((yes, 1), (no, 0))]
        assert parts[name].balanced.value == pytest.approx(50 * sum(found))
        assert parts[name].questions == kept.sum()
    assert parts["after"].balanced.clusters == 8
    assert parts["persona1"].balanced.clusters == 8, "two batches of each of its four runs"
    left = []
    for out in range(8):
        kept = run != out
        shares = [float((judge[kept & (people[0] == each)] == each).mean()) for each in (1, 0)]
        left.append(50 * sum(shares))
    se = math.sqrt(7 / 8 * sum((one - np.mean(left)) ** 2 for one in left))
    assert parts["all"].balanced.se == pytest.approx(se)


def test_a_question_that_the_judge_was_not_asked_is_not_its_silence() -> None:
    people = np.array([[1, 0, 1, 0]])
    told = measure_judge(label_rows(people), np.array([1, 0, -1, -2]), "judge")
    assert (told.parts[0].questions, told.silent) == (2, 1)


def test_a_persona_called_as_a_window_has_a_row_of_its_own() -> None:
    people = np.array([[1, 0, 1, 0, 1, 0]])
    rows = replace(
        label_rows(people, after=np.array([0, 0, 0, 1, 1, 1], dtype=bool)),
        persona=np.array(["all", "before", "before", "after", "after", "after"]),
    )
    parts = measure_judge(rows, people[0], "judge").parts
    assert [(one.part, one.questions) for one in parts] == [
        ("all", 6),
        ("before", 3),
        ("after", 3),
        ("persona after", 3),
        ("persona all", 1),
        ("persona before", 2),
    ]

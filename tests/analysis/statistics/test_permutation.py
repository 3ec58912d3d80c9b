import math
from pathlib import Path

import numpy as np
import pytest

from analysis.statistics.intervals import binomial_p_value
from analysis.statistics.permutation import ARRANGEMENTS, assignments, compare, holm, sign_flips

REPO = Path(__file__).parents[3]


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def test_the_documentation_tells_what_is_drawn_pooled_and_covered() -> None:
    told = " ".join((REPO / "docs" / "measurement.md").read_text(encoding="utf-8").split())
    for words in (
        f"several replicates {ARRANGEMENTS:,} are drawn",
        "with the degrees of freedom of Welch and Satterthwaite",
        "A persona with several replicates has their counts pooled",
        "judged video of all windows, compared or not",
    ):
        assert words in told


def test_three_pairs_are_listed() -> None:
    test = sign_flips(np.array([1.0, 2.0, 3.0]), rng())
    assert test.exact
    assert test.arrangements == 8
    assert test.p == pytest.approx(2 / 8)
    assert test.p_greater == pytest.approx(1 / 8)
    assert sign_flips(np.array([-1.0, -2.0, -3.0]), rng()).p_greater == 1


def test_many_pairs_are_drawn() -> None:
    test = sign_flips(np.arange(1.0, 21.0), rng())
    assert not test.exact
    assert test.p == pytest.approx(1 / 10_000)


def test_drawn_and_listed_agree() -> None:
    differences = np.array([3.0, -1.0, 4.0, 1.0, -5.0, 9.0, 2.0, 6.0, -5.0, 3.0])
    listed = sign_flips(differences, rng())
    signs = rng().choice([1.0, -1.0], (20_000, 10))
    drawn = compare(float(differences.mean()), signs @ differences / 10, exact=False)
    assert listed.exact
    assert drawn.p == pytest.approx(listed.p, abs=4 * math.sqrt(listed.p / 20_000))


def test_every_assignment_of_few_and_a_sample_of_many() -> None:
    listed, exact = assignments(np.zeros(5, dtype=int), rng())
    assert exact
    assert len({tuple(row) for row in listed.tolist()}) == 120
    drawn, exact = assignments(np.zeros(10, dtype=int), rng(), 50)
    assert not exact
    assert drawn.shape == (50, 10)
    assert (np.sort(drawn, axis=1) == np.arange(10)).all()


def test_p_is_never_zero() -> None:
    assert compare(5.0, np.zeros(99), exact=False).p == 0.01


def test_the_test_keeps_its_level() -> None:
    generator = rng()
    rejected = sum(sign_flips(generator.standard_t(3, 8), generator).p <= 0.05 for _ in range(600))
    # 8 pairs list 256 exchanges, so that 0.05 means 12 / 256
    assert binomial_p_value(rejected, 600, 12 / 256) > 0.001


def test_holm_by_hand() -> None:
    adjusted = holm(np.array([0.04, 0.01, math.nan, 0.03]))
    assert np.allclose(adjusted, [0.06, 0.03, math.nan, 0.06], equal_nan=True)
    assert holm(np.array([0.5, 0.9])).tolist() == [1.0, 1.0]
    assert np.isnan(holm(np.array([math.nan]))).all()

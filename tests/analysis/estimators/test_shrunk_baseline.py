import numpy as np
import pytest

from analysis.errors import NotOffered
from analysis.estimators.shrunk_baseline import borrowed, borrowed_base, sway_from, without_each
from analysis.statistics.intervals import jackknife
from tests.analysis.made_results import plausible


def study(
    generator: np.random.Generator, sway: float, size: int = 8, drifted: float = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Before and after matrices with accounts that differ by 6 pp and windows by 5."""
    rate = generator.uniform(10, 40, (size, 1)) + generator.normal(0, 6, (size, size))
    before = rate + generator.normal(0, 5, (size, size))
    after = rate + generator.normal(0, 5, (size, size)) + sway * np.eye(size) + drifted
    return before, after


def test_the_base_by_hand() -> None:
    before = np.array([[30.0, 20, 10], [10, 40, 20], [20, 20, 20]])
    within = np.array([25.0, 25, 25])
    # others: means 15, 15, 20, variances 50, 50, 0, so tau^2 = 25 / 3
    tau2, shared = 25 / 3, (25 / 3 + 25) / 2
    weight = (tau2 + shared) / (tau2 + 25 + shared)
    base, found = borrowed(before, within)
    assert np.allclose(found, weight)
    assert np.allclose(base, [weight * 30 + (1 - weight) * 15, weight * 40 + (1 - weight) * 15, 20])


def test_without_account_differences_everything_is_shared() -> None:
    before = np.full((6, 6), 20.0) + np.diag(np.arange(6.0))
    _, weight = borrowed(before, np.full(6, 25.0))
    assert np.allclose(weight, (25 / 5) / (25 + 25 / 5))


def test_it_covers_a_planted_sway() -> None:
    generator = np.random.default_rng(9)
    covered, within = 0, np.full(8, 25.0)
    for _ in range(400):
        before, after = study(generator, 10)
        left_out = without_each(after, before, within)
        told = jackknife(float(sway_from(after, before, within)), left_out, 7)
        covered += told.low <= 10 <= told.high
    assert plausible(covered, 400, 0.93, 0.98)


def test_what_it_tells() -> None:
    before, after = study(np.random.default_rng(9), 25)
    told = borrowed_base(after, before, np.full(8, 25.0), baseline="passive", placebo_p=0.4)
    assert told.estimate.value == pytest.approx(float(np.mean(np.diag(after) - told.base)))
    assert told.estimate.low > 0
    assert told.drift.low < 0 < told.drift.high
    assert all(1 / 8 < weight < 1 for weight in told.weight)


def test_it_is_steadier_than_the_own_before_window() -> None:
    generator = np.random.default_rng(2)
    found, own = [], []
    for _ in range(400):
        before, after = study(generator, 10)
        found.append(sway_from(after, before, np.full(8, 25.0)))
        own.append(np.mean(np.diag(after) - np.diag(before)))
    assert np.mean(found) == pytest.approx(10, abs=0.6)
    assert np.std(found) < np.std(own)


def test_where_it_is_not_offered() -> None:
    before, after = study(np.random.default_rng(5), 0)
    within = np.full(8, 25.0)
    with pytest.raises(NotOffered, match="passive before windows"):
        borrowed_base(after, before, within, baseline="active", placebo_p=1)
    with pytest.raises(NotOffered, match=r"p = 0\.010"):
        borrowed_base(after, before, within, baseline="passive", placebo_p=0.01)
    with pytest.raises(NotOffered, match="needs 5 personas"):
        borrowed_base(after[:4, :4], before[:4, :4], within[:4], baseline="passive", placebo_p=1)
    before, after = study(np.random.default_rng(5), 0, drifted=15)
    with pytest.raises(NotOffered, match="changed by"):
        borrowed_base(after, before, within, baseline="passive", placebo_p=1)

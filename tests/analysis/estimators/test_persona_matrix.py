import math

import numpy as np
import pytest

from analysis.errors import NotOffered
from analysis.estimators.persona_matrix import (
    centred,
    of_one_point,
    overlap,
    own_minus_others,
    rearranged,
    residuals,
    shares,
    specific_sway,
    without_each,
)
from analysis.simulation.designs import judge_matrix
from analysis.simulation.scenarios import StudyPlan, World, draw_matrices
from analysis.statistics.estimate import Floats, Ints
from analysis.statistics.permutation import assignments, inverted
from tests.analysis.made_results import plausible


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def noise(size: int, generator: np.random.Generator) -> np.ndarray:
    """Personas with their own bases, likeable runs, and noise: nothing specific."""
    rows = generator.uniform(5, 50, (size, 1))
    return rows + generator.normal(0, 8, (1, size)) + generator.normal(0, 6, (size, size))


def test_d_by_hand() -> None:
    cells = np.array([[30.0, 10, 20], [5, 25, 15], [40, 40, 70]])
    # 30 - 15, 25 - 10, 70 - 40
    assert own_minus_others(cells) == pytest.approx(20)


def test_centring_leaves_d_as_it_is() -> None:
    cells = noise(7, rng())
    assert own_minus_others(centred(cells)) == pytest.approx(own_minus_others(cells))
    assert np.allclose(centred(cells).sum(0), 0)
    assert np.allclose(centred(cells).sum(1), 0)


def test_each_arrangement_is_d_of_the_rearranged_matrix() -> None:
    cells = noise(5, rng())
    runs_of, _ = assignments(np.zeros(5, dtype=int), rng())
    slowly = [own_minus_others(cells[:, row]) for row in runs_of]
    assert np.allclose(rearranged(centred(cells), runs_of), slowly)


def test_leaving_one_out_drops_the_persona_and_its_run() -> None:
    cells = noise(6, rng())
    kept = [0, 1, 3, 4, 5]
    assert without_each(cells)[2] == pytest.approx(own_minus_others(cells[np.ix_(kept, kept)]))


def test_a_planted_sway_is_found() -> None:
    cells = noise(10, rng()) + 30 * np.eye(10)
    told = specific_sway(cells, rng())
    assert told.estimate.low < 30 < told.estimate.high
    assert told.test.p == told.test.p_greater == pytest.approx(1 / 10_000)
    assert math.isnan(told.placebo.value)
    assert not told.adjusted


def test_a_small_study_lists_every_arrangement() -> None:
    told = specific_sway(noise(5, rng()) + 60 * np.eye(5), rng())
    assert told.test.exact
    assert told.test.p_greater == pytest.approx(1 / 120)


def test_the_before_windows_are_taken_out_and_serve_as_placebo() -> None:
    generator = rng()
    account = generator.normal(0, 10, (12, 12))
    before = noise(12, generator) * 0.2 + account
    after = before + generator.normal(0, 2, (12, 12)) + 10 * np.eye(12)
    plain, adjusted = specific_sway(after, rng()), specific_sway(after, rng(), before)
    assert adjusted.estimate.se < plain.estimate.se / 2
    assert adjusted.estimate.low < 10 < adjusted.estimate.high
    assert 0.8 < adjusted.slope < 1.1
    assert adjusted.placebo_test.p > 0.001
    assert adjusted.placebo.exists


def test_the_slope_by_hand() -> None:
    before = np.array([[1.0, 0, 0], [0, 0, 0], [0, 0, 0]])
    assert np.allclose(residuals(2 * before, before), 0)


def test_replicates_are_permuted_each_on_its_own() -> None:
    generator = rng()
    stack = np.stack([noise(6, generator) + 15 * np.eye(6) for _ in range(3)])
    told = specific_sway(stack, rng())
    assert told.estimate.value == pytest.approx(own_minus_others(stack).mean())
    assert told.estimate.df == 5
    assert told.test.p < 0.01


@pytest.mark.parametrize("adjust", [False, True])
def test_it_keeps_its_level_and_covers_when_nothing_is_specific(adjust: bool) -> None:
    generator = rng()
    rejected = covered = 0
    for _ in range(300):
        before = noise(6, generator) if adjust else None
        told = specific_sway(noise(6, generator), generator, before)
        rejected += told.test.p <= 0.05
        covered += told.estimate.low <= 0 <= told.estimate.high
    assert plausible(rejected, 300, 0.03, 0.07)
    assert plausible(covered, 300, 0.93, 0.98)


def test_what_is_not_offered() -> None:
    with pytest.raises(NotOffered, match="needs 5 personas and has 4"):
        specific_sway(noise(4, rng()), rng())
    with pytest.raises(NotOffered, match="no answered video"):
        specific_sway(shares(np.zeros((5, 5)), np.zeros((5, 5))), rng())


def test_shares() -> None:
    n, yes = np.array([[4.0, 0.0]]), np.array([[1.0, 0.0]])
    assert np.allclose(shares(n, yes), [[25, math.nan]], equal_nan=True)


def test_overlap_by_hand_and_its_ends() -> None:
    answers = np.array([[1.0, 1, 0, 0], [1, 0, 1, 0]])
    again = answers.copy()
    # b = 1/2 each; P(other | mine) = 1/2, so nothing beyond chance; own repeats are certain
    assert overlap(answers, again).value == pytest.approx(0)
    same = np.array([[1.0, 1, 0, 0], [1, 1, 0, 0]])
    assert overlap(same, same).value == pytest.approx(1)
    disjoint = np.array([[1.0, 1, 0, 0], [0, 0, 1, 1]])
    assert overlap(disjoint, disjoint).value == pytest.approx(-1)
    assert math.isnan(overlap(np.zeros((2, 4)), np.zeros((2, 4))).value)
    unanswered = np.vstack([same, np.full(4, math.nan)])
    assert overlap(unanswered, unanswered).value == pytest.approx(1)


def test_an_unsteady_judge_does_not_hide_the_overlap() -> None:
    generator = rng()
    taste = generator.random((6, 4000)) < 0.3
    taste[1] = taste[0]

    def asked() -> np.ndarray:
        """The taste with one answer in ten turned over."""
        return (taste ^ (generator.random(taste.shape) < 0.1)).astype(float)

    told = overlap(asked()[:2], asked()[:2])
    assert told.value == pytest.approx(1, abs=0.1)


def test_blocks_by_hand() -> None:
    cells = np.array([[30.0, 10, 99, 99], [5, 25, 99, 99], [99, 99, 50, 20], [99, 99, 10, 40]])
    blocks = np.array([1, 1, 2, 2])
    # 30 - 10, 25 - 5, 50 - 20, 40 - 10
    assert own_minus_others(cells, blocks) == pytest.approx(25)
    late = centred(cells, blocks)
    assert own_minus_others(late, blocks) == pytest.approx(25)
    assert (late[:2, 2:] == 0).all()
    assert np.allclose(late.sum(0), 0)
    assert np.allclose(late.sum(1), 0)
    cells[:2, 2:] = cells[2:, :2] = math.nan  # who was drawn later need not be asked
    assert own_minus_others(cells, blocks) == pytest.approx(25)
    assert np.allclose(centred(cells, blocks), late)
    alone = np.array([1, 1, 2, 3])
    assert own_minus_others(cells, alone) == pytest.approx(20)


def test_each_arrangement_within_blocks_is_d_of_the_rearranged_matrix() -> None:
    cells, blocks = noise(7, rng()), np.array([2, 1, 2, 1, 2, 1, 1])
    runs_of, exact = assignments(blocks, rng())
    assert exact
    assert len({tuple(row) for row in runs_of.tolist()}) == 6 * 24
    assert (blocks[runs_of] == blocks).all()
    slowly = [own_minus_others(cells[:, row], blocks) for row in runs_of]
    assert np.allclose(rearranged(centred(cells, blocks), runs_of, blocks), slowly)
    drawn, exact = assignments(np.repeat([1, 2], 8), rng(), 50)
    assert not exact
    assert (np.sort(drawn[:, 8:], axis=1) == np.arange(8, 16)).all()


@pytest.mark.parametrize("adjust", [False, True])
def test_it_keeps_its_level_where_personas_were_added_in_a_season(adjust: bool) -> None:
    """The second four watch in a season that suits them; exchanging all runs calls it a sway."""
    generator = rng()
    plan = StudyPlan(personas=8, before=24, adapt=24, after=52, baseline="passive")
    drawn = draw_matrices(plan, World(effect=0.0, season=0.3), 600, generator)
    blocks = np.repeat([1, 2], 4)
    exact, naive = (
        int((judge_matrix(drawn, generator, adjust=adjust, blocks=codes).p_greater <= 0.05).sum())
        for codes in (blocks, None)
    )
    assert plausible(exact, 600, 0.03, 0.07)
    assert not plausible(naive, 600, 0.03, 0.07)


def test_blocks_too_small_to_permute_within_are_refused() -> None:
    cells = noise(6, rng())
    with pytest.raises(NotOffered, match="can be exchanged in 8 ways"):
        specific_sway(cells, rng(), blocks=np.array([1, 1, 2, 2, 3, 3]))
    told = specific_sway(noise(8, rng()), rng(), blocks=np.repeat([1, 2], 4))
    assert told.test.exact
    assert told.test.arrangements == 24 * 24


def test_a_persona_that_was_drawn_alone_makes_no_interval_narrower() -> None:
    rng = np.random.default_rng(5)
    cells = rng.normal(40, 8, (2, 8, 8))
    blocks = np.array([1, 1, 1, 1, 1, 2, 3, 4])
    five = specific_sway(cells[1, :5, :5], rng, cells[0, :5, :5])
    more = specific_sway(cells[1], rng, cells[0], blocks=blocks)
    for name in ("estimate", "placebo"):
        one, other = getattr(five, name), getattr(more, name)
        assert (other.value, other.low, other.high, other.clusters) == (
            pytest.approx(one.value),
            pytest.approx(one.low),
            pytest.approx(one.high),
            5,
        )


@pytest.mark.parametrize("adjust", [False, True])
@pytest.mark.parametrize("blocks", [None, np.array([0, 0, 0, 0, 1, 1, 1])])
def test_the_inverted_test_rejects_what_lies_beyond_its_ends(
    adjust: bool, blocks: Ints | None
) -> None:
    """By taking an effect out of the own cells, and testing what is left: listed, so exact."""
    rng = np.random.default_rng(11)
    for _ in range(20):
        after = rng.normal(20, 8, (7, 7)) + 12 * np.eye(7)
        before = rng.normal(20, 6, (7, 7)) if adjust else None

        def p_of(effect: float, after: Floats = after, before: Floats | None = before) -> float:
            rest = after - effect * np.eye(7)
            return specific_sway(rest, rng, before, blocks=blocks).test.p

        codes = np.zeros(7, dtype=np.int64) if blocks is None else blocks
        cells, own = residuals(after, before, codes), of_one_point(after, before, codes)
        runs_of, _ = assignments(codes, rng)
        observed = np.array([own_minus_others(each, codes) for each in (cells, own)])
        arranged = np.stack([rearranged(each, runs_of, codes) for each in (cells, own)])
        low, high = inverted(observed, arranged, extra=False, alpha=0.1)
        for end, beyond in ((low, -1e-6), (high, 1e-6)):
            if np.isfinite(end):
                assert p_of(float(end) - beyond) >= 0.1
                assert p_of(float(end) + beyond) < 0.1


@pytest.mark.parametrize(("personas", "replicates"), [(5, 1), (6, 1), (8, 1), (6, 2)])
def test_interval_and_test_say_the_same_of_zero(personas: int, replicates: int) -> None:
    rng = np.random.default_rng(12)
    moved = 0
    for _ in range(40):
        shape = (replicates, personas, personas)
        after = rng.normal(20, 8, shape) + rng.uniform(0, 14) * np.eye(personas)
        before = rng.normal(20, 6, shape)
        for early in (None, before):
            told = specific_sway(after, rng, early, draws=499)
            for over, test in ((told.estimate, told.test), (told.placebo, told.placebo_test)):
                if over.exists:
                    assert (test.p < 0.05) == (over.low > 0 or over.high < 0)
                    assert over.low <= over.value <= over.high
                    moved += "inverted" in over.method
    assert moved > 10


def test_simulated_studies_agree_and_their_intervals_cover() -> None:
    plan = StudyPlan(personas=6, before=24, adapt=24, after=52, baseline="passive")
    drawn = draw_matrices(plan, World(overlap=-0.2), 1000, np.random.default_rng(13))
    for adjust in (False, True):
        told = judge_matrix(drawn, np.random.default_rng(14), adjust=adjust)
        outside = (told.low > 0) | (told.high < 0)
        assert (outside == (told.p < 0.05)).all()
        assert plausible(round(1000 * told.coverage()), 1000, 0.93, 0.98)

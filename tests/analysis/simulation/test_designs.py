"""Every design against simulated studies: level, coverage of its own estimand, and power.

Rates have to be plausible by exact binomial tests at 0.001, so that a right program does not fail
by chance. Powers are those of docs/measurement.md and its appendix, allowed to differ by their
simulation error and by two points.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.errors import BadPlan
from analysis.simulation import designs
from analysis.simulation.designs import Design, Outcomes
from analysis.simulation.scenarios import StudyPlan, World, draw_matrices, draw_runs, learnt
from tests.analysis.made_results import plausible

STUDIES = 1000
PAPER = StudyPlan(personas=10, before=50, after=50)
# own gain is the others' loss, as in a feed of fixed length
OTHERS_LOSE = World(overlap=-1 / 9)


def paired_alone(plan: StudyPlan, world: World, studies: int, rng: np.random.Generator) -> Outcomes:
    """After minus before without a control arm: right only where nothing drifts."""
    drawn = draw_runs(plan, world, studies, rng)
    changes, truth = drawn.shares[1] - drawn.shares[0], drawn.expected[1] - drawn.expected[0]
    return designs.from_t(changes, float(truth.mean()))


def average_changes(plan: StudyPlan, world: World, studies: int) -> NDArray[np.float64]:
    """The paper's I_avg of each study, over the personas where I is defined."""
    before, after = draw_runs(plan, world, studies, np.random.default_rng(17)).shares
    undefined = np.full(before.shape, np.nan)
    change = np.divide(100 * (after - before), before, out=undefined, where=before > 0)
    return np.asarray(np.nanmean(change, axis=1))


UNBIASED: dict[str, tuple[Design, float]] = {
    "paired with control": (designs.paired_with_control, 10),
    "paired alone": (paired_alone, 10),
    "persona matrix": (designs.persona_matrix, 10 * 10 / 9),
    "adjusted matrix": (designs.adjusted_matrix, 10 * 10 / 9),
    "borrowed base": (designs.borrowed_base, 10),
}


def outcomes(
    design: Design, world: World, plan: StudyPlan = PAPER, studies: int = STUDIES
) -> Outcomes:
    return design(plan, world, studies, np.random.default_rng(17))


@pytest.mark.parametrize("name", UNBIASED)
def test_nothing_is_found_where_nothing_happens(name: str) -> None:
    told = outcomes(UNBIASED[name][0], replace(OTHERS_LOSE, effect=0))
    for sided in ("two", "greater"):
        assert plausible(round(STUDIES * told.power(sided)), STUDIES, 0.03, 0.07)
    assert abs(told.estimate.mean()) < 3.3 * told.estimate.std() / math.sqrt(STUDIES)


@pytest.mark.parametrize("name", UNBIASED)
def test_intervals_cover_their_own_estimand(name: str) -> None:
    design, truth = UNBIASED[name]
    told = outcomes(design, OTHERS_LOSE)
    assert plausible(round(STUDIES * told.coverage(truth)), STUDIES, 0.93, 0.98)


@pytest.mark.parametrize(
    ("name", "power"),
    [
        ("paired with control", 0.53),
        ("persona matrix", 0.88),
        ("adjusted matrix", 0.94),
        ("borrowed base", 0.84),
    ],
)
def test_powers_are_those_of_the_document(name: str, power: float) -> None:
    found = outcomes(UNBIASED[name][0], OTHERS_LOSE).power("greater")
    assert abs(found - power) < 0.02 + 3.3 * math.sqrt(power * (1 - power) / STUDIES)


@pytest.mark.parametrize(
    ("personas", "videos", "power"),
    [(10, 50, 0.42), (10, 100, 0.69), (20, 50, 0.75), (20, 100, 0.95)],
)
def test_powers_of_the_control_arm_are_those_of_the_document(
    personas: int, videos: int, power: float
) -> None:
    plan = StudyPlan(personas, before=videos, after=videos)
    found = outcomes(designs.paired_with_control, World(), plan).power()
    assert abs(found - power) < 0.03 + 3.3 * math.sqrt(power * (1 - power) / STUDIES)


def test_i_avg_leans_upwards_when_nothing_happens() -> None:
    told = average_changes(PAPER, World(effect=0, account_sd=0), STUDIES)
    assert told.mean() > 15
    assert np.mean(told > 20) > 0.3


def test_what_breaks_the_matrix_breaks_it_here_too() -> None:
    nothing = replace(OTHERS_LOSE, effect=0)
    leaning = outcomes(designs.persona_matrix, replace(nothing, lean=0.03)).power("greater")
    assert leaning > 0.12
    likeable = outcomes(designs.persona_matrix, replace(nothing, likeable_sd=0.1))
    assert plausible(round(STUDIES * likeable.power()), STUDIES, 0.03, 0.07)
    drifting = outcomes(designs.borrowed_base, replace(nothing, drift=0.03)).power("greater")
    assert drifting > 0.12


def test_a_control_arm_is_not_fooled_by_drift() -> None:
    told = outcomes(designs.paired_with_control, World(effect=0, drift=0.1))
    assert plausible(round(STUDIES * told.power()), STUDIES, 0.03, 0.07)
    alone = outcomes(paired_alone, World(effect=0, drift=0.1))
    assert alone.power() > 0.5


def test_a_listener_that_takes_time() -> None:
    plan = StudyPlan(before=50, after=50)
    share = learnt(plan, World(time_constant=50))
    assert share[2] == pytest.approx(1 - math.exp(-12 / 50))
    assert share[0] == share[1] == 0
    assert (np.diff(share) >= 0).all()
    passive = learnt(
        StudyPlan(before=24, adapt=24, after=52, baseline="passive"), World(time_constant=50)
    )
    assert passive[:4].tolist() == [0, 0, 0, 0]
    assert passive[4] > 0


def test_the_layout_of_windows_and_batches() -> None:
    assert StudyPlan(before=50, after=50).layout().tolist() == [
        [12, 12, 12, 12, 2, 0, 0, 0, 0],
        [0, 0, 0, 0, 10, 12, 12, 12, 4],
    ]
    # what was requested before the change does not count
    assert StudyPlan(before=24, after=36, baseline="passive").layout()[1].tolist() == [
        0,
        0,
        0,
        12,
        12,
    ]
    adapted = StudyPlan(before=24, adapt=24, after=52, baseline="passive").layout()[1]
    assert adapted.sum() == 52


def test_draws_have_the_shares_the_world_says() -> None:
    rng = np.random.default_rng(1)
    world = World(base=(0.1,) * 5 + (0.4,) * 5, effect=0.2, overlap=0.5, account_sd=0.0)
    before, after = draw_matrices(PAPER, world, 300, rng).shares
    assert before[:, :5].mean() == pytest.approx(10, abs=0.5)
    assert before[:, 5:].mean() == pytest.approx(40, abs=0.5)
    gain = (after - before).mean(0)
    assert np.diag(gain).mean() == pytest.approx(20, abs=1)
    assert gain[~np.eye(10, dtype=bool)].mean() == pytest.approx(10, abs=0.5)
    control = draw_runs(PAPER, world, 300, rng, swayed=False).shares
    assert (control[1] - control[0]).mean() == pytest.approx(0, abs=0.7)


def test_the_batch_variance_is_that_of_the_shares() -> None:
    drawn = draw_runs(PAPER, World(account_sd=0), 4000, np.random.default_rng(1))
    assert drawn.within.mean() == pytest.approx(drawn.shares[0].var(), rel=0.12)


@pytest.mark.parametrize("fields", [{"personas": 1}, {"before": 0}, {"after": 0}, {"adapt": -1}])
def test_impossible_plans(fields: dict[str, int]) -> None:
    with pytest.raises(BadPlan, match="Type: --"):
        StudyPlan(**fields)  # type: ignore[arg-type]

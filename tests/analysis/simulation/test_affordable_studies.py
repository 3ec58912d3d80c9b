"""Studies that a budget pays for: the longest runs of each size, and the better one is chosen."""

from __future__ import annotations

import pytest

from analysis.errors import BadPlan
from analysis.simulation.affordable_studies import (
    AT_ONCE,
    SHARES,
    SLOWLY,
    AffordableStudy,
    StudySearch,
    TriedSizes,
    choose,
    find_affordable,
)
from analysis.simulation.power import OPTIONS, Trials
from analysis.simulation.scenarios import StudyPlan, World
from analysis.simulation.video_budget import run_windows

SMALL = TriedSizes((6, 8), 240)


def questions(plan: StudyPlan, share: float) -> float:
    compared = plan.before + plan.after
    return plan.personas * (plan.videos + compared * (1 + share * (plan.personas - 1)))


def test_runs_are_as_long_as_the_budget_allows() -> None:
    search = StudySearch(0.1, World(), Trials(studies=60))
    found = find_affordable(search, lambda *asked: questions(*asked) <= 4000, SMALL)
    assert [(study.plan.personas, study.others) for study in found] == [
        (size, share) for size in (6, 8) for share in SHARES
    ]
    for study in found:
        assert questions(study.plan, study.others) <= 4000
        if study.plan.videos < SMALL.longest and not study.reaches:
            longer = run_windows(study.plan.videos + 12, study.plan.personas)
            assert questions(longer, study.others) > 4000
    lengths = [study.plan.videos for study in found if study.plan.personas == 8]
    assert lengths[0] < lengths[1] < lengths[2]


def test_a_study_that_reaches_the_target_easily_is_shortened() -> None:
    search = StudySearch(0.4, World(), Trials(studies=60))
    (found, *_) = find_affordable(search, lambda *_: True, TriedSizes((8,), 240))
    assert found.reaches
    assert found.plan.videos < 240


def test_fewer_questions_find_less() -> None:
    """The powers are 0.1 apart; each is told to 0.025."""
    search = StudySearch(0.15, World(), Trials(studies=400))
    plan = run_windows(120, 8)
    powers = [search.powers(plan, share).power[AT_ONCE] for share in SHARES]
    assert powers[0] > powers[2] + 0.03


def test_nothing_is_paid_for() -> None:
    search = StudySearch(0.1, World(), Trials(studies=60))
    with pytest.raises(BadPlan, match="Type: --budget with more"):
        find_affordable(search, lambda *_: False, SMALL)
    with pytest.raises(BadPlan, match="Type: --base"):
        find_affordable(StudySearch(0.9, World(), Trials(60)), lambda *_: True, SMALL)


def study(quick: float, slow: float) -> AffordableStudy:
    return AffordableStudy(run_windows(100, 8), 1.0, {AT_ONCE: quick, SLOWLY: slow})


def test_the_cheapest_that_reaches_both_is_chosen() -> None:
    offers = [study(0.99, 0.79), study(0.85, 0.82), study(0.82, 0.81)]
    assert choose(offers, [1.0, 5.0, 3.0]) == 2


def test_else_the_one_that_finds_most_in_the_mean() -> None:
    assert choose([study(0.95, 0.10), study(0.70, 0.60)], [1.0, 5.0]) == 1


def test_a_borrowed_base_asks_about_both_windows() -> None:
    """As re-judging does: 10 runs of 100 videos take 1,000 questions and 10 x 10 x 100 more."""
    plan = StudyPlan(personas=10, before=52, adapt=0, after=48, baseline="passive")
    borrowed = next(option for option in OPTIONS if option.name == "borrowed base")
    assert borrowed.judgements(plan) == 11_000

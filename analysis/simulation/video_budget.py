"""Planning with a budget of videos: how many personas, and how long each run.

A feed that learns slowly has to be watched for long, and one that learns at once is told best by
many short runs. Nobody knows beforehand which it is, so each way is tried with several speeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from analysis.errors import BadPlan
from analysis.simulation.power import OPTIONS, PERSONAS, Option, Trials, check_room
from analysis.simulation.scenarios import StudyPlan, World
from analysis.statistics.estimate import NAN

TIME_CONSTANTS = (0.0, 12.0, 50.0, 100.0)
"""Videos in which the feed learns all but 1/e; 0 where the sway is whole by the after window."""
TRIED = ("paired with control", "adjusted matrix")
"""Designs that are tried: those that find the sway itself, and the specific sway, best."""
LEAST, MOST = 60, 400
"""Videos of the shortest and the longest run that is tried."""
_BEFORE, _ADAPT = 0.32, 0.24
"""Shares of a run that are watched without reacting, and then without being compared."""


@dataclass(frozen=True)
class BudgetSplit:
    """One way to spend the videos, and what it finds.

    ``power``: by the time constant of the feed, in videos. ``cost``: in US dollars; nan where no
    price is known.
    """

    design: str
    plan: StudyPlan
    runs: int
    videos: int
    judgements: int
    cost: float
    power: dict[float, float]


def run_windows(length: int, personas: int) -> StudyPlan:
    """Windows of a run of so many videos: passive before, then adapt and after.

    Of 100, 150 and 200 videos these are 36 / 24 / 40, 48 / 36 / 66 and 60 / 48 / 92.
    """
    batch = StudyPlan.batch
    before, adapt = (batch * round(share * length / batch) for share in (_BEFORE, _ADAPT))
    return StudyPlan(personas, before, adapt, length - before - adapt, "passive")


@dataclass(frozen=True)
class VideoBudget:
    """Videos to be spent, the longest run, and what a judgement costs in US dollars, if known."""

    videos: int
    longest: int = MOST
    price: float | None = None


def split_budget(
    budget: VideoBudget,
    target: float,
    world: World,
    trials: Trials,
    tell: Callable[[int, int], None] | None = None,
) -> tuple[BudgetSplit, ...]:
    """Try each number of personas that these videos suffice for, design by design.

    ``target`` is the sway to be found, a share of 1. ``tell`` hears how many of how many splits
    were tried. Raises ``BadPlan``: the videos suffice for no study, or the base rate leaves no
    room.
    """
    check_room(target, world)
    plans = [(option, plan) for option in OPTIONS for plan in _plans(option, budget)]
    if not plans:
        raise BadPlan(
            f"No study fits {budget.videos:,} videos in runs of {LEAST} to {budget.longest}. "
            "Type: --videos 1200, without --catalogue"
        )
    splits = []
    for tried, (option, plan) in enumerate(plans):
        if tell:
            tell(tried, len(plans))
        judgements = option.judgements(plan)
        power = {
            constant: trials.power(
                option, plan, replace(world, time_constant=constant or None), target
            )
            for constant in TIME_CONSTANTS
        }
        splits.append(
            BudgetSplit(
                design=option.name,
                plan=plan,
                runs=option.arms * plan.personas,
                videos=option.videos(plan),
                judgements=judgements,
                cost=NAN if budget.price is None else budget.price * judgements,
                power=power,
            )
        )
    return tuple(splits)


def _plans(option: Option, budget: VideoBudget) -> list[StudyPlan]:
    """Studies that use up the videos, fewest personas first."""
    if option.name not in TRIED:
        return []
    lengths = {personas: budget.videos // (option.arms * personas) for personas in PERSONAS}
    plans = [
        run_windows(length, personas)
        for personas, length in lengths.items()
        if LEAST <= length <= budget.longest
    ]
    return [plan for plan in plans if option.offered(plan)]

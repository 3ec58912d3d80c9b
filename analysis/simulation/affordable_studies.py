"""Which study a budget of money pays for, and what it finds: personas, length, drawn questions.

A study is a persona matrix. Nobody knows beforehand how fast a feed learns, so each study is tried
with a feed that learns at once and with one that learns slowly.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.errors import BadPlan
from analysis.simulation.drawn_judgements import headlined_of_drawn
from analysis.simulation.power import WANTED, Option, Trials, check_room, smallest_sway
from analysis.simulation.scenarios import StudyPlan, World
from analysis.simulation.video_budget import LEAST, MOST, TIME_CONSTANTS, run_windows

SIZES = (6, 8, 10, 12, 15, 20)
"""Personas that are tried; with fewer than six, one lost run leaves no test."""
SHARES = (1.0, 0.5, 0.25)
"""Of the others' questions, what is asked."""
AT_ONCE, SLOWLY = TIME_CONSTANTS[0], TIME_CONSTANTS[2]
"""Time constants of the two feeds for which a study is chosen, in videos."""
STEP = StudyPlan.batch
"""Lengths of runs are tried in steps of so many videos."""

Affords = Callable[[StudyPlan, float], bool]
"""Whether a plan with this share of the others' questions is paid for."""


@dataclass(frozen=True)
class AffordableStudy:
    """A matrix that the budget pays for.

    ``others``: share of the others' questions that is asked. ``power``: by the time constant of the
    feed, in videos.
    """

    plan: StudyPlan
    others: float
    power: dict[float, float]

    @property
    def reaches(self) -> bool:
        """Whether it finds the target with a power of 0.8, in a quick feed and in a slow one."""
        return min(self.power[AT_ONCE], self.power[SLOWLY]) >= WANTED

    @property
    def mean_power(self) -> float:
        return (self.power[AT_ONCE] + self.power[SLOWLY]) / 2


def _option(others: float) -> Option:
    return Option("adjusted matrix", headlined_of_drawn(others), 1, ("before", "after"), True)


@dataclass(frozen=True)
class TriedSizes:
    """How many personas, and how many videos in the longest run, are tried."""

    personas: tuple[int, ...] = SIZES
    longest: int = MOST
    settled: bool = False
    """Whether no shorter run is tried."""

    @property
    def lengths(self) -> list[int]:
        """Videos of a run, shortest first: in steps of a batch, and the longest."""
        if self.settled:
            return [self.longest]
        steps = range(LEAST, self.longest, STEP)
        return [*steps, self.longest]


@dataclass(frozen=True)
class StudySearch:
    """What is sought: a sway (a share of 1), in a world, told by so many simulated studies."""

    target: float
    world: World
    trials: Trials

    def powers(
        self, plan: StudyPlan, others: float, constants: Iterable[float] = (AT_ONCE, SLOWLY)
    ) -> AffordableStudy:
        """Simulate a plan in feeds of these time constants."""
        option = _option(others)
        power = {
            constant: self.trials.power(
                option, plan, replace(self.world, time_constant=constant or None), self.target
            )
            for constant in constants
        }
        return AffordableStudy(plan, others, power)

    def smallest(self, study: AffordableStudy, constant: float) -> float:
        """Smallest sway in pp that the study finds with a power of 0.8; nan where none is."""
        world = replace(self.world, time_constant=constant or None)
        return smallest_sway(_option(study.others), study.plan, world, self.trials)


def find_affordable(
    search: StudySearch,
    affords: Affords,
    sizes: TriedSizes,
    tell: Callable[[int, int], None] | None = None,
) -> list[AffordableStudy]:
    """Try each number of personas and share with the longest runs that are paid for.

    One that finds the target in quick and in slow feeds is then shortened as far as it still does.
    ``tell`` hears how many of how many were tried. Raises ``BadPlan``: nothing is paid for, or the
    base rate leaves no room for the target.
    """
    check_room(search.target, search.world)
    tried = [(size, share) for size in sizes.personas for share in SHARES]
    found = []
    for number, (size, share) in enumerate(tried):
        if tell:
            tell(number, len(tried))
        plans = [run_windows(length, size) for length in sizes.lengths]
        paid = _count_paid(plans, share, affords)
        if paid:
            found.append(_shortened(search, plans[:paid], share))
    if not found:
        raise BadPlan(
            f"No study of {sizes.personas[0]} personas and {sizes.lengths[0]} videos each is paid "
            "for by that. "
            "Type: --budget with more, or a cheaper --model"
        )
    return found


def _count_paid(plans: Sequence[StudyPlan], share: float, affords: Affords) -> int:
    """How many of these plans, from the shortest on, are paid for."""
    return bisect_left(plans, True, key=lambda plan: not affords(plan, share))


def _shortened(search: StudySearch, paid: Sequence[StudyPlan], share: float) -> AffordableStudy:
    """The shortest of these plans that reaches the target, by bisection, or else the longest."""
    best = search.powers(paid[-1], share)
    low, high = 0, len(paid) - 1
    while best.reaches and low < high:
        middle = (low + high) // 2
        study = search.powers(paid[middle], share)
        if study.reaches:
            best, high = study, middle
        else:
            low = middle + 1
    return best


def choose(studies: Sequence[AffordableStudy], costs: Sequence[float]) -> int:
    """Place of the study to be recommended.

    The cheapest that reaches the target in quick and in slow feeds; where none does, the one with
    the greatest mean of both powers.
    """
    reaching = [place for place, study in enumerate(studies) if study.reaches]
    if reaching:
        return min(reaching, key=lambda place: costs[place])
    return int(np.argmax([study.mean_power for study in studies]))

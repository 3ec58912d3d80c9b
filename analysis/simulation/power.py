"""Planning: what a study of a given size can find, and which design finds a sway for least money.

Every figure comes from simulated studies with batch correlation and account differences
(``scenarios``), judged by the very formulas that judge real ones.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.errors import BadPlan
from analysis.estimators.persona_matrix import LEAST_PERSONAS
from analysis.simulation import designs
from analysis.simulation.designs import Design
from analysis.simulation.scenarios import StudyPlan, World
from analysis.statistics.estimate import NAN
from analysis.statistics.permutation import Sided

WANTED = 0.8  # power that a design must reach

EFFECTS = (0.05, 0.10, 0.15, 0.20)
PERSONAS = (3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40)  # sizes that are tried for a target

WINDOWS = (
    StudyPlan(before=50, adapt=0, after=50),
    StudyPlan(before=100, adapt=0, after=100),
    StudyPlan(before=24, adapt=24, after=52, baseline="passive"),
    StudyPlan(before=48, adapt=36, after=66, baseline="passive"),
    StudyPlan(before=50, adapt=50, after=100, baseline="passive"),
)
"""Windows that are tried for a target: the paper's, twice these, and those of studies."""

_STEP = 0.0025


@dataclass(frozen=True)
class Option:
    """A design as planning sees it.

    ``arms`` is how many runs each persona needs; ``again`` which windows are judged again as every
    persona.
    """

    name: str
    simulate: Design
    arms: int
    again: tuple[str, ...] = ()
    passive: bool = False

    def offered(self, plan: StudyPlan) -> bool:
        enough = plan.personas >= (LEAST_PERSONAS if self.again else 2)
        return enough and (plan.baseline == "passive" or not self.passive)

    def videos(self, plan: StudyPlan) -> int:
        return self.arms * plan.personas * plan.videos

    def judgements(self, plan: StudyPlan) -> int:
        """Questions to the model: one a video, and each window again as every persona."""
        videos = {"before": plan.before, "after": plan.after}
        again = sum(videos[window] for window in self.again)
        return self.videos(plan) + plan.personas**2 * again


OPTIONS = (
    Option("paired with control", designs.paired_with_control, 2),
    Option("adjusted matrix", designs.headlined_matrix, 1, ("before", "after"), passive=True),
    Option("borrowed base", designs.borrowed_base, 1, ("before", "after"), passive=True),
)

PriceOf = Callable[[str], float | None]
"""US dollars per judgement of a named model; ``None`` where it is not known."""


@dataclass(frozen=True)
class Trials:
    """How power is simulated: the same draws serve every effect, so that powers compare."""

    studies: int = 2000
    seed: int = 0
    sided: Sided = "two"

    @property
    def error(self) -> float:
        """Standard error of a simulated power near 0.8."""
        return math.sqrt(WANTED * (1 - WANTED) / self.studies)

    def power(self, option: Option, plan: StudyPlan, world: World, effect: float) -> float:
        """Share of the simulated studies that find this effect (a share of 1)."""
        rng = np.random.default_rng(self.seed)
        changed = dataclasses.replace(world, effect=effect)
        return option.simulate(plan, changed, self.studies, rng).power(self.sided)


@dataclass(frozen=True)
class Power:
    """What one design can find."""

    design: str
    plan: StudyPlan
    runs: int
    videos: int
    judgements: int
    power: dict[float, float]  # by sway in pp
    smallest: float
    """Smallest sway in pp that is found with a power of 0.8; nan where none is, and ``reason``."""
    cost: float  # in US dollars; nan where no price is known
    reason: str = ""


def powers(
    plan: StudyPlan, world: World, trials: Trials, model: str = "", price_of: PriceOf | None = None
) -> tuple[Power, ...]:
    """Power of each design that the plan allows, with its smallest detectable sway."""
    return tuple(
        _told(
            option,
            plan,
            smallest_sway(option, plan, world, trials),
            price_of,
            model,
            {100 * effect: trials.power(option, plan, world, effect) for effect in EFFECTS},
        )
        for option in OPTIONS
        if option.offered(plan)
    )


def smallest_sway(option: Option, plan: StudyPlan, world: World, trials: Trials) -> float:
    """Smallest sway in pp that is found with a power of 0.8, by bisection; nan where none is."""
    base = float(np.max(world.base))
    low, high = 0.0, 0.95 - base
    if high <= 0 or trials.power(option, plan, world, high) < WANTED:
        return NAN
    while high - low > _STEP:
        middle = (low + high) / 2
        if trials.power(option, plan, world, middle) >= WANTED:
            high = middle
        else:
            low = middle
    return 100 * high


def _told(
    option: Option,
    plan: StudyPlan,
    smallest: float,
    price_of: PriceOf | None,
    model: str,
    found: dict[float, float],
) -> Power:
    price = price_of(model) if price_of else None
    judgements = option.judgements(plan)
    return Power(
        design=option.name,
        plan=plan,
        runs=option.arms * plan.personas,
        videos=option.videos(plan),
        judgements=judgements,
        power={round(sway, 4): value for sway, value in found.items()},
        smallest=smallest,
        cost=NAN if price is None else price * judgements,
        reason="no sway that the base rate leaves room for" if math.isnan(smallest) else "",
    )


def check_room(target: float, world: World) -> None:
    """Refuse a sway (a share of 1) for which a base rate leaves no room; raises ``BadPlan``."""
    if not 0 < target < 1 - float(np.max(world.base)):
        raise BadPlan(
            f"A sway of {100 * target:g} pp does not fit above this base rate. "
            "Type: --base 0.2 --target 10pp"
        )


def cheapest(
    target: float,
    world: World,
    trials: Trials,
    model: str = "",
    price_of: PriceOf | None = None,
    windows: Sequence[StudyPlan] = WINDOWS,
) -> tuple[Power, ...]:
    """For each design and windows the fewest personas that find the target with a power of 0.8.

    ``target`` is a share of 1. Sorted by cost where a price is known, else by videos. Raises
    ``BadPlan``: the target is not above 0, or leaves no room above the base rate, or no design of
    up to 40 personas finds it.
    """
    check_room(target, world)
    found = [
        _told(option, plan, 100 * target, price_of, model, {100 * target: power})
        for option in OPTIONS
        for window in windows
        for plan, power in _fewest(option, window, world, trials, target)
    ]
    if not found:
        raise BadPlan(
            f"No design of up to {PERSONAS[-1]} personas finds {100 * target:g} pp with a power "
            f"of {WANTED}. Type: --before 100 --after 100, or a larger --target"
        )
    return tuple(
        sorted(
            found,
            key=lambda power: (
                (power.cost, power.videos) if not math.isnan(power.cost) else (0.0, power.videos)
            ),
        )
    )


def _fewest(
    option: Option, window: StudyPlan, world: World, trials: Trials, target: float
) -> Iterator[tuple[StudyPlan, float]]:
    """The smallest tried study that finds the target, by bisection over its size; or nothing."""
    plans = [dataclasses.replace(window, personas=personas) for personas in PERSONAS]
    plans = [plan for plan in plans if option.offered(plan)]
    low, high, best = 0, len(plans), 0.0
    while low < high:
        middle = (low + high) // 2
        power = trials.power(option, plans[middle], world, target)
        if power >= WANTED:
            high, best = middle, power
        else:
            low = middle + 1
    if low < len(plans):
        yield plans[low], best

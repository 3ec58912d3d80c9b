"""Designs compared at equal numbers of videos: power, false positives, coverage, bias.

A study is simulated many times in each of several worlds and judged by each design, once with a
sway and once without. A second table breaks the assumptions one at a time, where nothing happens.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from analysis.simulation import designs
from analysis.simulation.designs import Design, Outcomes
from analysis.simulation.scenarios import StudyPlan, World
from analysis.statistics.estimate import NAN
from analysis.statistics.wandering_rates import SHARE

RUNS = 10
DEFAULT = StudyPlan(personas=RUNS, before=24, adapt=24, after=52, baseline="passive")
"""The windows of a study, 100 videos a run."""
PAPER = StudyPlan(personas=RUNS, before=50, after=50)  # the paper's windows, reacted to throughout
USUAL = World(overlap=-1 / (RUNS - 1))
"""+10 pp over 20 %, batches of 12 with a correlation of 0.1, accounts that differ by 8 pp, and own
gain taken from the others', as in a feed of fixed length."""
SPREAD = tuple(np.linspace(0.05, 0.5, RUNS).tolist())

Tell = Callable[[int, int], None]
Seed = tuple[int, ...]
"""The same for all designs of a world, so that they are judged on the same studies."""


@dataclass(frozen=True)
class Rival:
    """A design under comparison; ``arms`` runs a persona, and so many personas that runs add up."""

    name: str
    simulate: Design
    runs: int = RUNS
    arms: int = 1
    passive: bool = False
    interval: bool = True


RIVALS = (
    Rival("I_avg in its null", designs.average_change_in_its_null, interval=False),
    Rival("paired, 10 runs", designs.paired_with_control, arms=2),
    Rival("paired, 20 runs", designs.paired_with_control, runs=2 * RUNS, arms=2),
    Rival("borrowed base", designs.borrowed_base, passive=True),
    Rival("persona matrix", designs.persona_matrix),
    Rival("adjusted matrix", designs.adjusted_matrix, passive=True),
)


@dataclass(frozen=True)
class SimulatedSetting:
    """A world, and the windows that are watched in it."""

    name: str
    world: World = USUAL
    plan: StudyPlan = DEFAULT


def _usual(**changes: object) -> World:
    return replace(USUAL, **changes)  # type: ignore[arg-type]


SCENES = (
    SimulatedSetting("usual"),
    SimulatedSetting("tastes unrelated (overlap 0)", _usual(overlap=0.0)),
    SimulatedSetting("tastes overlap by a quarter", _usual(overlap=0.25)),
    SimulatedSetting("tastes overlap by half", _usual(overlap=0.5)),
    SimulatedSetting("accounts alike (0 pp)", _usual(account_sd=0.0)),
    SimulatedSetting("accounts differ by 16 pp", _usual(account_sd=0.16)),
    SimulatedSetting("batch correlation 0", _usual(icc=0.0)),
    SimulatedSetting("batch correlation 0.2", _usual(icc=0.2)),
    SimulatedSetting("base rate 10 %", _usual(base=0.1)),
    SimulatedSetting("base rate 40 %", _usual(base=0.4)),
    SimulatedSetting("base rates from 5 to 50 %", _usual(base=SPREAD)),
    SimulatedSetting("time constant 12 videos", _usual(time_constant=12.0)),
    SimulatedSetting("time constant 25 videos", _usual(time_constant=25.0)),
    SimulatedSetting("time constant 50 videos", _usual(time_constant=50.0)),
    SimulatedSetting("time constant 100 videos", _usual(time_constant=100.0)),
    SimulatedSetting("time constant 50, active 50 + 50", _usual(time_constant=50.0), PAPER),
    SimulatedSetting(
        "hard mix",
        _usual(base=SPREAD, twins=0.8, likeable_sd=0.1, icc=0.2, shortest=0.5),
    ),
)
"""The hard mix: base rates from 5 to 50 %, twins with 80 % overlap, likeable runs, a batch
correlation of 0.2, and runs that are up to half an after window short."""


@dataclass(frozen=True)
class BrokenAssumption:
    """An assumption that does not hold, and what the program does about it."""

    name: str
    world: World
    remedy: str


BREAKS = (
    BrokenAssumption("nothing", _usual(effect=0.0), "nothing is needed"),
    BrokenAssumption(
        "profiles lean to their personas by 3 pp",
        _usual(effect=0.0, lean=0.03),
        "the placebo is printed (matrix.specific_sway), and below 0.05 no base is borrowed",
    ),
    BrokenAssumption(
        "slots suit personas by 3 pp, personas tied to them",
        _usual(effect=0.0, hours=0.03, tied=True),
        "cannot happen: a study draws personas for slots (agent.study.matrix.draw)",
    ),
    BrokenAssumption(
        "the same, personas drawn for slots",
        _usual(effect=0.0, hours=0.03),
        "nothing is needed",
    ),
    BrokenAssumption(
        "a quarter of the runs begun again, for few yes of their own",
        _usual(effect=0.0, lost=0.25),
        "windows and stopping never use answers; lost runs are counted and tested by arm",
    ),
    BrokenAssumption(
        "the feed drifts by 3 pp",
        _usual(effect=0.0, drift=0.03),
        "the borrowed base is refused where the others' feeds changed",
    ),
    BrokenAssumption(
        "runs likeable to all (10 pp)", _usual(effect=0.0, likeable_sd=0.1), "nothing is needed"
    ),
    BrokenAssumption(
        "after windows up to half short",
        _usual(effect=0.0, shortest=0.5),
        "nothing is needed",
    ),
    BrokenAssumption(
        "feeds wander as real ones do",
        _usual(effect=0.0, icc=0.0, wander=SHARE),
        "nothing is needed over several runs; the interval of one run allows for it",
    ),
)


@dataclass(frozen=True)
class DesignResult:
    """One design in one world; nan where it is not offered or has no interval.

    ``power``, ``power_two``: share of the studies that find the sway, one- and two-sided at 0.05.
    """

    scene: str
    design: str
    runs: int
    power: float = NAN
    power_two: float = NAN
    false: float = NAN  # false, false_two: the same where nothing happens
    false_two: float = NAN
    coverage: float = NAN  # share of the 95 % intervals that hold the design's own estimand
    bias: float = NAN
    """Mean estimate less that estimand, in pp; of I_avg its mean in % where nothing happens."""
    bias_error: float = NAN
    truth: float = NAN  # the estimand in pp


@dataclass(frozen=True)
class BrokenResult:
    """False positives, one-sided, where nothing happens but an assumption fails.

    ``placebo``, ``drift``: how often the placebo is below 0.05, and how often the others' feeds
    seem to change.
    """

    name: str
    remedy: str
    false: dict[str, float]  # by design
    placebo: float
    drift: float
    offered: float  # false positives of the borrowed base in the studies where it is offered


@dataclass(frozen=True)
class DesignTable:
    """Everything, and how many studies each figure rests on."""

    studies: int
    cells: tuple[DesignResult, ...]
    broken: tuple[BrokenResult, ...]

    def error(self, share: float) -> float:
        return math.sqrt(share * (1 - share) / self.studies)


def table(studies: int, seed: int, tell: Tell) -> DesignTable:
    """Simulate every world and design, so many studies a figure, and ``tell`` how many are done."""
    total = len(SCENES) + len(BREAKS)
    cells: list[DesignResult] = []
    for number, scene in enumerate(SCENES):
        cells += [compared(rival, scene, studies, (seed, number)) for rival in RIVALS]
        tell(number + 1, total)
    broken = []
    for number, case in enumerate(BREAKS):
        broken.append(broken_by(case, studies, (seed, len(SCENES) + number)))
        tell(len(SCENES) + number + 1, total)
    return DesignTable(studies, tuple(cells), tuple(broken))


def compared(rival: Rival, scene: SimulatedSetting, studies: int, seed: Seed) -> DesignResult:
    if rival.passive and scene.plan.baseline != "passive":
        return DesignResult(scene.name, rival.name, rival.runs)
    found = _outcomes(rival, scene.plan, scene.world, studies, (*seed, 1))
    none = _outcomes(rival, scene.plan, replace(scene.world, effect=0.0), studies, (*seed, 0))
    measured = found if rival.interval else none
    return DesignResult(
        scene=scene.name,
        design=rival.name,
        runs=rival.runs,
        power=found.power("greater"),
        power_two=found.power(),
        false=none.power("greater"),
        false_two=none.power(),
        coverage=found.coverage() if rival.interval else NAN,
        bias=found.bias if rival.interval else float(np.nanmean(none.estimate)),
        bias_error=float(np.nanstd(measured.estimate, ddof=1)) / math.sqrt(studies),
        truth=found.truth,
    )


def _outcomes(rival: Rival, plan: StudyPlan, world: World, studies: int, seed: Seed) -> Outcomes:
    """Simulate a design with as many personas as its runs allow."""
    personas = rival.runs // rival.arms
    if isinstance(world.base, tuple) and personas < len(world.base):
        # as wide a spread over fewer personas
        spread = np.linspace(world.base[0], world.base[-1], personas)
        world = replace(world, base=tuple(spread.tolist()))
    plan = replace(plan, personas=personas)
    return rival.simulate(plan, world, studies, np.random.default_rng(seed))


def broken_by(case: BrokenAssumption, studies: int, seed: Seed) -> BrokenResult:
    def outcomes(design: Design) -> Outcomes:
        return design(DEFAULT, case.world, studies, np.random.default_rng(seed))

    judged = [rival for rival in RIVALS if rival.interval and rival.runs // rival.arms == RUNS]
    return BrokenResult(
        name=case.name,
        remedy=case.remedy,
        false={rival.name: outcomes(rival.simulate).power("greater") for rival in judged},
        placebo=outcomes(designs.placebo).power(),
        drift=outcomes(designs.drift).power(),
        offered=outcomes(designs.borrowed_base_as_offered).power("greater"),
    )

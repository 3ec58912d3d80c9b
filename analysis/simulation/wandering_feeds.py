"""Runs in feeds that wander: what is said of one run, and both nulls, where nothing happens.

The scenarios of ``design_comparison`` draw batches; here the share of yes wanders slowly instead,
as it does in real feeds (``wandering_rates``), and batches are not alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.simulation.calibration import CalibrationCheck, rate
from analysis.simulation.scenarios import StudyPlan, World, draw_runs
from analysis.statistics.intervals import difference_over_batches
from analysis.statistics.null_models import null_of_i, null_of_sway
from analysis.statistics.wandering_rates import SHARE
from analysis.statistics.window_counts import WindowCounts

PLANS = {
    "50 + 50": StudyPlan(before=50, after=50),
    "100 + 100": StudyPlan(before=100, after=100),
    "24 | 52": StudyPlan(before=24, adapt=24, after=52, baseline="passive"),
}
WORLD = World(base=0.2, effect=0.0, icc=0.0, account_sd=0.08, wander=SHARE)
OUTSIDE = (0.03, 0.07)  # of the values, at a nominal 5 %
NULL_RUNS = 40  # that a study is given
DRAWS = 400

Study = Sequence[WindowCounts]


def counted(plan: StudyPlan, world: World, studies: int, rng: np.random.Generator) -> list[Study]:
    """Runs by study, as they would be counted from ledgers."""
    drawn, at = draw_runs(plan, world, studies, rng), plan.batch_positions()
    return [[WindowCounts(drawn.n, yes, at) for yes in study] for study in drawn.yes]


def one_run_checks(
    count: int, rng: np.random.Generator, world: World = WORLD
) -> list[CalibrationCheck]:
    """Intervals of one run leave zero out in 5 % of the runs in which nothing happens."""
    told = []
    for name, plan in PLANS.items():
        studies = counted(plan, world, count // plan.personas, rng)
        found = [difference_over_batches(run.in_points) for study in studies for run in study]
        outside = np.array([one.low > 0 or one.high < 0 for one in found if one.bounded])
        told.append(rate(f"one run leaves out 0, wandering, {name}", outside, *OUTSIDE))
    return told


def null_checks(count: int, rng: np.random.Generator) -> list[CalibrationCheck]:
    """I_avg and the mean sway of ten runs lie outside the middle 95 % of their null in 5 %."""
    told = []
    for name, plan in PLANS.items():
        studies = counted(plan, WORLD, count, rng)
        libraries = counted(plan, WORLD, count * (NULL_RUNS // plan.personas), rng)
        pools = [
            [run for part in libraries[place::count] for run in part] for place in range(count)
        ]
        for what, null_runs in (("modelled", [()] * count), ("from null runs", pools)):
            found = np.array(
                [places(study, pool, rng) for study, pool in zip(studies, null_runs, strict=True)]
            )
            for measure, place in zip(("I_avg", "sway"), found.T, strict=True):
                outside = (place < 2.5) | (place > 97.5)
                told.append(rate(f"{measure} outside its null, {what}, {name}", outside, *OUTSIDE))
    return told


def places(study: Study, null_runs: Study, rng: np.random.Generator) -> tuple[float, float]:
    """Percentiles of I_avg and of the mean sway in their nulls."""
    alone = [[run] for run in study]
    return (
        null_of_i(alone, rng, null_runs=null_runs, draws=DRAWS).percentile,
        null_of_sway(study, [], rng, null_runs=null_runs, draws=DRAWS).percentile,
    )

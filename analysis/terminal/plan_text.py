"""Plans as text for a person at a terminal: what a study can find, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.simulation.power import WANTED, Power, Trials
from analysis.simulation.scenarios import StudyPlan, World
from analysis.simulation.video_budget import BudgetSplit
from analysis.terminal.runs_table import columns, number
from store.terminal.printing import count_of


def powers_text(
    powers: Sequence[Power], plan: StudyPlan, world: World, trials: Trials, model: str
) -> str:
    sways = list(powers[0].power)
    head = (
        "design",
        "runs",
        "videos",
        "judgements",
        *_cost_head(powers),
        "smallest pp",
        *(f"{sway:g} pp" for sway in sways),
    )
    rows = [
        (
            power.design,
            str(power.runs),
            f"{power.videos:,}",
            f"{power.judgements:,}",
            *_cost(power, powers),
            number(power.smallest, ".1f"),
            *(f"{power.power[sway]:.2f}" for sway in sways),
        )
        for power in powers
    ]
    lines = [
        f"{count_of(plan.personas, 'persona')}, {_windows(plan)}",
        "",
        columns(head, rows),
        "",
        f"smallest: the least sway that is found with a power of {WANTED:g}; then the power for "
        "given sways",
        *_assumed(world, trials, model),
    ]
    if plan.baseline == "active":
        lines.append("--baseline passive offers more designs, and a placebo.")
    return "\n".join(lines) + "\n"


def cheapest_text(
    found: Sequence[Power], target: float, world: World, trials: Trials, model: str
) -> str:
    rows = [
        (
            power.design,
            _windows(power.plan),
            str(power.plan.personas),
            str(power.runs),
            f"{power.videos:,}",
            f"{power.judgements:,}",
            *_cost(power, found),
            f"{next(iter(power.power.values())):.2f}",
        )
        for power in found
    ]
    head = (
        "design",
        "windows",
        "personas",
        "runs",
        "videos",
        "judgements",
        *_cost_head(found),
        "power",
    )
    by = "cost" if _cost_head(found) else "videos"
    lines = [
        f"to find a sway of {100 * target:g} pp with a power of {WANTED:g}, fewest {by} first",
        "",
        columns(head, rows, left=2),
        "",
        "The matrix finds the specific sway (own feed against the others'), the other two the sway "
        "itself.",
        *_assumed(world, trials, model),
    ]
    return "\n".join(lines) + "\n"


def budget_text(
    splits: Sequence[BudgetSplit],
    videos: int,
    target: float,
    world: World,
    trials: Trials,
    model: str,
) -> str:
    constants = list(splits[0].power)
    head = (
        "design",
        "windows",
        "personas",
        "runs",
        "judgements",
        *_cost_head(splits),
        *(f"{constant:g} videos" if constant else "at once" for constant in constants),
    )
    rows = [
        (
            split.design,
            _windows(split.plan),
            str(split.plan.personas),
            str(split.runs),
            f"{split.judgements:,}",
            *_cost(split, splits),
            *(f"{split.power[constant]:.2f}" for constant in constants),
        )
        for split in splits
    ]
    lines = [
        f"{videos:,} videos, to find a sway of {100 * target:g} pp",
        "",
        columns(head, rows, left=2),
        "",
        "The last columns are the power: where the feed learns at once, or with a time constant of "
        "so many videos.",
        "The matrix finds the specific sway (own feed against the others'), the pairs the sway.",
        *_assumed(world, trials, model, learning=False),
    ]
    return "\n".join(lines) + "\n"


def _windows(plan: StudyPlan) -> str:
    adapt = f" adapt {plan.adapt}," if plan.adapt else ""
    return f"{plan.baseline} before {plan.before},{adapt} after {plan.after}"


def _cost_head(powers: Sequence[Power] | Sequence[BudgetSplit]) -> tuple[str, ...]:
    return () if all(math.isnan(power.cost) for power in powers) else ("USD",)


def _cost(
    power: Power | BudgetSplit, powers: Sequence[Power] | Sequence[BudgetSplit]
) -> tuple[str, ...]:
    return (f"{power.cost:,.2f}",) if _cost_head(powers) else ()


def _assumed(world: World, trials: Trials, model: str, *, learning: bool = True) -> list[str]:
    base = 100 * float(world.base) if isinstance(world.base, float) else 0
    speed = (
        "the sway is whole after and absent before"
        if world.time_constant is None
        else f"the feed learns with a time constant of {world.time_constant:g} videos"
    )
    sided = "two-sided" if trials.sided == "two" else "one-sided"
    return [
        f"assumed: base rate {base:g} %, correlation within batches {world.icc:g}, accounts that "
        f"differ by {100 * world.account_sd:g} pp" + (f", {speed}" if learning else ""),
        f"{sided} at 0.05; {trials.studies} simulated studies, so a power near 0.8 is within "
        f"{2 * trials.error:.2f}" + (f"; judged by {model}" if model else ""),
    ]

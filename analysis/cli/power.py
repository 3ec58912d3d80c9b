"""``python -m analysis power``: planning, on the command line."""

from __future__ import annotations

import math
from typing import Any

import click

from analysis.cli.options import json_option, put, seed_option

TARGET = 0.1
"""Sway that --videos is spent for where --target names none, as a share of 1."""


class Points(click.ParamType[float]):
    """Percentage points: ``10pp``, ``10 pp`` or ``10``."""

    name = "pp"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            return float(str(value).lower().removesuffix("pp").strip()) / 100
        except ValueError:
            self.fail(f"{value!r} is not a number of percentage points. Type: 10pp", param, ctx)


@click.command(
    epilog="\b\nExamples:\n"
    "  $ python -m analysis power --personas 10 --before 100 --after 100 --base 0.2\n"
    "  $ python -m analysis power --videos 400\n"
    "  $ python -m analysis power --target 10pp --base 0.2 --model openai/gpt-4o-mini "
    "--cost-per-video 0.001"
)
@click.option("--personas", type=click.IntRange(2, 100), default=10, show_default=True)
@click.option("--before", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--adapt", type=click.IntRange(0, 1000), default=0, show_default=True)
@click.option("--after", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--baseline", type=click.Choice(["active", "passive"]), default="active")
@click.option(
    "--base",
    type=click.FloatRange(0.01, 0.9),
    default=0.2,
    show_default=True,
    help="Share of yes in an unpersonalised feed.",
)
@click.option(
    "--icc",
    type=click.FloatRange(0, 0.9),
    default=0.1,
    show_default=True,
    help="Correlation of two answers of one batch.",
)
@click.option(
    "--accounts",
    type=Points(),
    default="8pp",
    show_default=True,
    help="How far accounts of one persona differ.",
)
@click.option(
    "--time-constant",
    type=click.FloatRange(1),
    default=None,
    help="Videos in which the feed learns; without it, at once.",
)
@click.option(
    "--catalogue",
    type=click.IntRange(2),
    default=None,
    help="Videos of a theme that the feed has: no run is longer.",
)
@click.option("--sided", type=click.Choice(["two", "greater"]), default="two", show_default=True)
@click.option(
    "--target",
    type=Points(),
    default=None,
    help="Look for the cheapest design that finds this sway.",
)
@click.option(
    "--videos",
    type=click.IntRange(1),
    default=None,
    help="Spend this many videos: how many personas, and how long each run.",
)
@click.option("--model", default="", help="Model that judges, for the record.")
@click.option(
    "--cost-per-video",
    type=click.FloatRange(0),
    default=None,
    help="US dollars that one judgement of a video costs.",
)
@seed_option
@json_option
def power(
    as_json_: bool, target: float | None, videos: int | None, seed: int, **given: Any
) -> None:
    """Tell what a study can find, and what it costs.

    The smallest sway that is found with a power of 0.8, the power for given sways, and with
    --target the cheapest designs that reach 0.8. With --videos, how best to spend that many
    videos where the feed learns fast or slowly; the windows are then its own. From simulated
    studies.
    """
    from analysis.errors import BadPlan
    from analysis.simulation.power import WINDOWS, Trials, cheapest, powers
    from analysis.simulation.scenarios import StudyPlan, World
    from analysis.simulation.video_budget import MOST, VideoBudget, split_budget
    from analysis.terminal.plan_text import budget_text, cheapest_text, powers_text
    from store.terminal.printing import counting

    model, cost = given["model"], given["cost_per_video"]
    world = World(
        base=given["base"],
        icc=given["icc"],
        account_sd=given["accounts"],
        time_constant=given["time_constant"],
    )
    trials = Trials(studies=1000, seed=seed, sided=given["sided"])
    if videos is not None:
        sought = TARGET if target is None else target
        with counting("ways to spend them") as tell:
            longest = min(MOST, given["catalogue"] or MOST)
            splits = split_budget(VideoBudget(videos, longest, cost), sought, world, trials, tell)
        put(splits, lambda: budget_text(splits, videos, sought, world, trials, model), as_json_)
        return
    if target is not None:
        most = given["catalogue"] or math.inf
        windows = [plan for plan in WINDOWS if plan.videos <= most]
        if not windows:
            shortest = min(plan.videos for plan in WINDOWS)
            raise BadPlan(
                f"The shortest design that is tried watches {shortest} videos, and a theme has "
                f"{most}. Type: --before {most // 2} --after {most // 2}, without --target"
            )
        found = cheapest(target, world, trials, model, lambda _: cost, windows)
        put(found, lambda: cheapest_text(found, target, world, trials, model), as_json_)
        return
    names = ("personas", "before", "adapt", "after", "baseline", "catalogue")
    plan = StudyPlan(**{name: given[name] for name in names})
    told = powers(plan, world, trials, model, lambda _: cost)
    put(told, lambda: powers_text(told, plan, world, trials, model), as_json_)

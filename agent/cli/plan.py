"""``python -m agent plan``: which study a budget pays for, and what it can find."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from agent.cli.options import json_option
from analysis.cli.power import Points
from store.terminal.command_words import spell_commands
from store.terminal.printing import echo

EPILOG = """
\b
Examples:
  python -m agent plan --budget 20 --target 10pp
  python -m agent plan --budget 6 --model openai/gpt-4o --write planned.toml
"""
FINAL_STUDIES = 400
"""Simulated studies behind the powers of the study that is recommended."""


@click.command(epilog=EPILOG)
@click.option("--budget", type=click.FloatRange(0), required=True, metavar="USD", help="To spend.")
@click.option("--target", type=Points(), default="10pp", show_default=True, help="Sway to find.")
@click.option(
    "--model",
    "models",
    multiple=True,
    default=("openai/gpt-4o",),
    show_default=True,
    help="Who judges; of several, the one whose study finds most.",
)
@click.option("--strategy", default="simple", show_default=True, help="simple or isq.")
@click.option("--platform", default="playground", show_default=True, help="What is watched.")
@click.option(
    "--base",
    type=click.FloatRange(0.01, 0.9),
    default=0.2,
    show_default=True,
    help="Share of yes in an unpersonalised feed.",
)
@click.option("--hours", type=click.FloatRange(0, min_open=True), help="To spend, at most.")
@click.option("--personas", type=click.IntRange(6, 60), help="How many, where that is settled.")
@click.option("--videos", type=click.IntRange(60, 400), help="Of each run, where that is settled.")
@click.option(
    "--gpu-hour",
    type=click.FloatRange(0),
    default=0.0,
    metavar="USD",
    help="What an hour of your GPU costs, for models that run here.",
)
@click.option(
    "--batch/--live",
    default=True,
    show_default=True,
    help="Judge stored frames through the provider's batch service, where there is one: at about "
    "half the price, within a day. With --hours they are judged live.",
)
@click.option("--parallel", type=click.IntRange(1), default=1, show_default=True)
@click.option("--name", default="planned", show_default=True, help="Name of the study.")
@click.option("--write", type=click.Path(path_type=Path, dir_okay=False), help="Write its file.")
@click.option(
    "--studies",
    type=click.IntRange(50),
    default=200,
    show_default=True,
    help="Simulated studies behind each choice.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@json_option
def plan(as_json: bool, **given: Any) -> None:
    """Choose personas, length and judge for a budget, and print the study file.

    A persona matrix is planned: every run is judged again as every persona. Its power is quoted for
    feeds that learn at once and slowly, since nobody knows which yours is.
    """
    from agent.cli.plan_offers import PlanWish, find_offers, mirror_if_paid
    from agent.cli.plan_text import alternatives_text, summary_text
    from agent.errors import BadConfig
    from analysis.simulation.affordable_studies import choose
    from analysis.simulation.video_budget import TIME_CONSTANTS
    from store.jsonl.atomic import write_whole

    wish = PlanWish(**given)
    if wish.write is not None and wish.write.exists():
        raise BadConfig(f"{wish.write} is there already. Type: --write ANOTHER.toml")
    offers = find_offers(wish)
    place = choose([offer.study for offer in offers], [offer.cost_usd for offer in offers])
    best = mirror_if_paid(offers[place], wish)
    search = wish.search(FINAL_STUDIES, wish.seed + 1)  # the draws that chose it flatter it
    powers = search.powers(best.study.plan, best.study.others, TIME_CONSTANTS)
    final = replace(best, study=powers)
    file = final.proposal.file_text()
    if wish.write is not None:
        write_whole(wish.write, file.encode())
    if as_json:
        echo(json.dumps(final.as_dict(wish, search), indent=2))
        return
    echo(summary_text(final, wish, search))
    echo(alternatives_text(final, wish))
    if wish.write is None:
        echo(spell_commands(file), nl=False)
        return
    file_to_type = shlex.quote(str(wish.write))
    echo(spell_commands(f"Type: python -m agent study {file_to_type} --dry-run"))

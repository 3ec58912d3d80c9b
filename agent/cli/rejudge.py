"""``python -m agent rejudge``: ask again about stored frames."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import (
    batch_option,
    cap_options,
    connections_option,
    data_option,
    explain_option,
    model_option,
    patience_options,
    revision_option,
    settings_option,
)
from agent.cli.privacy_notice import announce
from store.cli.configured_group import is_from_config
from store.cli.options import cluster_option, shard_option, tell_shard
from store.terminal.printing import count_of, echo

if TYPE_CHECKING:
    from agent.evaluation.rejudge import RejudgeOutcome
    from agent.evaluation.rejudged_sitting import RejudgePlan
    from agent.judge.spending_cap import SpendingCap
    from store.runs.data_folder import DataFolder
    from store.runs.ledger import Ledger

EPILOG = """
\b
Examples:
  python -m agent rejudge latest --model embedded/conse --repeats 2
  python -m agent rejudge latest --model scripted/coin?p=0.3 --mirrored
  python -m agent rejudge latest --everyone --others 0.5 --seed 2
  python -m agent rejudge latest --everyone --order picture-first --seed 4
  python -m agent rejudge first-study --everyone --sample 300 --seed 3
  python -m agent rejudge first-study --everyone --shard 3/16
"""


@click.command(epilog=EPILOG)
@click.argument("runs", nargs=-1, metavar="RUN...|STUDY")
@model_option
@click.option("--strategy", default="simple", show_default=True, help="simple or isq.")
@click.option("--everyone", is_flag=True, help="As the personas of all runs: the persona matrix.")
@click.option(
    "--others",
    type=float,
    default=1.0,
    show_default=True,
    metavar="SHARE",
    help="With --everyone: of other runs, ask each persona about this share of the videos, drawn.",
)
@click.option(
    "--sample",
    type=click.IntRange(1),
    metavar="QUESTIONS",
    help="With --everyone: ask so many alone, drawn of the after windows: for a dear judge beside "
    "one that was asked everything.",
)
@click.option("--mirrored", is_flag=True, help="Also ask the opposite question.")
@click.option("--repeats", type=click.IntRange(1), default=1, show_default=True)
@explain_option
@click.option(
    "--order",
    type=click.Choice(["persona-first", "picture-first"]),
    help="What the model reads first.  [default: as the runs were asked]",
)
@cap_options
@patience_options
@revision_option
@settings_option
@connections_option
@batch_option
@shard_option("Ask about a part of the pictures, under a cap of its own")
@cluster_option("Ask a local model on all nodes of a Ray cluster")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@data_option
@click.pass_context
def rejudge(
    context: click.Context, /, runs: tuple[str, ...], *, data: Path, **options: Any
) -> None:
    """Ask a judge again about the frames of runs, blind and in shuffled order.

    The answers are kept beside each run; what was asked before is not asked again.
    """
    from agent.errors import BadConfig
    from agent.evaluation.named_ledgers import find_ledgers
    from agent.evaluation.rejudge import rejudge
    from agent.evaluation.rejudged_sitting import RejudgePlan
    from agent.judge.retry_limits import Patience
    from agent.model_settings import ModelSettings
    from agent.models import check_looks, check_persona
    from personas.strategies import hashes
    from store.runs.data_folder import DataFolder
    from store.terminal.printing import counting

    if not runs:
        raise BadConfig("Which run? Type: python -m store runs")
    cap, typed = _read_caps(context)
    del options["max_cost"], options["max_tokens"]
    patience = Patience(options.pop("attempts"), options.pop("max_missing"))
    settings = ModelSettings.parse(options.pop("model_settings"))
    asking = RejudgePlan(**options, settings=settings, patience=patience)
    hashes(asking.strategy)
    asking.request.check(os.environ)
    check_looks(asking.model)
    folder = DataFolder(data)
    left_out: list[str] = []
    ledgers = find_ledgers(folder, runs, left_out)
    asking = replace(asking, cap=_cap(cap, typed, asking, ledgers, folder))
    for ledger in ledgers:
        persona = ledger.started.persona
        check_persona(asking.model, persona.id, persona.traits)
    announce(asking.model, asking.cap)
    with counting("asked again") as tell:
        did = asyncio.run(rejudge(ledgers, asking, folder, datetime.now(UTC), tell))
    _tell_outcome(did, asking, len(ledgers))
    tell_shard(asking.shard)
    for problem in (*left_out, *did.left_out):
        echo(f"Left out: {problem}", err=True)
    if left_out or did.left_out:
        raise click.exceptions.Exit(1)


def _tell_outcome(did: RejudgeOutcome, asking: RejudgePlan, runs: int) -> None:
    """Say what came of the questions about so many runs."""
    part = f"in shard {asking.shard} " if asking.shard.partial else ""
    about = count_of(runs, "run")
    echo(f"{count_of(did.answered, 'question')} answered {part}about {about}.")
    if did.open:
        echo(f"{did.open} have no reply yet. Type the same command to ask them again.")
    if did.given_up:
        more = 2 * asking.patience.attempts
        echo(
            f"{did.given_up} had no reply in {asking.patience.attempts} attempts. "
            f"Type the same command with --attempts {more} to ask them again."
        )
    if did.others:
        echo(
            f"Another {asking.model} has answered in {count_of(did.others, 'file')}; its answers "
            "stay apart. To see which is which, type: python -m agent rejudge --help",
            err=True,
        )
    if (replies := did.replies) is not None:
        echo(
            f"{replies.kept} replies were kept from before, {replies.asked} were asked for; "
            f"{replies.unfit} of these cannot be kept."
        )


def _read_caps(context: click.Context) -> tuple[SpendingCap, SpendingCap]:
    """Return the cap in force, and the part of it that was typed and not of ``feedsway.toml``."""
    from agent.judge.spending_cap import SpendingCap

    given = context.params["max_cost"], context.params["max_tokens"]
    names = ("max_cost", "max_tokens")
    cost, tokens = (
        None if is_from_config(context, name) else value
        for name, value in zip(names, given, strict=True)
    )
    return SpendingCap(*given), SpendingCap(cost, tokens)


def _cap(
    asked: SpendingCap,
    typed: SpendingCap,
    asking: RejudgePlan,
    ledgers: list[Ledger],
    data: DataFolder,
) -> SpendingCap:
    """What was asked for, or the budget of the study that all these runs are of.

    A study's budget counts more than a cap that nobody typed.
    Raises ``BadConfig`` where a budget would have to be held for a part of the runs, or by one of
    several shards, which cannot see what the others spend.
    """
    from agent.errors import BadConfig
    from agent.models import find_capabilities
    from agent.study.study_file import read_cap

    if not find_capabilities(asking.model).uses_tokens:
        return asked
    names = {ledger.started.config.get("study") for ledger in ledgers}
    studies = sorted(str(name) for name in names if name is not None)
    budgets = [read_cap(data.study_dir(name) / "study.toml", name) for name in studies]
    if not all(budget.open for budget in budgets):
        asked = typed
    if asked.open and asking.shard.partial and not all(budget.open for budget in budgets):
        raise BadConfig(
            f"Study {studies[0]} has a budget, which is of all shards together, and none sees what "
            "the others spend. Say what this one may spend on these answers. "
            f"Type: --shard {asking.shard} --max-cost USD"
        )
    if len(names) == len(budgets) == 1:
        whole = asked.open and not budgets[0].open
        return budgets[0] if whole else replace(asked, study=budgets[0].study)
    if asked.open and not all(budget.open for budget in budgets):
        raise BadConfig(
            "These runs are not of one study, and one of theirs has a budget. "
            f"Type: python -m agent rejudge {studies[0]}"
        )
    return asked

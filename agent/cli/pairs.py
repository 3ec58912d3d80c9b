"""``python -m agent pairs``: preference pairs from stored frames, checked and exported."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import (
    batch_option,
    cap_options,
    connections_option,
    data_option,
    json_option,
    patience_options,
    revision_option,
    settings_option,
)
from agent.cli.privacy_notice import announce
from store.cli.options import cluster_option, shard_option, tell_shard
from store.terminal.printing import count_of, echo

if TYPE_CHECKING:
    from agent.preference_pairs.generate import GeneratedPairs, PairPlan
    from analysis.preference_pairs.pair_checks import PairChecks
    from store.runs.data_folder import DataFolder

EPILOG = """
\b
Examples:
  python -m agent pairs latest --model scripted/editor --frames 24 --export preferences
  python -m agent pairs --model scripted/editor --shard 3/16
"""
_KINDS = ("object", "attribute", "relation", "count", "place", "action", "persona")


@click.command(epilog=EPILOG)
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--model", required=True, help="Who describes and edits.")
@click.option("--checker", help="Who checks, blind.  [default: the same model]")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(_KINDS),
    help="Kind of error; repeatable.  [default: every kind]",
)
@click.option(
    "--frames",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="Frames at most, each of another video.",
)
@click.option(
    "--export",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Then write the pairs to this new folder, for TRL.",
)
@click.option(
    "--allow-shortcut",
    is_flag=True,
    help="Export even if length or style alone tell chosen from rejected.",
)
@click.option("--keep-handles", is_flag=True, help="Export creators' handles and ids as they are.")
@click.option("--blur", is_flag=True, help="Blur faces and handles in the exported pictures.")
@click.option(
    "--split-by",
    type=click.Choice(["creators", "videos"]),
    default="videos",
    show_default=True,
    help="What the export never divides between splits.",
)
@cap_options
@patience_options
@revision_option
@settings_option
@connections_option
@batch_option
@shard_option("Make pairs of a part of the pictures, under a cap of its own, without checks")
@cluster_option("Ask a local model on all nodes of a Ray cluster")
@json_option
@data_option
def pairs(runs: tuple[str, ...], *, data: Path, as_json: bool, **options: Any) -> None:
    """Make preference pairs: what is true of a frame, and the same with one error in it.

    Of all runs, or of those named. What was made before is not made again; edits that fail a
    check are kept with the reason and never exported.
    """
    from agent.models import find_capabilities
    from analysis.preference_pairs.pair_checks import PairChecks
    from store.jsonl.atomic import write_whole
    from store.privacy.derived_files import register, seal_derived
    from store.results.preference_pairs import read_pairs
    from store.runs.data_folder import DataFolder

    making = _planned(options)
    if not find_capabilities(making.model).looks:
        echo(f"{making.model} does not look: what it tells of a frame is made up.", err=True)
    folder = DataFolder(data)
    made = _make(folder, runs, making)
    if making.shard.partial:
        tell_shard(making.shard)
        echo("Then, for checks and exports, type the same without --shard.", err=True)
        return
    found = PairChecks(read_pairs(made.path).only(made.frames, making.errors))
    figure = made.path.with_suffix(".png")
    register(folder, figure, "figures", frames=made.frames)
    write_whole(figure, found.figure(), sync=False)
    seal_derived(folder, figure)
    exported = _export(folder, found, options) if options["folder"] else None
    if as_json:
        result = found.as_dict() | {"figure": str(figure), "exported": exported}
        echo(json.dumps(result, indent=2))
        return
    echo(found.text())
    if exported:
        rows = ", ".join(f"{count} for {split}" for split, count in exported["rows"].items())
        total = count_of(sum(exported["rows"].values()), "pair")
        echo(f"{total} in {options['folder']}: {rows}.")
    echo(f"{made.path}\n{figure}", err=True)


def _planned(options: dict[str, Any]) -> PairPlan:
    """Say who makes pairs, and of what; refuse what cannot be asked before anything is done."""
    from agent.errors import BadConfig
    from agent.judge.retry_limits import Patience
    from agent.judge.spending_cap import SpendingCap
    from agent.model_settings import ModelSettings
    from agent.preference_pairs.generate import PairPlan
    from store.results.preference_pairs import ERRORS

    kinds = tuple(kind for kind in ERRORS if kind in (options["kinds"] or ERRORS))
    cap = SpendingCap(options["max_cost"], options["max_tokens"])
    patience = Patience(options["attempts"], options["max_missing"])
    making = PairPlan(
        options["model"],
        options["checker"],
        kinds,
        options["frames"],
        cap,
        patience,
        options["revision"],
        ModelSettings.parse(options["model_settings"]),
        options["connections"],
        options["batch"],
        options["shard"],
        options["on"],
    )
    if making.shard.partial and options["folder"] is not None:
        raise BadConfig("A part is not exported. Type: the same without --export, or --shard")
    for request in making.requests:
        request.check(os.environ)
    for request in making.requests:
        announce(request.name, cap)
    making.check()
    return making


def _make(folder: DataFolder, runs: tuple[str, ...], making: PairPlan) -> GeneratedPairs:
    from agent.preference_pairs.generate import make_pairs
    from store.runs.ledger import read
    from store.terminal.printing import counting

    paths = [folder.find_run(name) for name in runs] or [run.path for run in folder.runs()]
    ledgers = [read(path) for path in paths]
    with counting("making pairs") as tell:
        made = asyncio.run(make_pairs(ledgers, making, folder, datetime.now(UTC), tell))
    if made.unbalanced and "persona" in making.errors and not making.shard.partial:
        echo(
            f"{made.unbalanced} of {len(made.frames)} frames have no persona pair: as many are "
            "taken that were watched as were left.",
            err=True,
        )
    return made


def _export(folder: DataFolder, found: PairChecks, options: dict[str, Any]) -> dict[str, Any]:
    """Write the export, unless the texts' surface gives the accepted one away."""
    from agent.errors import BadConfig
    from store.dataset.preferences import PairFigures, PairsChoice, export

    if found.shortcut.separates and not options["allow_shortcut"]:
        raise BadConfig(
            f"Length or style alone finds the accepted text in {found.shortcut.text()}: a model "
            "would learn that instead of looking. Mend the pairs, or type: --allow-shortcut"
        )
    findings = PairFigures(found.lines(), {"checks.png": found.figure()})
    choice = PairsChoice(options["keep_handles"], options["blur"], options["split_by"])
    done = export(folder, found.pairs, options["folder"], findings, choice)
    for problem in done.problems:
        echo(f"Left out: {problem}", err=True)
    return {"folder": str(done.folder), "rows": done.splits, "problems": list(done.problems)}

"""``python -m agent probe``: which statements about frames a model takes for true."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import (
    cap_options,
    connections_option,
    data_option,
    json_option,
    patience_options,
    revision_option,
    settings_option,
)
from agent.cli.privacy_notice import announce
from store.terminal.printing import echo

if TYPE_CHECKING:
    from agent.evaluation.hallucination_probes import ProbePlan
    from store.results.preference_pairs import PreferencePairs
    from store.runs.data_folder import DataFolder

EPILOG = """
\b
Examples:
  python -m agent probe --model scripted/witness?confuses=relation --model scripted/yes
"""


@click.command(epilog=EPILOG)
@click.option("--model", "models", multiple=True, required=True, help="Who is asked; repeatable.")
@click.option(
    "--pairs",
    "name",
    metavar="FILE",
    help="Pairs to ask about, by file or name.  [default: made last]",
)
@click.option(
    "--reasons/--no-reasons",
    default=True,
    show_default=True,
    help="Also ask once about each pair why; it costs tokens.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the figures.  [default: in the data folder]",
)
@cap_options
@patience_options
@revision_option
@settings_option
@connections_option
@json_option
@data_option
def probe(models: tuple[str, ...], *, data: Path, as_json: bool, **options: Any) -> None:
    """Measure how often models hold a false statement about a frame true.

    Of pairs of statements that differ in an object, an attribute or a relation, made by the
    command pairs. What was asked before is not asked again.
    """
    from agent.evaluation.hallucination_probes import ProbePlan
    from agent.judge.retry_limits import Patience
    from agent.judge.spending_cap import SpendingCap
    from agent.model_settings import ModelSettings
    from analysis.preference_pairs.hallucination_figures import write
    from analysis.preference_pairs.hallucination_rates import misalignment
    from store.frames.frame_store import FrameStore
    from store.privacy.derived_files import register, seal_derived
    from store.results.hallucination_probes import read_probes
    from store.results.preference_pairs import find_pairs
    from store.runs.data_folder import DataFolder

    cap = SpendingCap(options["max_cost"], options["max_tokens"])
    patience = Patience(options["attempts"], options["max_missing"])
    asked = [
        ProbePlan(
            model,
            options["reasons"],
            cap,
            patience,
            options["revision"],
            ModelSettings.parse(options["model_settings"]),
            options["connections"],
        )
        for model in dict.fromkeys(models)
    ]
    for probing in asked:
        probing.request.check(os.environ)
        probing.check()
    folder = DataFolder(data)
    pairs = find_pairs(folder, options["name"])
    paths = [_ask(folder, pairs, probing) for probing in asked]
    found = [misalignment(pairs, read_probes(path)) for path in paths]
    out = options["out"] or paths[0].with_suffix("")
    shown = [line.frame for path in paths for line in read_probes(path).said]
    register(folder, out, "figures", frames=shown or [pair.source.frame for pair in pairs.pairs])
    pictures = write(found, FrameStore(folder.frames_dir), out)
    seal_derived(folder, out)
    if as_json:
        result = {
            "pairs": str(pairs.path),
            "models": {one.model: one.as_dict() for one in found},
            "pictures": [str(path) for path in pictures],
        }
        echo(json.dumps(result, indent=2))
        return
    echo("\n\n".join(one.text() for one in found))
    echo(f"{out}", err=True)


def _ask(folder: DataFolder, pairs: PreferencePairs, probing: ProbePlan) -> Path:
    """Ask one model; returns where its answers are."""
    from agent.evaluation.hallucination_probes import ask_probes
    from store.terminal.printing import counting

    announce(probing.model, probing.cap)
    with counting(f"asking {probing.model}") as tell:
        return asyncio.run(ask_probes(pairs, probing, folder, datetime.now(UTC), tell))

"""``python -m agent spectrum``: which values' pictures a model likes."""

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
from store.cli.configured_group import ConfigOption
from store.cli.options import cluster_option, shard_option, tell_shard, url_option
from store.terminal.printing import echo

if TYPE_CHECKING:
    from agent.evaluation.value_spectrum import SpectrumPlan
    from store.results.value_spectrum import Retrieval
    from store.runs.data_folder import DataFolder

EPILOG = """
\b
Examples:
  python -m agent spectrum --model scripted/yes --values foundations
  python -m agent spectrum --model embedded/conse --persona p12 --modality
  python -m agent spectrum --model scripted/yes --values foundations --shard 3/16
"""


@click.command(epilog=EPILOG)
@click.option("--model", "models", multiple=True, required=True, help="Who is asked; repeatable.")
@click.option("--persona", help="Ask the models as this persona, not for their own taste.")
@click.option(
    "--values",
    "set_name",
    default="schwartz",
    show_default=True,
    help="schwartz, refined, foundations, or a TOML file.",
)
@click.option("--over", metavar="PLATFORM", help="Frames of this platform only.")
@click.option(
    "--per-keyword",
    type=click.IntRange(1, 50),
    default=5,
    show_default=True,
    help="Frames looked for by each keyword.",
)
@click.option(
    "--wordings",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Wordings in which the question and its opposite are asked.",
)
@click.option(
    "--explain", is_flag=True, help="Also ask why, and what each frame shows; it costs tokens."
)
@click.option(
    "--modality",
    is_flag=True,
    help="Also ask of each model's own description in the picture's place.",
)
@click.option(
    "--describe-by", metavar="MODEL", help="The same, of the descriptions that this model gives."
)
@click.option(
    "--by",
    type=click.Choice(["both", "picture"]),
    default="both",
    show_default=True,
    help="Find frames by picture and caption, or by picture alone.",
)
@click.option(
    "--encoder",
    cls=ConfigOption,
    default="conse",
    show_default=True,
    help="Whose index is searched: conse, or open_clip:MODEL/PRETRAINED.",
)
@url_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the report.  [default: in the data folder]",
)
@cap_options
@patience_options
@revision_option
@settings_option
@connections_option
@batch_option
@shard_option("Ask about a part of the pictures, under a cap of its own, without a report")
@cluster_option("Ask local models on all nodes of a Ray cluster")
@json_option
@data_option
def spectrum(models: tuple[str, ...], *, data: Path, as_json: bool, **options: Any) -> None:
    """Measure which values' pictures models like, and write a report.

    For each keyword of each value the best matching frames are found; of each frame a model is
    asked whether it likes it, in several wordings, and the opposite. What was asked before is not
    asked again.
    """
    from analysis.spectrum.spectrum_report import write_spectrum
    from personas.values import value_set
    from store.privacy.derived_files import register, seal_derived
    from store.runs.data_folder import DataFolder

    askings = _askings(models, options)
    values = value_set(options["set_name"])
    folder = DataFolder(data)
    retrieval = _retrieved(folder, values, options)
    kept = [_ask(retrieval, asking, folder) for asking in askings]
    if options["shard"].partial:
        tell_shard(options["shard"])
        echo("Then, for the report, type the same without --shard.", err=True)
        return
    out = options["out"] or retrieval.folder(folder) / "report"
    register(folder, out, "report", frames=retrieval.shown)
    written = write_spectrum(retrieval, kept, folder, out, datetime.now(UTC))
    seal_derived(folder, out)
    if as_json:
        echo(json.dumps(written.as_dict(), indent=2))
        return
    echo(written.text())
    doubtful = sum(keyword.doubtful for keyword in retrieval.keywords)
    echo(
        f"{doubtful} of {len(retrieval.keywords)} keywords are doubtful: no frame seems to fit. "
        "Look at the contact sheets.",
        err=True,
    )
    echo(f"{written.page}")


def _askings(models: tuple[str, ...], options: dict[str, Any]) -> list[SpectrumPlan]:
    """Say who is asked, and how; refuse what cannot be asked before anything is done."""
    from agent.evaluation.value_spectrum import SpectrumPlan
    from agent.judge.retry_limits import Patience
    from agent.judge.spending_cap import SpendingCap
    from agent.model_settings import ModelSettings
    from agent.models import check_persona
    from personas.library import find

    persona = find(options["persona"]) if options["persona"] else None
    cap = SpendingCap(options["max_cost"], options["max_tokens"])
    patience = Patience(options["attempts"], options["max_missing"])
    settings = ModelSettings.parse(options["model_settings"])
    askings = []
    for model in dict.fromkeys(models):
        by = options["describe_by"] or (model if options["modality"] else None)
        asking = SpectrumPlan(
            model,
            persona,
            options["wordings"],
            options["explain"],
            cap,
            by,
            patience,
            options["revision"],
            settings,
            options["connections"],
            options["batch"],
            options["shard"],
            options["on"],
        )
        for request in (asking.request, asking.describer.request):
            request.check(os.environ)
        if persona is not None:
            check_persona(asking.model, persona.id, persona.traits)
        asking.check()
        askings.append(asking)
    return askings


def _retrieved(folder: DataFolder, values: Any, options: dict[str, Any]) -> Retrieval:
    from agent.evaluation.retrieval import RetrievalQuery, retrieve
    from store import encoders
    from store.index.search import Index
    from store.results.value_spectrum import keep

    encoder = encoders.load(options["encoder"])
    wanted = RetrievalQuery(values, options["over"], options["per_keyword"], options["by"])
    with Index.open(folder, encoder, options["url"]) as index:
        retrieval = retrieve(wanted, index, encoder, datetime.now(UTC))
    keep(retrieval, folder)
    return retrieval


def _ask(
    retrieval: Retrieval, asking: SpectrumPlan, folder: DataFolder
) -> tuple[Path, Path | None, Path | None]:
    """Ask one model; returns where its answers, its explanations and its answers in words are."""
    from agent.evaluation.value_spectrum import ask_spectrum
    from store.terminal.printing import counting

    announce(asking.model, asking.cap)
    with counting(f"asking {asking.model}") as tell:
        kept = asyncio.run(ask_spectrum(retrieval, asking, folder, datetime.now(UTC), tell))
    return kept.answers, kept.explanations, kept.words

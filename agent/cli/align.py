"""``python -m agent align``: how few preference pairs are enough."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import data_option, json_option
from store.terminal.command_words import spell_commands
from store.terminal.printing import echo

if TYPE_CHECKING:
    from agent.training.data_scaling import ScalingPlan
    from agent.training.dataset import TrainingPairs

EPILOG = """
\b
Examples:
  python -m agent align --example example
  python -m agent align example/pairs --model hfvlm/example/vlm --style romantic \
--judge scripted/keywords?words=love,heart,dear --sizes 1,8 --seeds 2 --updates 5 --rate 1e-3
"""

_RECIPE = ("updates", "batch", "accumulation", "learning_rate", "beta", "rank")


def _sizes(_: click.Context, option: click.Parameter, text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        sizes = [int(size) for size in text.split(",")]
    except ValueError:
        sizes = [-1]
    if min(sizes) < 0:
        raise click.BadParameter("numbers with commas between. Type: --sizes 0,16,32", param=option)
    return sizes


@click.command(epilog=EPILOG)
@click.argument("pairs", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--example",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Write a small example, pairs and a model, and end.",
)
@click.option("--model", help="Who is trained: hfvlm/ID or hfvlm/FOLDER.")
@click.option("--style", help="What the chosen responses show, in words, for the judge.")
@click.option("--persona", help="The persona whose words they are, instead of a style.")
@click.option(
    "--judge",
    default="embedded/conse",
    show_default=True,
    help="Who scores the replies: any model but the trained one.",
)
@click.option(
    "--sizes",
    callback=_sizes,
    metavar="16,32,…",
    help="Numbers of pairs, with 0.  [default: 0, 16, then doubled]",
)
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Trainings of each size, each with pairs of its own draw.",
)
@click.option(
    "--updates",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="Updates of each training, whatever its size.",
)
@click.option(
    "--batch", type=click.IntRange(1), default=8, show_default=True, help="Pairs in one update."
)
@click.option(
    "--accumulate",
    "accumulation",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Parts in which they go through the model, where memory is short.",
)
@click.option(
    "--rate",
    "learning_rate",
    type=click.FloatRange(0, min_open=True),
    default=5e-5,
    show_default=True,
    help="Learning rate.",
)
@click.option(
    "--beta",
    type=click.FloatRange(0, min_open=True),
    default=0.1,
    show_default=True,
    help="How closely DPO keeps to the untrained model.",
)
@click.option(
    "--rank", type=click.IntRange(1), default=16, show_default=True, help="Rank of LoRA's matrices."
)
@click.option(
    "--margin",
    type=click.FloatRange(0, min_open=True),
    default=5.0,
    show_default=True,
    help="Points below the plateau that still count as saturated.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("ladder"),
    show_default=True,
    help="Where trainings, scores and figures are kept.",
)
@json_option
@data_option
def align(
    pairs: Path | None,
    *,
    example: Path | None,
    margin: float,
    out: Path,
    data: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a model on more and more preference pairs, and find how few are enough.

    DPO with LoRA at each size of a ladder and with each seed; a judge that was not trained scores
    the replies to held-out videos. What is done is kept: the same command goes on where it stopped,
    trains nothing again for another judge, and adds sizes or seeds.
    """
    from agent.training import data_scaling, dpo
    from analysis.alignment.alignment_report import write
    from analysis.estimators.learning_curve import read
    from store.privacy.derived_files import register, seal_derived
    from store.runs.data_folder import DataFolder
    from store.terminal.printing import counting

    if example is not None:
        _write_example(example)
        return
    plan, loaded = _plan(pairs, options)
    dpo.check_training()
    if loaded.frames:
        register(DataFolder(data), out, "training", frames=loaded.frames)
    with counting("trainings") as tell:
        data_scaling.train_all(plan, loaded, out, tell)
    with counting("replies scored") as tell:
        data_scaling.score_all(plan, loaded, out, DataFolder(data), tell)
    asked = plan.scale.make_scorer(plan.judge)
    result = read(out, asked, plan.sizes, plan.seeds, margin)
    written = write(result, out)
    seal_derived(DataFolder(data), out)
    if as_json:
        echo(json.dumps(written.as_dict(), indent=2))
        return
    echo(spell_commands(written.text()))


def _plan(folder: Path | None, options: dict[str, Any]) -> tuple[ScalingPlan, TrainingPairs]:
    from agent import models
    from agent.errors import BadConfig
    from agent.training import data_scaling
    from agent.training.dataset import read_training_pairs
    from agent.training.evaluate import AnswerScale
    from personas.library import find
    from store.results.trainings import TrainingRecipe

    model, judge, style = options["model"], options["judge"], options["style"]
    persona = find(options["persona"]) if options["persona"] else None
    if folder is None:
        raise BadConfig("Which pairs? Type: python -m agent align --example example")
    if model is None or not models.find_capabilities(model).trains:
        raise BadConfig("Only a local model can be trained. Type: --model hfvlm/FOLDER")
    if (style is None) == (persona is None):
        raise BadConfig("What should the replies show? Type either --style TEXT or --persona p12")
    if judge == model:
        raise BadConfig("The trained model can't be its own judge. Type: --judge embedded/conse")
    batch, parts = options["batch"], options["accumulation"]
    if batch % parts:
        fitting = max(n for n in range(1, min(batch, parts) + 1) if batch % n == 0)
        raise BadConfig(
            f"An update of {batch} pairs can't be cut into {parts} equal parts. "
            f"Type: --accumulate {fitting}"
        )
    models.check(judge)
    models.check_access(judge, os.environ)
    models.check(model)
    loaded = read_training_pairs(folder)
    recipe = TrainingRecipe(
        model=model,
        pairs=loaded.digest,
        **{name: options[name] for name in _RECIPE},
    )
    named: Sequence[int] | None = options["sizes"]
    sizes = data_scaling.choose_sizes(named, len(loaded.train))
    plan = data_scaling.ScalingPlan(
        sizes, options["seeds"], recipe, judge, AnswerScale.of(style, persona)
    )
    return plan, loaded


def _write_example(folder: Path) -> None:
    from agent.training.example import MODEL, PAIRS, STYLE, write_example

    write_example(folder)
    echo(f"{folder / PAIRS}: pairs. {folder / MODEL}: a model. The style: {STYLE}")

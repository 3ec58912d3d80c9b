"""``python -m analysis labels``: what people's labels say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from analysis.cli.options import data_option, json_option, progress, put, seed_option

if TYPE_CHECKING:
    from analysis.report.report_inputs import Material
    from store.runs.data_folder import DataFolder


@click.command(
    epilog="\b\nExamples:\n  $ python -m analysis labels first-study\n"
    "  $ python -m analysis labels first-study --json\n"
    "\n\b\nOne draw of several, by its name:\n  python -m analysis labels first-study-2",
)
@click.argument("names", nargs=-1, required=True, metavar="STUDY | RUN... | DRAW")
@data_option
@seed_option
@json_option
def labels(names: tuple[str, ...], data: Path, seed: int, as_json_: bool) -> None:
    """Show how people agree, how judges do against them, and the sway as they would find it.

    People answer with python -m agent label. Where they differ the majority counts; a tie, and who
    cannot tell, is missing.
    """
    import numpy as np

    from analysis.report.people_measures import measure_labels
    from analysis.terminal.labels_text import labels_text
    from store.runs.data_folder import DataFolder

    material = _gather(DataFolder(data), names)
    told = measure_labels(material, np.random.default_rng(seed))
    put(told, lambda: labels_text(told), as_json_)


def _gather(data: DataFolder, names: tuple[str, ...]) -> Material:
    """The runs that are meant, with the labels of the draw that is meant, or of all."""
    from dataclasses import replace

    from analysis.data.people_labels import read_answers
    from analysis.errors import NothingToCompare
    from analysis.report.report_inputs import find_runs, is_study, read_runs, read_study
    from store.runs.labels import draw_path, list_draws, read_draw

    draws = {path.parent.name for path in list_draws(data)}
    if len(names) == 1 and is_study(data, names[0]):
        material = read_study(data, names[0], progress)
    elif len(names) == 1 and names[0] in draws:
        path = draw_path(data, names[0])
        draw = read_draw(path)
        read_answers(data, path, draw)  # of several draws a damaged one is left out; not this
        there = [run for run in draw.header.runs if data.ledger_path(run).exists()]
        material = read_runs(data, find_runs(data, there), names, progress)
        chosen = tuple(one for one in material.people if one.name == names[0])
        material = replace(material, people=chosen)
    else:
        material = read_runs(data, find_runs(data, names), names, progress)
    if not material.people:
        raise NothingToCompare(
            f"Nobody was asked about {names[0]} yet. Type: python -m agent label {names[0]} "
            "--by anna"
        )
    return material

"""``python -m analysis paper``: the Value-Spectrum paper's tables of one's own study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from analysis.cli.options import (
    data_option,
    json_option,
    null_options,
    progress,
    seed_option,
)
from store.terminal.printing import echo


@click.command(
    epilog="\b\nExamples:\n  $ python -m analysis paper first-study\n"
    "\n\b\nWith the scores of a value spectrum, by its folder or how that begins:\n"
    "  python -m analysis paper first-study schwartz --out tables\n"
    "\n\b\nIn a LaTeX document that has \\usepackage{booktabs}:\n  \\input{tables/i_avg}",
)
@click.argument("study")
@click.argument("spectrum", required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the tables.  [default: paper/ in the folder of the study]",
)
@null_options
@data_option
@seed_option
@json_option
def paper(
    study: str,
    spectrum: str | None,
    *,
    out: Path | None,
    data: Path,
    as_json_: bool,
    **drawn: Any,
) -> None:
    """Write the paper's two tables: I_avg by model and platform, and scores by value.

    As HTML, LaTeX and CSV, with what the paper reports beneath.
    """
    import json
    import shlex
    from dataclasses import replace
    from datetime import UTC, datetime

    from analysis.paper.paper_tables import write_paper_tables
    from analysis.report.report_inputs import is_study, nearest_names, read_study
    from analysis.spectrum.spectrum_report import read_spectrum
    from store.bundle.study_sources import find_sources
    from store.privacy.derived_files import register, seal_derived
    from store.runs.data_folder import DataFolder

    folder = DataFolder(data)
    if not is_study(folder, study):
        raise nearest_names(folder, study)
    findings, partly = read_spectrum(folder, spectrum) if spectrum else (None, ())
    for model in partly:
        echo(
            f"{model} was asked about some frames of this spectrum only, and is left out. "
            f"Type: python -m agent spectrum --model {shlex.quote(model)}",
            err=True,
        )
    material = read_study(folder, study, progress)
    null_runs = drawn["null_from"].read(data, material.views.runs)
    names = [study, *([spectrum] if spectrum else []), *null_runs.words]
    command = f"python -m analysis paper {' '.join(map(shlex.quote, names))}"
    material = replace(material, null_runs=null_runs, command=command)
    sources = find_sources(folder, study, (), drawn["null_from"].runs(data))
    place = register(
        folder,
        out or folder.studies_dir / study / "paper",
        "report",
        runs={*sources.names, *(first.run_id for first in material.started)},
        frames=findings.layout.retrieval.shown if findings else (),
    )
    written = write_paper_tables(material, findings, place, drawn["seed"], datetime.now(UTC))
    seal_derived(folder, place)
    if as_json_:
        echo(json.dumps(written.as_dict(), indent=2))
        return
    for path in (*written.latex, written.page):
        echo(f"{path}")

"""``python -m analysis import``: a table of views made elsewhere in, words, JSON or a page out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analysis.cli.options import (
    NullSource,
    data_option,
    hash_file,
    json_option,
    null_options,
    put,
    seed_option,
)
from store.terminal.printing import echo

if TYPE_CHECKING:
    from analysis.data.imported_views import ImportOptions
    from analysis.report.report_inputs import Material


@click.command(
    name="import",
    epilog="\b\nExamples:\n  $ python -m analysis import views.csv --before 50 --after 50\n"
    "\n\b\nviews.csv:\n  run,persona,arm,position,batch,video,answer\n"
    "  r1,p12,treatment,0,0,abc,yes\n  r1,p12,treatment,1,0,abd,no\n"
    "\n\b\nAn audit's own columns (userID;videoID;timestamp;category):\n"
    "  python -m analysis import audit.csv --map \\\n"
    "    'run=userID,video=videoID,position=timestamp,answer=category==12'\n"
    "\n\b\nNAME=   our column, from\n"
    "  COLUMN              a column of the file; for position: numbers or dates, by their order\n"
    "  :WORD               the same in every row, as in platform=:tiktok\n"
    "  #                   the order of the file's rows (position only)\n"
    "  COLUMN==VALUE       yes or no (answer only); also != < <= > >=, in A|B, =={COLUMN}\n"
    "  A if CONDITION else B    as in 'arm=passive if group==control else treatment'\n"
    "Quotes go around a name that holds one of = ! < > | , { }.",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--map",
    "mapping",
    metavar="NAME=COLUMN,...",
    multiple=True,
    help="Our columns from the file's own; see below. Can be given several times.",
)
@click.option("--sheet", default="", help="Sheet of an Excel file.  [default: the first]")
@click.option("--before", type=click.IntRange(0), default=50, show_default=True)
@click.option(
    "--adapt",
    type=click.IntRange(0),
    help="Videos between before and after; those beyond after are left out.  "
    "[default: all but the last --after]",
)
@click.option("--after", type=click.IntRange(0), default=50, show_default=True)
@click.option(
    "--baseline",
    type=click.Choice(["active", "passive"]),
    default="active",
    show_default=True,
    help="Whether the before window was reacted to. After a passive one, the first batch from the "
    "change on is left out.",
)
@click.option(
    "--threshold",
    default=60.0,
    show_default=True,
    help="Score from which on it counts as yes.",
)
@click.option("--primary", type=click.Choice(["t", "permutation"]), default="t", show_default=True)
@click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Also write the report into this folder.",
)
@null_options
@data_option
@seed_option
@json_option
def import_views(
    file: Path,
    folder: Path | None,
    null_from: NullSource,
    data: Path,
    seed: int,
    **given: Any,
) -> None:
    """Analyse a table of views that were made elsewhere: CSV, Excel (.xlsx) or Parquet.

    Columns: run, position, and answer (yes/no) or score; if known persona, arm, batch, video,
    window, platform, strategy, model, replicate, p_yes, dwell, excluded. Others are not used.
    Separator, encoding and decimal comma are found. --map goes for the file of --null-from too,
    unless --null-map is given.
    """
    import numpy as np

    if folder is not None and given["primary"] != "t":
        raise click.UsageError(
            "A report's test is Student's t, with the permutation test beside it. Type --report "
            f"without --primary {given['primary']}, or leave --report out"
        )
    from analysis.data.imported_views import read_imported_views
    from analysis.estimators.study_results import study
    from analysis.report.report_inputs import Material
    from analysis.terminal.study_text import study_text

    options = _options(given)
    imported = read_imported_views(file, options)
    for said in imported.remarks:
        echo(said, err=True)
    views, rng = imported.views, np.random.default_rng(seed)
    null_runs = null_from.read(data, views.runs, options, file)
    results = study(views, rng, given["primary"], frames=False, null_runs=null_runs.counts)
    put(results, lambda: study_text(results), given["as_json_"])
    if folder is not None:
        words = ["python", "-m", "analysis", "import", file.name, *_typed(given)]
        command = shlex.join([*words, "--report", folder.name, *null_runs.words])
        material = Material(file.stem, views, command, origin=hash_file(file), null_runs=null_runs)
        _write_report(material, folder, seed)


def _options(given: Mapping[str, Any]) -> ImportOptions:
    from analysis.cli.map_words import read_mapping
    from analysis.data.imported_views import ImportOptions
    from store.runs.ledger_lines import Windows

    windows = Windows(before=given["before"], after=given["after"], baseline=given["baseline"])
    return ImportOptions(
        windows,
        given["threshold"],
        adapt=given["adapt"],
        mapping=read_mapping(given["mapping"]),
        sheet=given["sheet"],
    )


def _typed(given: Mapping[str, Any]) -> list[str]:
    """Return the options that make the same import again."""
    words = ["--before", f"{given['before']}", "--after", f"{given['after']}"]
    words += ["--threshold", repr(given["threshold"])]
    if given["adapt"] is not None:
        words += ["--adapt", f"{given['adapt']}"]
    if given["baseline"] != "active":
        words += ["--baseline", given["baseline"]]
    if given["sheet"]:
        words += ["--sheet", given["sheet"]]
    return words + [word for text in given["mapping"] for word in ("--map", text)]


def _write_report(material: Material, folder: Path, seed: int) -> None:
    from datetime import UTC, datetime

    from analysis.report.report_page import write_report

    written = write_report(material, folder, seed, datetime.now(UTC))
    echo(f"Report: {written.page}", err=True)

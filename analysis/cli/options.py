"""What the commands of the analysis share: options, reading and printing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from store.cli.options import declare_data
from store.terminal.exit_codes import declare_json
from store.terminal.printing import echo

if TYPE_CHECKING:
    from analysis.data.exposures import RunInfo, Views
    from analysis.data.null_runs import NullRuns

MANY = 50
"""Runs from which on a progress bar is shown."""


data_option = declare_data("data")
json_option = declare_json("as_json_")
seed_option = click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of whatever is drawn at random."
)
null_option = click.option(
    "--null-from",
    metavar="FILE.csv|STUDY|RUN",
    multiple=True,
    help="Draw the null from runs in which nothing happened: views made elsewhere, the passive "
    "runs of a study, or passive runs. Else a model draws it.",
)


def ledger_paths(data: Path, runs: Sequence[str]) -> list[Path]:
    """Find the ledgers of these runs; ``latest`` is the one that was started last."""
    from store.runs.data_folder import DataFolder

    folder = DataFolder(data)
    started = [run for run in folder.runs() if run.started] if "latest" in runs else []
    return [
        started[-1].path if name == "latest" and started else folder.find_run(name) for name in runs
    ]


def read_views(data: Path, runs: Sequence[str]) -> Views:
    from analysis.data.exposures import from_ledgers
    from store.runs import ledger

    paths = ledger_paths(data, runs)
    with click.progressbar(
        paths,
        label="reading",
        file=sys.stderr,
        hidden=len(paths) < MANY or not sys.stderr.isatty() or not sys.stderr.isatty(),
    ) as shown:
        return from_ledgers(ledger.read(path) for path in shown)


def read_null_runs(data: Path, names: Sequence[str], of: Sequence[RunInfo]) -> NullRuns:
    """Read what ``--null-from`` names, cut to the windows of these runs."""
    from analysis.data.import_csv import CsvOptions, read_csv
    from analysis.data.null_runs import NullRuns, null_runs
    from analysis.errors import NothingToCompare
    from analysis.report.report_inputs import is_study
    from store.runs.data_folder import DataFolder

    if not names:
        return NullRuns()
    tables = []
    folder = DataFolder(data)
    for name in names:
        if name.endswith(".csv"):
            tables.append(read_csv(Path(name), CsvOptions(of[0].windows)))
            continue
        ours = [name]
        if is_study(folder, name):
            ours = [
                run.run_id
                for run in folder.runs()
                if run.started
                and run.started.config.get("study") == name
                and run.started.arm == "passive"
            ]
        read = read_views(data, ours)
        listening = [run.run_id for run in read.runs if run.arm != "passive"]
        if listening:
            raise NothingToCompare(
                f"In {listening[0]} the feed could react, so that it is no null. "
                "Type: --null-from with passive runs"
            )
        tables.append(read)
    return null_runs(tables, of, ", ".join(Path(name).name for name in names))


def put(value: object, text: Callable[[], str], as_json_: bool) -> None:
    from analysis.statistics.estimate import as_json

    echo(json.dumps(as_json(value), indent=2) if as_json_ else text(), nl=as_json_)

"""What the commands of the analysis share: options, reading and printing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
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


def progress(paths: Sequence[Path]) -> Iterator[Path]:
    hidden = len(paths) < MANY or not sys.stderr.isatty()
    with click.progressbar(paths, label="reading", file=sys.stderr, hidden=hidden) as shown:
        yield from shown


def read_views(paths: Sequence[Path]) -> Views:
    from analysis.data.exposures import from_ledgers
    from store.runs import ledger

    return from_ledgers(ledger.read(path) for path in progress(paths))


def read_null_runs(
    data: Path, names: Sequence[str], of: Sequence[RunInfo], threshold: float = 60.0
) -> NullRuns:
    """Read what ``--null-from`` names, cut to the windows of these runs.

    Nothing is read twice: a file that is named again, a run of a study, or one of these runs.
    """
    import hashlib
    from dataclasses import replace

    from analysis.data.import_csv import CsvOptions, read_csv
    from analysis.data.null_runs import NullRuns, null_runs

    if not names:
        return NullRuns()
    files = {Path(name).resolve(): name for name in names if name.lower().endswith(".csv")}
    others = dict.fromkeys(name for name in names if not name.lower().endswith(".csv"))
    ours = dict.fromkeys(run for name in others for run in _of(data, name))
    reading = CsvOptions(of[0].windows, threshold, "passive")
    tables = [read_csv(Path(name), reading) for name in files.values()]
    shown = {run.run_id for run in of}
    if kept := [run for run in ours if run not in shown]:
        tables.append(read_views(ledger_paths(data, kept)))
    digests = [hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in files]
    told = [f"{path.name} (SHA-256 {d} ...)" for path, d in zip(files, digests, strict=True)]
    found = null_runs(tables, of, ", ".join([*told, *others]))
    return replace(found, names=(*(path.name for path in files), *others))


def _of(data: Path, name: str) -> list[str]:
    """Runs that a name stands for: itself, or the newest passive run of each cell of a study."""
    from analysis.report.report_inputs import find_runs, is_study
    from store.runs.data_folder import DataFolder

    folder = DataFolder(data)
    if not is_study(folder, name):
        return [path.parent.name for path in find_runs(folder, [name])]
    newest = {
        str(run.started.config.get("cell", run.run_id)): run.run_id
        for run in folder.runs()
        if run.started and run.started.config.get("study") == name and run.started.arm == "passive"
    }
    return list(newest.values())


def put(value: object, text: Callable[[], str], as_json_: bool) -> None:
    from analysis.statistics.estimate import as_json

    echo(json.dumps(as_json(value), indent=2) if as_json_ else text(), nl=as_json_)

"""What the commands of the analysis share: the door, the options, reading and printing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analysis.errors import AnalysisError
from store.cli.options import restrict_access
from store.errors import StoreError
from store.foreign.printing import echo

if TYPE_CHECKING:
    from analysis.data.exposures import Views

INTERRUPTED = 130
MANY = 50  # runs from which on a progress bar is shown


class AnalysisCommands(click.Group):
    """The one door where errors become words."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (AnalysisError, StoreError) as error:
            echo(str(error), err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)


data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data"),
    callback=restrict_access,
    envvar="FEEDSWAY_DATA",
    show_default=True,
    show_envvar=True,
    help="Folder that holds the runs.",
)
json_option = click.option("--json", "as_json_", is_flag=True, help="Print JSON to stdout.")
seed_option = click.option(
    "--seed", type=int, default=0, show_default=True, help="Seed of whatever is drawn at random."
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


def put(value: object, text: Callable[[], str], as_json_: bool) -> None:
    from analysis.statistics.estimate import as_json

    echo(json.dumps(as_json(value), indent=2) if as_json_ else text(), nl=as_json_)

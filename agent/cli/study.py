"""``python -m agent study``: a declared matrix of runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import browser_option, data_option

if TYPE_CHECKING:
    from agent.study.conduct import Study
    from agent.study.declared import Declared
    from agent.study.matrix import Cell

EPILOG = """
\b
Examples:
  python -m agent study --example > study.toml
  python -m agent study study.toml --dry-run
"""
SECONDS_PER_STEP = 0.35
"""Wall time of a step beside its dwell, on two cores with the embedded viewer."""


@click.command(epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--example", is_flag=True, help="Print a study file to start from.")
@click.option("--dry-run", is_flag=True, help="Print the matrix and what it takes; run nothing.")
@click.option("--replicates", type=click.IntRange(1), hidden=True, help="Instead of the file's.")
@click.option("--no-index", is_flag=True, hidden=True, help="Leave indexing to somebody else.")
@click.option("--tethered", is_flag=True, hidden=True, help="End when stdin closes.")
@browser_option
@click.option("--index", "index_url", metavar="URL", help="A Chroma server, http://host:port.")
@data_option
def study(file: Path | None, *, example: bool, dry_run: bool, data: Path, **how: Any) -> None:
    """Run every cell of a study file, several at a time, and resume where it stopped.

    More personas or replicates can be added to the file later: what is done is not repeated.
    """
    from agent.errors import BadConfig
    from agent.study.declared import EXAMPLE, load

    if example:
        click.echo(EXAMPLE, nl=False)
        return
    if file is None:
        raise BadConfig("Which study? Type: python -m agent study --example > study.toml")
    declared = load(file).with_replicates(how["replicates"])
    prepared = _prepare(declared, file, data, keep=not dry_run)
    index = {"indexed": not how["no_index"], "index_url": how["index_url"]}
    prepared = replace(prepared, browser=how["browser"], **index)
    _show_matrix(prepared)
    if not dry_run:
        _conduct(prepared, tethered=how["tethered"])


def _prepare(declared: Declared, file: Path, data: Path, *, keep: bool) -> Study:
    """Check every name, draw what is not drawn yet, and keep the draws before anything runs."""
    from agent.cli.run import check_names
    from agent.study.conduct import Study, config_of
    from agent.study.declared import check_extends
    from agent.study.matrix import draw, read_draws, write_draws
    from personas.library import find
    from store.data import DataFolder
    from store.files import write_whole

    folder = DataFolder(data)
    home = folder.studies_dir / declared.name
    check_extends(declared, home / "study.toml", file)
    drawn = read_draws(home / "draws.json")
    cells = [*drawn, *draw(declared, drawn)]
    for cell in cells:
        check_names(config_of(declared, cell, find))
    if keep:
        folder.prepare(need_mib=200)
        write_draws(home / "draws.json", cells)
        write_whole(home / "study.toml", file.read_bytes())
    return Study(declared, tuple(cells), folder)


def _show_matrix(study: Study) -> None:
    from agent.platforms import load
    from agent.study.matrix import start_order

    declared = study.declared
    videos = len(study.cells) * declared.windows.total
    click.echo(f"Study {declared.name}: {len(study.cells)} runs, {videos} videos at least")
    for cell in start_order(study.cells):
        click.echo(f"  {cell.persona:<6} {cell.arm:<10} replicate {cell.replicate}  {cell.account}")
    live = any(load(name).live for name in declared.matrix.platforms)
    waiting = 1.25 * declared.live.floor_s if live else 0.0
    watching = 3.0 if live else 3 / declared.site.speed
    seconds = videos * (SECONDS_PER_STEP + watching + waiting) / declared.pace.parallel
    click.echo(f"About {seconds / 60:.0f} minutes, {declared.pace.parallel} at a time.")
    click.echo("Cost: none (embedded viewer)." if _free(declared) else _price_unknown(declared))


def _free(declared: Declared) -> bool:
    return all(name.startswith(("embedded/", "scripted/")) for name in declared.matrix.models)


def _price_unknown(declared: Declared) -> str:
    calls = declared.windows.total
    return f"Cost: {calls} model calls a run at your provider's price."


class _Narrator:
    """Tells a study's progress in lines, only when something changed."""

    def __init__(self, study: Study) -> None:
        self._cells = len(study.cells)
        self._videos = self._cells * study.declared.windows.total
        self._last = ""

    def stood(self, done: int, videos: int, running: Sequence[str]) -> None:
        """How far it is."""
        names = ", ".join(key.split("/", 4)[-1] for key in running) or "nothing"
        share = 100 * videos // max(self._videos, 1)
        line = f"{done} of {self._cells} runs, {videos} videos ({share} %), running: {names}"
        if line != self._last:
            click.echo(line, err=True)
            self._last = line

    def ended(self, cell: Cell, code: int) -> None:
        """A child ended."""
        if code:
            click.echo(f"{cell.key} ended with exit code {code}", err=True)


def _conduct(study: Study, *, tethered: bool) -> None:
    from agent.cli.interrupts import interruptible
    from agent.study.conduct import Conductor

    failed = interruptible(Conductor(study, _Narrator(study)).conduct(), tethered=tethered)
    name = study.declared.name
    if failed:
        click.echo(f"{len(failed)} of {len(study.cells)} runs could not be completed:", err=True)
        for cell in failed:
            click.echo(f"  {cell.key}", err=True)
        click.echo(f"Their logs: {study.folder / 'logs'}. The same command tries again.", err=True)
        sys.exit(1)
    click.echo(f"Study {name} is complete. Type: python -m analysis report {name}")

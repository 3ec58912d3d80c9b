"""``python -m analysis notebooks``: copies of the notebooks, to be opened and changed."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from store.terminal.exit_codes import examples
from store.terminal.printing import echo

FOLDER = Path(__file__).parents[1] / "notebooks"


@click.command(epilog=examples("python -m analysis notebooks notebooks"))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def notebooks(folder: Path) -> None:
    """Copy the notebooks into a folder; they read the data folder beside which they are opened."""
    from analysis.errors import CannotCopy
    from store.jsonl.atomic import write_whole

    sources = sorted(FOLDER.glob("*.ipynb"))
    try:
        copies = {folder / source.name: source.read_bytes() for source in sources}
        for copy, content in copies.items():  # one that is the same is left by a call cut short
            if copy.exists() and copy.read_bytes() != content:
                raise CannotCopy(folder, f"it has a {copy.name} already")
        folder.mkdir(parents=True, exist_ok=True)
        for copy, content in copies.items():
            write_whole(copy, content)
    except OSError as error:
        raise CannotCopy(folder, error.strerror or str(error)) from None
    for source in sources:
        echo(str(folder / source.name))
    echo("Once: pip install jupyterlab 'feedsway[notebook]'", err=True)
    echo(f'Type: FEEDSWAY_DATA="$PWD/data" jupyter lab {shlex.quote(str(folder))}', err=True)

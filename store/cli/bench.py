"""``python -m store bench``: how long what is kept takes at size.

Refuses to compute: ``bench.measure`` does.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from store.cli.options import epilog, json_option
from store.foreign.printing import echo, rewrite


@click.command(epilog=epilog("bench --frames 40 --sample 0"))
@click.option("--frames", type=click.IntRange(20), default=50_191, show_default=True)
@click.option(
    "--pictures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of pictures to cut from.  [default: scikit-image's photographs]",
)
@click.option(
    "--sample",
    type=click.IntRange(0),
    default=320,
    show_default=True,
    help="Pictures that the real encoder embeds.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Make the collection here, and leave it; the next call takes it as it is.",
)
@json_option
def bench(
    frames: int, pictures: Path | None, sample: int, keep: Path | None, as_json: bool
) -> None:
    """Time index, search, statistics, checks and exports of a collection made for it.

    At the default size it takes seven minutes or more, and 1.5 GB.
    """
    from store.bench.measure import measure

    def tell(what: str, done: int, total: int) -> None:
        if done == total or done % 10 == 0:
            rewrite(f"{what} {done}/{total}", last=done == total)

    if keep is not None:
        found = measure(keep, frames, pictures, sample, tell)
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(Path(folder), frames, pictures, sample, tell)
    echo(json.dumps(asdict(found), indent=2) if as_json else "\n".join(found.lines()))

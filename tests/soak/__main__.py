"""``python -m tests.soak``: minutes of faults, or so many kills, and the figures as a table."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

import click

from tests.e2e.test_interrupted import top_ten
from tests.soak import faults, pieces, plans
from tests.soak.harness import soak


def main() -> None:
    words = argparse.ArgumentParser(prog="python -m tests.soak")
    words.add_argument("--minutes", type=float, default=20)
    words.add_argument("--kills", type=int, help="so many kill -9 instead, in short runs")
    words.add_argument("--gap", type=float, help="mean seconds from one fault to the next")
    words.add_argument("--every", default="4m", help="from one due time to the next, as 4m or 20m")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--folder", type=Path)
    words.add_argument("--append", action="store_true", help=f"keep the figures in {pieces.FILE}")
    words.add_argument("--write", action="store_true", help="only put the sum into the document")
    given = words.parse_args()
    if given.write:
        pieces.write_document(pieces.FILE, pieces.DOCUMENT)
        return
    folder = given.folder or Path(mkdtemp(prefix="feedsway-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    if given.kills:
        # a model that starts at once, so that kills hit runs that have begun to watch
        coin = ', model = "scripted/coin?p=0.4"'
        watch = plans.small("20s", 10, attempts=1000, more=coin)
        figures = soak(
            folder,
            watch,
            faults.KILLS,
            minutes=600,
            seed=given.seed,
            most=given.kills,
            gap_s=given.gap or 5,
        )
    else:
        watch = plans.large(folder, every=given.every)
        figures = soak(
            folder,
            watch,
            faults.ALL,
            minutes=given.minutes,
            seed=given.seed,
            gap_s=given.gap or 25,
            settle_s=1800,
        )
    click.echo(figures.table())
    click.echo(f"kept in {folder}")
    if not same_index(folder / "data"):
        figures.problems.append("the index differs from a rebuild")
    click.echo("the index equals a rebuild" if not figures.problems else figures.problems)
    if given.append:
        pieces.append_piece(pieces.FILE, figures, given.seed, given.every)
    good = figures.share >= 99.5 and not (figures.lost or figures.doubled or figures.orphans)
    sys.exit(0 if good and not figures.problems else 1)


def same_index(data: Path) -> bool:
    """Whether the index, once it has taken up the last runs, is what a rebuild makes."""
    held = []
    for more in ([], ["--rebuild"]):
        command = [sys.executable, "-m", "store", "index", *more, "--data", str(data)]
        subprocess.run(command, check=True, capture_output=True)
        held.append((ids(data), top_ten(data)))
    return held[0] == held[1] != (set(), [])


def ids(data: Path) -> set[str]:
    from store.encoders import load
    from store.index.search import Index
    from store.runs.data_folder import DataFolder

    with Index.open(DataFolder(data), load("conse")) as index:
        return set(index.ids())


if __name__ == "__main__":
    main()

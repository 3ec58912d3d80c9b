"""``python -m tests.faults``: kills and other faults of every verb that writes, as tables."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp

import click

from store.jsonl.locks import LockHeld
from tests.faults.matrix import (
    FAULTS,
    Planned,
    have_trials,
    plan_kills,
    plan_others,
    read_rows,
    show_failures,
    tables,
)
from tests.faults.trial import Bench
from tests.faults.verbs import VERBS, find_verb
from tests.marked_text import replace_marked

DOCUMENT = Path("docs/reliability.md")
MARK = "faults"


def show(text: str) -> None:
    click.echo(text, err=True)


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m tests.faults")
    options.add_argument("--kills", type=int, default=1000, help="how many kill -9")
    options.add_argument(
        "--others", type=int, default=3, help="trials of each other fault and verb"
    )
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--quick", action="store_true", help="only verbs that ask no model")
    options.add_argument("--verb", help="only this one; of two, with + between them")
    options.add_argument("--fault", choices=FAULTS, help="only this one")
    options.add_argument("--number", type=int, help="only this trial, and again")
    options.add_argument("--folder", type=Path, default=Path("build/faults"))
    options.add_argument("--write", action="store_true", help=f"put the tables into {DOCUMENT}")
    return options.parse_args(words)


def plan(given: argparse.Namespace) -> list[Planned]:
    """Return the trials that the words ask for."""
    if given.number is not None:
        named = tuple(find_verb(name) for name in given.verb.split(" + "))
        return [Planned(named, given.fault, given.number, given.seed)]
    verbs = [verb for verb in VERBS if verb.quick] if given.quick else list(VERBS)
    planned = plan_kills(given.kills, given.seed, verbs)
    planned += plan_others(given.others, given.seed)
    return [
        each
        for each in planned
        if given.fault in (None, each.fault)
        if not given.quick or all(verb.quick for verb in each.verbs)
        if given.verb in (None, " + ".join(verb.name for verb in each.verbs))
    ]


def main(words: Sequence[str] | None = None) -> int:
    """Return 0 where nothing was broken."""
    given = _options(words)
    results = given.folder / "results.jsonl"
    if given.number is not None:
        results = given.folder / "once.jsonl"
        results.unlink(missing_ok=True)
    if not given.write:
        planned = plan(given)
        root = Path(mkdtemp(prefix="feedsway-faults-"))
        show(f"Preparing {root} ...")
        bench = Bench(root, answers=not given.quick)
        try:
            have_trials(planned, bench, results, show)
        finally:
            bench.close()
            shutil.rmtree(root, ignore_errors=True)
        keys = {each.key for each in planned}
        rows = [row for row in read_rows(results) if row.key in keys]
    else:
        rows = read_rows(results)
        replace_marked(DOCUMENT, MARK, tables(rows))
    click.echo(tables(rows))
    broken = [row for row in rows if row.problems]
    click.echo(show_failures(broken), err=True)
    return 1 if broken else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: nothing stays behind
    try:
        sys.exit(main())
    except LockHeld as error:
        sys.exit(f"{error}. Type: --folder ANOTHER")
    except KeyboardInterrupt:
        show("Stopped. What is done is kept: type the same again to go on.")
        sys.exit(130)

"""``python -m tests.mutants``: mutants of a sample and those with a name, and the share noticed."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from analysis.statistics.intervals import binomial_interval
from tests.mutants.checkout import checkout
from tests.mutants.coverage_record import CoverageRecord, record_coverage
from tests.mutants.mutant import (
    Change,
    Mutant,
    PatchMissing,
    draw_sample,
    equivalent_changes,
    named_mutants,
)
from tests.mutants.trial import DETECTED, Row, Trial

GOAL = 0.95
NAMED = "(named)"
COLUMNS = ("mutants of", "tried", "killed", "timed out", "survived", "unclear", "equivalent")


def git(root: Path, *words: str) -> str:
    command = ["git", *words]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def show(text: str) -> None:
    click.echo(text, err=True)


def main(words: Sequence[str] | None = None) -> int:
    """Run in the folder of the repository; return 0 where the goal is reached."""
    given = _options(words)
    root = Path.cwd()
    commit = git(root, "rev-parse", "HEAD").strip()
    if git(root, "status", "--porcelain"):
        show("What is not committed is left out.")
    with checkout(root, commit) as tree:
        show(f"Drawing {given.sample} mutants of {commit[:12]} by the seed {given.seed} ...")
        mutants = [*named_mutants(tree), *draw_sample(tree, given.sample, given.seed)]
        equivalent = equivalent_changes(tree)
    record = None if given.near else _record(root, commit, given.folder, given.again)
    changed = git(root, "diff", "--name-only", record.commit, commit) if record else ""
    trial = Trial(root, commit, given.seed, record, frozenset(changed.splitlines()), given.again)
    results = given.folder / "results.jsonl"
    trial.run([each for each in mutants if each.change not in equivalent], results, show)
    return report(mutants, trial.done(results), equivalent)


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m tests.mutants")
    options.add_argument("--sample", type=int, default=200, help="how many, beside the named ones")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--near", action="store_true", help="run the mirrored tests alone: quick")
    options.add_argument(
        "--again",
        action="store_true",
        help="after new tests: what was killed at an earlier commit needs no second try",
    )
    options.add_argument("--folder", type=Path, default=Path("build/mutants"))
    return options.parse_args(words)


def _record(root: Path, commit: str, folder: Path, again: bool) -> CoverageRecord:
    """Return which tests run what: as recorded at this commit, or at all, or recorded now."""
    file = folder / "coverage.json"
    if file.exists():
        record = CoverageRecord.load(file)
        if again or record.commit == commit:
            return record
    show("Running the tests once without a mutant, to see which lines each of them runs ...")
    with checkout(root, commit) as tree:
        record = record_coverage(tree, commit)
    record.save(file)
    show("".join(f"Left out, since it fails without a mutant: {test}\n" for test in record.failed))
    return record


def report(mutants: Sequence[Mutant], rows: Mapping[str, Row], known: Mapping[Change, str]) -> int:
    """Print what became of the mutants, and those that nothing noticed."""
    tables: dict[str, Counter[str]] = {}
    for mutant in mutants:
        outcome = "equivalent" if mutant.change in known else _outcome(mutant, rows)
        names = ["all", "/".join(mutant.path.split("/")[:2])]
        for name in [NAMED] if mutant.name else names:
            tables.setdefault(name, Counter())[outcome] += 1
        if outcome in ("survived", "unclear"):
            lines = [f"\n{outcome}: {mutant.path}:{mutant.line} {mutant.name}", *mutant.diff]
            click.echo("\n".join(lines).rstrip())
    click.echo(f"\n| {' | '.join(COLUMNS)} | noticed, 95 % interval |\n|{'---|' * 8}")
    for name, counts in sorted(tables.items()):
        cells = [counts[column] for column in COLUMNS[2:]]
        click.echo(f"| {' | '.join(map(str, [name, counts.total(), *cells]))} | {_share(counts)} |")
    reached = [
        sum(row[one] for one in DETECTED) >= goal * (row.total() - row["equivalent"])
        for name, goal in ((NAMED, 1.0), ("all", GOAL))
        if (row := tables.get(name))
    ]
    return 0 if all(reached) else 1


def _outcome(mutant: Mutant, rows: Mapping[str, Row]) -> str:
    return str(rows[mutant.key]["outcome"]) if mutant.key in rows else "unclear"


def _share(counts: Counter[str]) -> str:
    count, n = sum(counts[one] for one in DETECTED), counts.total() - counts["equivalent"]
    low, high = binomial_interval(count, n)
    return f"{100 * count / n:.1f} % ({100 * low:.1f} to {100 * high:.1f})" if n else "none"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: nothing stays behind
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        show("Stopped. What is done is kept: type the same again to go on.")
        sys.exit(130)
    except PatchMissing as error:
        sys.exit(str(error))

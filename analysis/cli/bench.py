"""``python -m analysis bench``: how long the analysis of many runs takes.

Refuses to compute: ``bench_measurements`` does.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from analysis.cli.options import json_option, put


@click.command(epilog="\b\nExamples:\n  $ python -m analysis bench --runs 20 --steps 50\n")
@click.option("--runs", type=click.IntRange(4), default=1000, show_default=True)
@click.option("--steps", type=click.IntRange(24), default=200, show_default=True, help="A run.")
@json_option
def bench(runs: int, steps: int, as_json_: bool) -> None:
    """Time the analysis of many made-up runs, bounds, tests and intervals included."""
    from analysis.cli.bench_measurements import measure

    with (
        tempfile.TemporaryDirectory() as folder,
        click.progressbar(
            length=1, label="working", file=sys.stderr, hidden=not sys.stderr.isatty()
        ) as shown,
    ):

        def tell(what: str, done: int, total: int) -> None:
            if shown.label != what:
                shown.pos = 0
            shown.label, shown.length = what, total
            shown.update(done - shown.pos)

        times = measure(Path(folder), runs, steps, tell)
    fields = {"runs": runs, "steps": steps, "seconds": times.seconds, "total": times.total}
    lines = [f"{runs} runs of {steps} steps"]
    lines += [f"  {name:<34} {seconds:6.1f} s" for name, seconds in times.seconds.items()]
    lines += [f"  {'in all':<34} {times.total:6.1f} s"]
    put(fields, lambda: "\n".join(lines), as_json_)

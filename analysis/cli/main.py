"""The command line of the analysis: words in, words or JSON out."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from analysis.cli.import_views import import_views
from analysis.cli.labels import labels
from analysis.cli.notebooks import notebooks
from analysis.cli.options import (
    NullSource,
    data_option,
    json_option,
    ledger_paths,
    null_options,
    put,
    read_views,
    seed_option,
)
from analysis.cli.paper import paper
from analysis.cli.power import power
from analysis.cli.report import report
from analysis.cli.reproduce import reproduce
from analysis.errors import EXIT_CODES
from store.cli.configured_group import ConfiguredGroup
from store.errors import EXIT_CODES as STORE_CODES
from store.terminal.exit_codes import ErrorReporter
from store.terminal.printing import count_of, echo


@click.group(cls=ConfiguredGroup, reporter=ErrorReporter({**EXIT_CODES, **STORE_CODES}))
def main() -> None:
    """What the ledgers mean: sway, I_avg, planning.

    Results go to stdout (as JSON with --json), remarks to stderr.
    """


main.add_command(paper)
main.add_command(import_views)
main.add_command(labels)
main.add_command(notebooks)
main.add_command(power)
main.add_command(report)
main.add_command(reproduce)


@main.command(
    epilog="\b\nExamples:\n  $ python -m analysis summary latest\n"
    "  $ python -m analysis summary latest --json"
)
@click.argument("run")
@null_options
@data_option
@seed_option
@json_option
def summary(run: str, null_from: NullSource, data: Path, seed: int, as_json_: bool) -> None:
    """Show what one run shows, as it was shown at its end."""
    import shutil

    import numpy as np

    from analysis.data.run_columns import read_run
    from analysis.estimators.one_run import summarise
    from analysis.terminal.run_text import render

    (path,) = ledger_paths(data, [run])
    columns = read_run(path)
    null_runs = null_from.read(data, columns.views.runs)
    told = summarise(columns, np.random.default_rng(seed), null_runs.counts)
    width = shutil.get_terminal_size().columns
    put(told, lambda: render(told, width), as_json_)


@main.command(
    epilog="\b\nExamples:\n  $ python -m analysis iavg latest\n"
    "  $ python -m analysis iavg latest --json\n"
    "  $ python -m analysis iavg first-study\n"
    "\n\b\nBeside control runs of one's own:\n"
    "  python -m analysis iavg RUN... --null-from controls.csv",
)
@click.argument("names", nargs=-1, required=True, metavar="STUDY | RUN...")
@null_options
@data_option
@seed_option
@json_option
def iavg(
    names: tuple[str, ...], null_from: NullSource, data: Path, seed: int, as_json_: bool
) -> None:
    """Show the paper's I per persona and I_avg, beside the sway and the null."""
    import numpy as np

    from analysis.estimators.iavg import iavg as compute
    from analysis.report.report_inputs import named_runs
    from analysis.terminal.runs_table import iavg_text
    from store.runs.data_folder import DataFolder

    paths, superseded = named_runs(DataFolder(data), names)
    if superseded:
        newer = "a newer run of the same cell stands in for each"
        echo(f"Left out: {count_of(len(superseded), 'older run')}, since {newer}.", err=True)
    views = read_views(data, paths)
    null_runs = null_from.read(data, views.runs)
    groups = compute(views, np.random.default_rng(seed), null_runs.counts)
    put(groups, lambda: iavg_text(groups), as_json_)


@main.command(
    name="compare",
    epilog="\b\nExamples:\n  $ python -m analysis compare latest latest\n",
)
@click.argument("first")
@click.argument("second")
@data_option
@json_option
def compare_(first: str, second: str, data: Path, as_json_: bool) -> None:
    """Compare two judges on the same videos: a run and its replay.

    McNemar's test, the paired difference over batches, and the change split into what the feed
    did and what the judge did.
    """
    from analysis.estimators.judge_agreement import compare
    from analysis.terminal.study_text import comparison_text

    told = compare(read_views(data, ledger_paths(data, [first, second])))
    put(told, lambda: comparison_text(told), as_json_)


@main.command(epilog="\b\nExamples:\n  $ python -m analysis bench --runs 20 --steps 50\n")
@click.option("--runs", type=click.IntRange(4), default=1000, show_default=True)
@click.option("--steps", type=click.IntRange(24), default=200, show_default=True, help="A run.")
@json_option
def bench(runs: int, steps: int, as_json_: bool) -> None:
    """Time the analysis of many made-up runs: read, read again, and all that a report says."""
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


@main.command(epilog="\b\nExamples:\n  $ python -m analysis designs --studies 10\n")
@click.option(
    "--studies",
    type=click.IntRange(2),
    default=400,
    show_default=True,
    help="Simulated studies a figure; 400 take about a minute.",
)
@seed_option
@json_option
def designs(studies: int, seed: int, as_json_: bool) -> None:
    """Compare the designs at equal numbers of videos, in many simulated worlds.

    Power, false positives, coverage and bias of the paper's I_avg, the paired design, the borrowed
    base and the persona matrix, and what breaks them. As Markdown.
    """
    from analysis.simulation import design_comparison
    from analysis.terminal.study_text import table_text

    with click.progressbar(
        length=1, label="simulating", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as shown:

        def tell(done: int, total: int) -> None:
            shown.length = total
            shown.update(done - shown.pos)

        told = design_comparison.table(studies, seed, tell)
        put(told, lambda: table_text(told), as_json_)

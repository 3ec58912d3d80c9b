"""``python -m agent calibrate``: is the instrument right where the truth is planted?"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.options import browser_option, data_option, json_option
from store.terminal.printing import echo

if TYPE_CHECKING:
    from agent.cli.calibrate_run import Browsers
    from analysis.simulation.calibration_runs import DesignVerdict

EPILOG = """
\b
Examples:
  python -m agent calibrate --studies 20 --browser-runs 0
"""


@click.command(epilog=EPILOG)
@click.option(
    "--studies",
    type=click.IntRange(20),
    default=2000,
    show_default=True,
    help="Simulated studies of each feed; 2000 take some minutes.",
)
@click.option(
    "--browser-runs",
    type=click.IntRange(0),
    default=28,
    show_default=True,
    help="Real runs in a browser, about a minute each: 0 for none, else 3 or more. What is "
    "complete is kept.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@browser_option
@data_option
@json_option
def calibrate(
    *, studies: int, browser_runs: int, seed: int, browser: str | None, data: Path, as_json: bool
) -> None:
    """Check the estimates on the playground, where the truth is planted.

    Simulated studies with the playground's recommender and an ideal viewer: false positives where
    the feed does not listen, coverage of the intervals, and the order of the feeds; then one run
    and both nulls in feeds that wander as real ones do, and questions that are drawn or shared by
    two judges. Then real runs with the embedded viewer, which have to look like simulated ones with
    that viewer's answers.
    """
    from agent.benchmarks.browser_runs import FEWEST, RunsFolder
    from agent.cli.calibrate_run import PERSONAS, check_browser_runs, check_simulated
    from analysis.simulation.calibration import checks_text, passed
    from analysis.statistics.estimate import as_json as plain

    say = _nothing if as_json else echo
    say(f"{studies} simulated studies of {PERSONAS} personas x 2 arms x 100 videos, ideal viewer")
    checks = check_simulated(studies, seed)
    say(checks_text(checks) + "\n")
    browsers: Browsers | None = None
    if browser_runs:
        browsers = check_browser_runs(max(FEWEST, browser_runs), RunsFolder(data, browser, seed))
        checks += browsers.checks
        say(f"{browsers.runs} browser runs beside {browsers.sets} simulated sets of runs")
        say(f"{browsers.viewer}\n{checks_text(browsers.checks)}\n\n{_designs(browsers.designs)}")
    if as_json:
        found = {"studies": studies, "checks": plain(checks), "browser": plain(browsers)}
        echo(json.dumps(found, indent=2))
    if not passed(checks):
        echo("Some checks FAIL: figures of this version are not to be trusted.", err=True)
        sys.exit(1)


def _nothing(_: str) -> None:
    """Print nothing: the result goes out as JSON."""


def _designs(found: Sequence[DesignVerdict]) -> str:
    from analysis.terminal.run_text import estimate_text
    from analysis.terminal.runs_table import columns

    head = ("feed", "design", "runs", "estimate", "p, two-sided", "test")
    rows = [
        (
            verdict.feed,
            verdict.design,
            str(verdict.runs),
            estimate_text(verdict.estimate),
            "–" if verdict.p != verdict.p else f"{verdict.p:.2g}",
            verdict.test,
        )
        for verdict in found
    ]
    return columns(head, rows, left=6)

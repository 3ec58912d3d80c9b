"""``python -m agent bench``: what the instrument costs, beside a bare Playwright loop."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import click

from agent.cli.options import browser_option, json_option

EPILOG = """
\b
Examples:
  python -m agent bench --rounds 1
"""


@click.command(epilog=EPILOG)
@click.option("--rounds", type=click.IntRange(1), default=4, show_default=True)
@browser_option
@json_option
def bench(*, rounds: int, browser: str | None, as_json: bool) -> None:
    """Measure the part of a step that is neither model, dwell nor the site's own animation."""
    from agent.benchmarks.overhead import measure
    from agent.drivers.browser import find

    with tempfile.TemporaryDirectory() as folder:
        result = measure(
            Path(folder), find(browser), rounds, lambda line: click.echo(line, err=True)
        ).as_dict()
    if as_json:
        click.echo(json.dumps(result, indent=2))
        return
    click.echo(f"a bare Playwright loop   {result['bare_ms']:6.1f} ms a step (median)")
    click.echo(f"feedsway                 {result['feedsway_ms']:6.1f} ms, {result['ratio']} times")
    for stage, value in result["stages_ms"].items():
        click.echo(f"  {stage:<22} {value:6.1f} ms")

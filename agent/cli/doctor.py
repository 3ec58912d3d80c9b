"""``python -m agent doctor``: is this machine ready, and if not, what to do."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agent.checks import Check

from agent.cli.options import browser_option, data_option, json_option

EPILOG = """
\b
Examples:
  python -m agent doctor
  python -m agent doctor --json
"""


@click.command(epilog=EPILOG)
@click.option("--install-browser", is_flag=True, help="Install a browser where none is found.")
@browser_option
@data_option
@json_option
def doctor(*, install_browser: bool, browser: str | None, data: Path, as_json: bool) -> None:
    """Check the browser, its codecs, the weights, the clips, the disk; say how to mend each."""
    from agent import checks

    if install_browser:
        click.echo(f"browser: {checks.install_browser()}")
        return
    found = []
    for check in checks.all_checks(data, browser):
        found.append(check)
        if not as_json:
            _show(check)
    if as_json:
        click.echo(json.dumps([asdict(check) for check in found], indent=2))
    if any(check.needed and not check.ok for check in found):
        sys.exit(2)


def _show(check: Check) -> None:
    mark, colour = ("ok", "green") if check.ok else ("no", "red" if check.needed else "yellow")
    click.echo(f"{click.style(f'{mark:>3}', fg=colour)}  {check.name:<20} {check.found}")
    if not check.ok:
        click.echo(f"     {check.fix}")

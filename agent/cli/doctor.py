"""``python -m agent doctor``: is this machine ready, and if not, what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from agent.checks import Check

from agent.cli.options import browser_option, data_option, json_option

NO_XVFB = "none; type: sudo apt-get install xvfb"
EPILOG = """
\b
Examples:
  python -m agent doctor
  python -m agent doctor --json
"""


@click.command(epilog=EPILOG)
@click.option("--install-browser", is_flag=True, help="Install a browser where none is found.")
@click.option(
    "--driver",
    type=click.Choice(["playwright", "desktop"]),
    default="playwright",
    show_default=True,
    help="desktop: look for the player on the screen, and draw what was found.",
)
@click.option("--calibrate", is_flag=True, help="Desktop: show the player with the pointer.")
@browser_option
@data_option
@json_option
def doctor(*, as_json: bool, **options: Any) -> None:
    """Check the browser, its codecs, the weights, the clips, the disk; say how to mend each."""
    from agent import checks
    from agent.errors import BadConfig

    if options["install_browser"]:
        click.echo(f"browser: {checks.install_browser()}")
        if sys.platform == "linux":
            click.echo(f"screen for tests: {checks.install_display() or NO_XVFB}")
        return
    if options["calibrate"] and options["driver"] != "desktop":
        raise BadConfig("Only a desktop is calibrated. Type: --driver desktop --calibrate")
    found = []
    for check in _checks(options):
        found.append(check)
        if not as_json:
            _show(check)
    if as_json:
        click.echo(json.dumps([asdict(check) for check in found], indent=2))
    if any(check.needed and not check.ok for check in found):
        sys.exit(2)


def _checks(options: dict[str, Any]) -> Iterator[Check]:
    from agent import checks

    if options["driver"] == "playwright":
        return checks.all_checks(options["data"], options["browser"])
    tell = partial(click.echo, err=True)
    return checks.desktop_checks(options["data"], calibrate=options["calibrate"], tell=tell)


def _show(check: Check) -> None:
    mark, colour = ("ok", "green") if check.ok else ("no", "red" if check.needed else "yellow")
    click.echo(f"{click.style(f'{mark:>3}', fg=colour)}  {check.name:<20} {check.found}")
    if not check.ok:
        click.echo(f"     {check.fix}")

"""``python -m agent daemon``: declared studies and runs, started when they are due, for weeks."""

from __future__ import annotations

from pathlib import Path

import click

from agent.cli.options import browser_option, data_option
from store.terminal.command_words import spell_commands
from store.terminal.printing import echo

EPILOG = """
\b
Examples:
  python -m agent daemon --example > watch.toml
  python -m agent daemon watch.toml --check
  python -m agent daemon watch.toml
  python -m agent daemon --mend
"""


@click.command(epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--example", is_flag=True, help="Print a watch file to start from.")
@click.option("--check", is_flag=True, help="Print what is due next; start nothing.")
@click.option("--mend", is_flag=True, help="Set a damaged journal aside, and keep it.")
@browser_option
@data_option
def daemon(
    file: Path | None, *, example: bool, check: bool, mend: bool, browser: str | None, data: Path
) -> None:
    """Start the studies and runs of a watch file when they are due, until Ctrl-C.

    The file may be changed meanwhile. Killed at any moment, the same command goes on.
    """
    from agent.daemon.config.watch_file import EXAMPLE
    from agent.errors import BadConfig

    if example:
        echo(spell_commands(EXAMPLE), nl=False)
    elif mend:
        _mend(data)
    elif file is None:
        raise BadConfig("Which watch file? Type: python -m agent daemon --example > watch.toml")
    elif check:
        _check(file)
    else:
        _run(file, data, browser)


def _check(file: Path) -> None:
    from datetime import UTC, datetime

    from agent.daemon.config.jobs import load_watch_file
    from agent.daemon.schedule.next_due import upcoming

    watch = load_watch_file(file)
    zones = {entry.name: watch.zone(entry) for entry in watch.entries}
    for due, name in upcoming(watch, datetime.now(UTC), 12):
        echo(f"{due.astimezone(zones[name]):%a %Y-%m-%d %H:%M:%S %Z}  {name}")


def _mend(data: Path) -> None:
    from datetime import UTC, datetime

    from agent.daemon.main import mend
    from store.runs.data_folder import DataFolder

    aside = mend(DataFolder(data), datetime.now(UTC))
    if aside is None:
        echo("Every line of the journal can be read; nothing was changed.", err=True)
        return
    echo(f"The damaged journal lies in {aside}; what can be read of it goes on.", err=True)
    echo("Look whether all is paused. Type: python -m agent status", err=True)


def _run(file: Path, data: Path, browser: str | None) -> None:
    import asyncio
    import os
    from functools import partial

    from agent.daemon.machine_clock import SystemClock
    from agent.daemon.main import run_daemon
    from agent.daemon.redact_secrets import secrets_of
    from agent.daemon.supervisor import DaemonSetup
    from agent.drivers.web.browser import find_browser
    from store.runs.data_folder import DataFolder

    find_browser(browser)  # refused now, not by each child
    place = DaemonSetup(
        file, DataFolder(data), SystemClock(), browser, frozenset(secrets_of(os.environ))
    )
    asyncio.run(run_daemon(place, partial(echo, err=True)))

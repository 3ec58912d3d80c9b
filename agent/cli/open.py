"""``python -m agent open``: a local web page to look through all that is kept."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.options import data_option
from agent.cli.signals import interruptible
from store.cli.options import encoder_option
from store.terminal.printing import echo

if TYPE_CHECKING:
    from store.api.data_reader import DataReader

PORT = 7357
EPILOG = """
\b
Examples:
  python -m agent open
  python -m agent open --port 0 --no-browser
"""


@click.command("open", epilog=EPILOG)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="Of this machine; 0 takes a free one.",
)
@click.option("--browser/--no-browser", default=True, help="Open the page; or only print its link.")
@encoder_option
@data_option
def open_explorer(data: Path, *, port: int, browser: bool, encoder_name: str) -> None:
    """Look through runs, studies and frames, search them, and see what goes on.

    Serves a page on this machine alone, until Ctrl-C. Nothing is sent anywhere.
    """
    from agent.daemon.web.address import read_address
    from store.api.data_reader import DataReader
    from store.encoders.registry import check
    from store.jsonl.locks import LockHeld, NamedLock

    check(encoder_name)
    with DataReader.open(data) as reader:
        lock = NamedLock(reader.folder.explorer_dir / "lock")
        try:
            lock.acquire()
        except LockHeld:
            there = read_address(reader.folder.explorer_dir)
            if there is None:
                raise
            _show(there.link, browser=browser)
            return
        try:
            interruptible(_serve(reader, encoder_name, port, browser=browser))
        except KeyboardInterrupt:
            echo("The explorer is closed.", err=True)
        finally:
            lock.release()


async def _serve(reader: DataReader, encoder: str, port: int, *, browser: bool) -> None:
    from agent.explorer.explorer_server import serve
    from agent.explorer.workbench import Workbench

    bench = Workbench(reader, encoder)
    async with serve(bench, port) as link:
        bench.begin()
        _show(link, browser=browser)
        echo("Ctrl-C ends it.", err=True)
        await asyncio.Event().wait()


def _show(link: str, *, browser: bool) -> None:
    import webbrowser

    echo(link)
    if browser and not webbrowser.open(link):
        echo("No browser could be opened. Open this link in one.", err=True)

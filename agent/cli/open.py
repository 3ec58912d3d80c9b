"""``python -m agent open``: a local web page to look through all that is kept."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.options import data_option, data_to_type
from agent.cli.signals import interruptible
from store.cli.options import encoder_option
from store.errors import NothingKept
from store.terminal.printing import echo

if TYPE_CHECKING:
    from store.api.data_reader import DataReader
    from store.runs.data_folder import DataFolder

PORT = 7357
EPILOG = """
\b
Examples:
  python -m agent open
  python -m agent open first-study
  python -m agent open latest
  python -m agent open --port 0 --no-browser
"""


@click.command("open", epilog=EPILOG)
@click.argument("what", required=False)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    show_default=f"{PORT}, or a free one",
    help="Of this machine; 0 takes a free one.",
)
@click.option("--browser/--no-browser", default=True, help="Open the page; or only print its link.")
@encoder_option
@data_option
def open_explorer(
    data: Path, what: str | None, *, port: int | None, browser: bool, encoder_name: str
) -> None:
    """Look through runs, studies and frames, search them, and see what goes on.

    WHAT is a study or a run to begin with: an id, the beginning of one, or latest. Serves a page
    on this machine alone, until Ctrl-C. Nothing is sent anywhere.
    """
    from agent.daemon.web.address import read_address
    from store.api.data_reader import DataReader
    from store.encoders.registry import check
    from store.jsonl.locks import LockHeld, NamedLock

    check(encoder_name)
    with DataReader.open(data) as reader:
        page = _find_page(reader, what)
        lock = NamedLock(reader.folder.explorer_dir / "lock")
        try:
            lock.acquire()
        except LockHeld:
            there = read_address(reader.folder.explorer_dir)
            if there is None:
                raise
            echo("An explorer of this folder is open already, at this link.", err=True)
            _show(reader.folder, there.link + page, browser=browser)
            return
        try:
            interruptible(_serve(reader, encoder_name, port, page, browser=browser))
        except KeyboardInterrupt:
            echo("The explorer is closed.", err=True)
        finally:
            lock.release()


def _find_page(reader: DataReader, what: str | None) -> str:
    """Return what a link ends in, to begin with a study or a run; raises ``RunNotFound``."""
    from urllib.parse import quote

    if what is None:
        return ""
    kind, name = ("study", what) if what in reader.studies() else ("run", reader.run(what).id)
    return "&page=" + quote(f"{kind}/{quote(name, safe='')}", safe="/")


async def _serve(
    reader: DataReader, encoder: str, port: int | None, page: str, *, browser: bool
) -> None:
    from agent.daemon.web.loopback_server import is_free
    from agent.explorer.explorer_server import serve
    from agent.explorer.workbench import Workbench

    if port is None:
        port = PORT if is_free(PORT) else 0
    bench = Workbench(reader, encoder)
    command = f"python -m agent open{data_to_type(reader.folder.root)}"
    async with serve(bench, port, command) as link:
        bench.begin()
        if not reader.folder.ledgers():
            echo(str(NothingKept(reader.folder.root)), err=True)
        _show(reader.folder, link + page, browser=browser)
        echo("Ctrl-C ends it.", err=True)
        await asyncio.Event().wait()


def _show(data: DataFolder, link: str, *, browser: bool) -> None:
    import webbrowser

    from agent.daemon.web.address import write_way_in

    echo(link)
    if not browser:
        return
    # what a browser is started with can be read by every user of the machine
    way_in = write_way_in(data.explorer_dir, link)
    if not webbrowser.open(way_in.absolute().as_uri()):
        echo("No browser could be opened. Open this link in one.", err=True)

"""``python -m agent playground``: the embedded feed, for a person to look at."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import click

from agent.cli.options import data_option, site_options
from store.terminal.printing import echo

EPILOG = """
\b
Examples:
  python -m agent playground --speed 1
  python -m agent playground --feed contrarian --speed 1 --port 8765
  python -m agent playground --skin tiktok --speed 1
"""


@click.command(epilog=EPILOG)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option(
    "--skin",
    type=click.Choice(["tiktok", "youtube", "instagram"]),
    help="Serve the same videos under the hooks and responses of another site.",
)
@site_options
@data_option
def playground(**options: Any) -> None:
    """Serve the embedded short-video site on this machine only."""
    from store.runs.data_folder import DataFolder

    state = DataFolder(options.pop("data")).profiles_dir / "playground" / "visitors"
    arguments = ["--state", str(state)]
    for name, value in options.items():
        if value is not None:
            arguments += [f"--{name}", str(value)]
    echo("Open the address below in a browser; Ctrl-C ends it.", err=True)
    command = [sys.executable, "-P", "-m", "agent.playground", *arguments, "--parent"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as site:  # it ends when its stdin closes
        try:
            sys.exit(site.wait())
        except KeyboardInterrupt:
            echo("The site is closed.", err=True)

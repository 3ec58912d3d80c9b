"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="FEEDSWAY_DATA",
    default=Path("data"),
    show_default=True,
    help="Folder where everything is kept (or FEEDSWAY_DATA).",
)
browser_option = click.option(
    "--browser",
    envvar="FEEDSWAY_BROWSER",
    help="Browser to drive: a path, a command, or ws://… of a Playwright server "
    "(or FEEDSWAY_BROWSER).  [default: the first one found]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
_SITE = (
    click.option(
        "--feed",
        type=click.Choice(["listener", "popular", "random", "contrarian"]),
        default="listener",
        show_default=True,
        help="Playground: its recommender.",
    ),
    click.option(
        "--gain",
        type=click.FloatRange(0, 1),
        default=1.0,
        show_default=True,
        help="Playground: how much the listener listens.",
    ),
    click.option(
        "--speed",
        type=click.FloatRange(0, 16, min_open=True),
        default=16.0,
        show_default=True,
        help="Playground: plays and dwells faster, in the same proportions.",
    ),
    click.option(
        "--motion",
        type=click.Choice(["smooth", "instant"]),
        default="smooth",
        show_default=True,
        help="Playground: how the feed moves.",
    ),
    click.option(
        "--catalogue",
        type=click.Path(path_type=Path, file_okay=False),
        help="Playground: a folder of your own clips with a captions.csv.",
    ),
)


explain_option = click.option(
    "--explain",
    type=click.Choice(["never", "yes", "all"]),
    default="never",
    show_default=True,
    help="Which answers to ask a reason and a description for; they cost tokens.",
)
_CAP = (
    click.option(
        "--max-cost", type=click.FloatRange(0), metavar="USD", help="Spend no more on the model."
    ),
    click.option("--max-tokens", type=click.IntRange(0), help="Read and write no more tokens."),
)


def cap_options(command: Command) -> Command:
    """Add what a model may cost."""
    for option in reversed(_CAP):
        command = option(command)
    return command


def site_options(command: Command) -> Command:
    """Add the playground's own options, in their order."""
    for option in reversed(_SITE):
        command = option(command)
    return command

"""Options that several commands share."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from store.cli.configured_group import ConfigOption
from store.cli.options import declare_data, default_data
from store.terminal.exit_codes import json_option as json_option

Command = TypeVar("Command", bound=Callable[..., Any])

data_option = declare_data("data")
browser_option = click.option(
    "--browser",
    cls=ConfigOption,
    envvar="FEEDSWAY_BROWSER",
    help="Browser to drive: a path, a command, or ws://… of a Playwright server "
    "(or FEEDSWAY_BROWSER).  [default: the first one found]",
)
model_option = click.option(
    "--model", cls=ConfigOption, default="embedded/conse", show_default=True, help="Who answers."
)
adapter_option = click.option(
    "--adapter",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Live: a newer adapter file of the site.  [default: feedsway's own]",
)
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
order_option = click.option(
    "--order",
    type=click.Choice(["persona-first", "picture-first"]),
    default="persona-first",
    show_default=True,
    help="What the model reads first. After the picture, questions of many personas about it share "
    "its cost.",
)
_CAP = (
    click.option(
        "--max-cost",
        cls=ConfigOption,
        type=click.FloatRange(0),
        metavar="USD",
        help="Spend no more on the model.",
    ),
    click.option(
        "--max-tokens",
        cls=ConfigOption,
        type=click.IntRange(0),
        help="Read and write no more tokens.",
    ),
)


def cap_options(command: Command) -> Command:
    return _with(_CAP, command)


revision_option = click.option(
    "--model-revision",
    "revision",
    metavar="NAME",
    help="Which weights a served model has; answers of another revision are another judge's.",
)
_SETTINGS = click.option(
    "--model-setting",
    "model_settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="How the model is asked: temperature, reasoning_effort, reasoning_tokens, max_tokens, "
    "logprobs of a served one; device, dtype, attention, quantization, batch_size of a local "
    "one; repeatable.  [default: the model's own]",
)
_CONNECTIONS = click.option(
    "--connections",
    type=click.IntRange(1, 5000),
    metavar="N",
    help="Ask a served model so many questions at once.  [default: as many as it answers well]",
)


_BATCH = click.option(
    "--batch",
    is_flag=True,
    help="Ask through the provider's batch service, at about half the price: answered within a "
    "day. To stop waiting, press Ctrl-C; the same command goes on.",
)


def settings_option(command: Command) -> Command:
    return _SETTINGS(command)


def connections_option(command: Command) -> Command:
    return _CONNECTIONS(command)


def batch_option(command: Command) -> Command:
    return _BATCH(command)


_MISSING = click.option(
    "--max-missing",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="End after so many questions in a row without a reply (failed, timed out, rate-limited); "
    "the same command goes on. 0: never.",
)
_PATIENCE = (
    click.option(
        "--attempts",
        type=click.IntRange(1),
        default=3,
        show_default=True,
        help="Ask a question without a reply again with the next command, so often in all.",
    ),
    _MISSING,
)


def missing_option(command: Command) -> Command:
    return _MISSING(command)


def patience_options(command: Command) -> Command:
    return _with(_PATIENCE, command)


_LIVE = (
    click.option(
        "--on-wall",
        type=click.Choice(["pause", "stop"]),
        help="Live: at a sign-in, a captcha, ...: wait for you in the window, or end the run.  "
        "[default: pause with --headed, else stop]",
    ),
    click.option(
        "--pace",
        cls=ConfigOption,
        type=click.FloatRange(0.5),
        default=3.0,
        show_default=True,
        metavar="SECONDS",
        help="Live: at least so long from one action to the next.",
    ),
    click.option(
        "--per-day",
        cls=ConfigOption,
        type=click.IntRange(0),
        default=300,
        show_default=True,
        help="Live: videos a day for an account; 0: no cap.",
    ),
    click.option(
        "--quiet-hours",
        cls=ConfigOption,
        metavar="23:00-07:00",
        help="Live: when nothing is watched.",
    ),
    click.option(
        "--timezone",
        cls=ConfigOption,
        metavar="Europe/Berlin",
        help="Live: whose days and hours these are; the machine's where none is named.",
    ),
    click.option(
        "--renew-after",
        type=click.IntRange(0),
        default=200,
        show_default=True,
        help="Live: videos after which the browser is opened anew; 0: never.",
    ),
)
_FRAMES = (
    click.option(
        "--frames",
        type=click.IntRange(1, 16),
        default=1,
        show_default=True,
        help="Pictures of each video that the model is given.",
    ),
    click.option(
        "--frame-span",
        type=click.FloatRange(0, min_open=True),
        default=3.0,
        show_default=True,
        metavar="SECONDS",
        help="From the first picture to the last, where there are several.",
    ),
    click.option("--sheet", is_flag=True, help="Give several pictures as one."),
)


def frame_options(command: Command) -> Command:
    return _with(_FRAMES, command)


def live_options(command: Command) -> Command:
    return _with(_LIVE, command)


def site_options(command: Command) -> Command:
    return _with(_SITE, command)


def _with(options: Sequence[Callable[[Command], Command]], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def declare_headed(text: str) -> Callable[[Command], Command]:
    """Return the option ``--headed`` with this help, and its opposite."""
    return click.option("--headed/--headless", cls=ConfigOption, default=False, help=text)


def data_to_type(data: Path) -> str:
    """Return the option that names a data folder; nothing where a command takes it anyhow.

    A space stands before it.
    """
    return "" if str(data) == default_data() else f" --data {shlex.quote(str(data))}"

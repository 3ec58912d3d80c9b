"""What the commands of ``python -m store`` share: options, the data folder, the progress bar."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from store.errors import NothingKept
from store.jsonl.atomic import restrict_umask
from store.terminal.exit_codes import examples
from store.terminal.exit_codes import json_option as json_option
from store.terminal.printing import rewrite

if TYPE_CHECKING:
    from store.index.build import Progress
    from store.runs.data_folder import DataFolder

Command = TypeVar("Command", bound=Callable[..., Any])


def restrict_access(context: click.Context, _: click.Parameter, root: Path) -> Path:
    """Have what the command makes, by others' code and children too, be as open as the folder."""
    former = restrict_umask(root)
    context.call_on_close(lambda: os.umask(former))
    return root


def declare_data(name: str) -> Callable[[Command], Command]:
    """Return the option ``--data`` for a parameter of this name."""
    return click.option(
        "--data",
        name,
        type=click.Path(file_okay=False, path_type=Path),
        envvar="FEEDSWAY_DATA",
        default=Path("data"),
        callback=restrict_access,
        show_default=True,
        help="Folder where everything is kept (or FEEDSWAY_DATA).",
    )


data_option = declare_data("root")
encoder_option = click.option(
    "--encoder",
    "encoder_name",
    default="conse",
    show_default=True,
    help="conse, or open_clip:MODEL/PRETRAINED.",
)
url_option = click.option(
    "--index", "url", metavar="URL", help="A Chroma server, http://host:port."
)


def epilog(*words: str) -> str:
    return examples(*(f"python -m store {line}" for line in words))


def kept(root: Path, url: str | None = None) -> DataFolder:
    """The data folder, once it is certain that there is something in it or on the server."""
    from store.runs.data_folder import DataFolder

    data = DataFolder(root)
    if url is None and not data.ledgers():
        raise NothingKept(root)
    return data


def bar(label: str) -> Progress:
    """A counter on stderr where somebody watches, and nothing elsewhere."""

    def advance(done: int, total: int) -> None:
        rewrite(f"{label} {done}/{total}", last=done == total)

    return advance

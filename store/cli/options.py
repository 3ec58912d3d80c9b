"""What the commands of ``python -m store`` share: options, the door for errors, the counter."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from store.errors import NothingKept, StoreError
from store.foreign.printing import echo, rewrite
from store.jsonl.atomic import restrict_umask

if TYPE_CHECKING:
    from store.index.build import Progress
    from store.runs.data_folder import DataFolder


class StoreCommands(click.Group):
    """The one place where errors become words and exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; say what a person can do when it cannot go on."""
        try:
            return super().invoke(ctx)
        except StoreError as error:
            echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            echo("Interrupted.", err=True)
            ctx.exit(130)


def restrict_access(context: click.Context, _: click.Parameter, root: Path) -> Path:
    """Have what the command makes, by others' code and children too, be as open as the folder."""
    former = restrict_umask(root)
    context.call_on_close(lambda: os.umask(former))
    return root


data_option = click.option(
    "--data",
    "root",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="FEEDSWAY_DATA",
    default=Path("data"),
    callback=restrict_access,
    show_default=True,
    show_envvar=True,
    help="Data folder.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
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


def epilog(*examples: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  $ python -m store {example}" for example in examples)


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

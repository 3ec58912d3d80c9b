"""What the commands of ``python -m store`` share: options, the data folder, the progress bar."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from store.cluster.cluster_address import ClusterAddress
from store.errors import NothingKept
from store.jsonl.atomic import restrict_umask
from store.runs.shards import WHOLE, Shard
from store.terminal.exit_codes import examples
from store.terminal.exit_codes import json_option as json_option
from store.terminal.printing import echo, rewrite

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


class _ShardType(click.ParamType[Shard]):
    """The word of ``--shard``."""

    name = "shard"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Shard:
        if isinstance(value, Shard):
            return value
        try:
            return Shard.parse(str(value))
        except ValueError as error:
            self.fail(f"{error}. Type: --shard 1/16 on the first of 16 machines", param, ctx)


def shard_option(what: str) -> Callable[[Command], Command]:
    """Return the option ``--shard``; ``what`` says in a few words what a machine then does."""
    return click.option(
        "--shard",
        type=_ShardType(),
        default=WHOLE,
        metavar="K/N",
        help=f"{what}: the K-th of N parts; the same command with another K does the others. Then "
        "unite the data folders with store merge.",
    )


class _ClusterType(click.ParamType[ClusterAddress]):
    """The word of ``--on``."""

    name = "cluster"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> ClusterAddress:
        if isinstance(value, ClusterAddress):
            return value
        try:
            return ClusterAddress.parse(str(value))
        except ValueError as error:
            self.fail(f"{error}. Type: --on ray, or --on ray://HOST:10001", param, ctx)


def cluster_option(what: str) -> Callable[[Command], Command]:
    """Return the option ``--on``; ``what`` says in a few words what a cluster then does."""
    return click.option(
        "--on",
        type=_ClusterType(),
        metavar="ray",
        help=f"{what}: ray (the cluster of this machine) or ray://HOST:10001. Needs feedsway[ray].",
    )


def tell_shard(shard: Shard) -> None:
    """Say, where the work was a part of it, how the parts come together."""
    if shard.partial:
        echo(
            f"This was shard {shard}. Once all {shard.of} are done, type: "
            "python -m store merge FOLDER...",
            err=True,
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

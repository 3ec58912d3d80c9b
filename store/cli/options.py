"""What the commands of ``python -m store`` share: options, the data folder, the progress bar."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from platformdirs import user_cache_path

from store.cli.configured_group import ConfigOption
from store.cluster.cluster_address import ClusterAddress
from store.errors import NothingKept
from store.jsonl.atomic import file_slug, restrict_umask
from store.jsonl.mirrors import CACHE_MARK
from store.runs.shards import WHOLE, Shard
from store.terminal.config_file import read_config
from store.terminal.exit_codes import DATA_TO_TYPE, examples
from store.terminal.exit_codes import json_option as json_option
from store.terminal.printing import echo, remark, rewrite
from store.untrusted.clean_text import show_line

if TYPE_CHECKING:
    from store.index.build import Progress
    from store.runs.data_folder import DataFolder

Command = TypeVar("Command", bound=Callable[..., Any])


_SERVICES = (
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT",
    "GOOGLE_BASE_URL",
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_STORAGE_ACCOUNT_NAME",
)
"""Variables that say where a URL's bucket is."""


class DataPath(click.Path):
    """A data folder, or the URL of one in a store elsewhere."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if "://" in str(value) else super().convert(value, param, ctx)


def open_data(context: click.Context, _: click.Parameter, given: Path | str) -> Path:
    """Return the data folder, and have what the command makes be as open as that.

    That goes for what others' code and children make, too.
    """
    root, _url = _find_root(given)
    if str(given) != default_data():
        context.meta[DATA_TO_TYPE] = f" --data {shlex.quote(str(given))}"
    if context.resilient_parsing:  # a shell completes a line: nothing is fetched
        return root
    former = restrict_umask(root)
    context.call_on_close(lambda: os.umask(former))
    return mount_data(context, given)


def mount_data(context: click.Context, given: Path | str) -> Path:
    """Return a data folder; of a store elsewhere its cache, kept alike while the command runs."""
    root, release = mount_folder(given)
    context.call_on_close(release)
    return root


def mount_folder(given: Path | str) -> tuple[Path, Callable[[], None]]:
    """Return the folder on this machine, and what ends the keeping alike with a store elsewhere."""
    root, url = _find_root(given)
    if url is None:
        return root, lambda: None
    from store.remote.mounting import mount

    return root, mount(url, root, remark, bar(f"Fetching {url}"), _read_lease_s())


def default_data() -> str:
    """Return the data folder, or its URL, where nobody has typed ``--data``."""
    if named := os.environ.get("FEEDSWAY_DATA"):
        return named
    said = read_config(os.environ, Path()).values.get("data")
    return "data" if said is None else str(said.value)


def _read_lease_s() -> float:
    from store.remote.leases import LEASE_S, LONGEST_S, SHORTEST_S

    given = os.environ.get("FEEDSWAY_LEASE_S") or str(LEASE_S)
    try:
        lease_s = float(given)
    except ValueError:
        lease_s = 0.0
    if not SHORTEST_S <= lease_s <= LONGEST_S:
        raise click.UsageError(
            f"FEEDSWAY_LEASE_S is {show_line(given)!r}. "
            f"Set it to seconds from {SHORTEST_S:.0f} to {LONGEST_S:.0f}."
        )
    return lease_s


def _find_root(given: Path | str) -> tuple[Path, str | None]:
    """Return the folder on this machine, and the URL that it is a cache of, if it is one.

    Where a cache lies follows from its URL. A folder that only says that it is one came with its
    mark from elsewhere, and could have things put up anywhere.
    """
    if isinstance(given, Path) and not (given / CACHE_MARK).is_file():
        return given, None
    from store.remote.mounting import cache_of, read_mark

    caches = os.environ.get("FEEDSWAY_CACHE")
    folder = Path(caches) if caches else user_cache_path("feedsway") / "data"
    services = [os.environ[name] for name in _SERVICES if os.environ.get(name)]
    if services:  # buckets of one name, in two places
        folder /= file_slug(services[0].partition("://")[2], services)
    if not isinstance(given, Path):
        return cache_of(given, folder), given
    mark = read_mark(given)
    if mark is None:
        return given, None
    if os.path.realpath(given) != os.path.realpath(cache_of(mark.url, folder)):
        raise click.UsageError(
            f"{given} was made elsewhere as a cache of {show_line(mark.url)[:200]}. To read it as "
            f"a folder of its own, type: rm {shlex.quote(str(given / CACHE_MARK))}"
        )
    return given, mark.url


def declare_data(name: str) -> Callable[[Command], Command]:
    """Return the option ``--data`` for a parameter of this name."""
    return click.option(
        "--data",
        name,
        cls=ConfigOption,
        type=DataPath(file_okay=False, path_type=Path),
        envvar="FEEDSWAY_DATA",
        default=Path("data"),
        callback=open_data,
        show_default=True,
        help="Folder where everything is kept, or its URL: s3://BUCKET/FOLDER (or FEEDSWAY_DATA).",
    )


data_option = declare_data("root")
encoder_option = click.option(
    "--encoder",
    "encoder_name",
    cls=ConfigOption,
    default="conse",
    show_default=True,
    help="conse, open_clip:MODEL/PRETRAINED, or a plug-in's.",
)
url_option = click.option(
    "--index", "url", cls=ConfigOption, metavar="URL", help="A Chroma server, http://host:port."
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

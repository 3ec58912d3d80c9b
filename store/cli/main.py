"""The commands of ``python -m store``: runs, show, search, index, verify, bench.

Results go to stdout, narration to stderr.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from store.cli import backup, dataset
from store.cli import bundle as bundling
from store.cli import merge as uniting
from store.cli.configured_group import ConfiguredGroup
from store.cli.options import (
    bar,
    cluster_option,
    data_option,
    encoder_option,
    epilog,
    json_option,
    kept,
    shard_option,
    tell_shard,
    url_option,
)
from store.errors import EXIT_CODES, NothingKept
from store.jsonl.mirrors import fetch_below
from store.terminal.command_words import spell_commands
from store.terminal.exit_codes import ErrorReporter, name_data_folder
from store.terminal.printing import count_of, echo, rewrite
from store.untrusted.size_limits import UnreadablePicture, decode_picture

if TYPE_CHECKING:
    from store.cluster.cluster_address import ClusterAddress
    from store.encoders import Encoder, Vectors
    from store.index.cluster_encoder import ClusterEncoder
    from store.index.entries import Hit
    from store.runs.data_folder import DataFolder
    from store.runs.shards import Shard


@click.group(cls=ConfiguredGroup, reporter=ErrorReporter(EXIT_CODES, "Error: ", "Interrupted."))
def main() -> None:
    """Look into what feedsway keeps: runs, frames and the index over them."""


for _command in (
    dataset.export,
    dataset.bring_in,
    dataset.stats,
    dataset.forget,
    bundling.bundle,
    backup.backup,
    backup.restore,
    backup.cache,
    backup.protect,
    uniting.merge,
):
    main.add_command(_command)


@main.command(epilog=epilog("runs", "runs --json"))
@data_option
@json_option
def runs(root: Path, as_json: bool) -> None:
    """List the runs, by start."""
    from store.cli import output
    from store.runs.data_folder import DataFolder

    found = DataFolder(root).runs()
    if as_json:
        echo(json.dumps([output.run_fields(run) for run in found], indent=2))
    elif found:
        echo(output.runs_table(found))
    if not found:
        echo(str(NothingKept(root)), err=True)


@main.command(epilog=epilog("show latest", "show latest --json"))
@click.argument("run")
@data_option
@json_option
def show(run: str, root: Path, as_json: bool) -> None:
    """Show one run, step by step. RUN is an id, the beginning of one, a path, or latest."""
    from store.cli import output
    from store.runs import ledger
    from store.runs.data_folder import DataFolder

    data = DataFolder(root) if Path(run).exists() else kept(root)  # a path may lie elsewhere
    with ledger.open_stream(data.find_run(run)) as stream:
        if not as_json:
            echo(spell_commands(output.ledger_lines(stream)))
            return
        for part in output.ledger_json(stream):
            echo(part, nl=False)
        echo()


@main.command(
    epilog=epilog(
        'search "two people shaking hands"',
        'search "a red car" -k 10 --answer yes --sheet cars.png',
        "search --image picture.jpg --json",
    )
)
@click.argument("text", required=False)
@click.option("--image", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-k", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many.")
@click.option("--platform", help="Only from this platform.")
@click.option("--persona", help="Only seen by this persona.")
@click.option("--answer", type=click.Choice(["yes", "no", "missing"]), help="Only judged so.")
@click.option("--run", help="Only from this run.")
@click.option("--duplicates", is_flag=True, help="Show near-duplicates and repeated videos too.")
@click.option("--sheet", type=click.Path(dir_okay=False, path_type=Path), help="Save a picture.")
@encoder_option
@url_option
@data_option
@json_option
def search(text: str | None, image: Path | None, root: Path, **options: Any) -> None:
    """Find frames that fit a text or a picture.

    Best first, one per video.
    """
    from store.errors import IndexEmpty
    from store.index.entries import Filters
    from store.index.search import Index

    if (text is None) == (image is None):
        raise click.UsageError("Give a text or --image FILE, one of them.")
    data = kept(root, options["url"])
    run = data.find_run(options["run"]).parent.name if options["run"] else None
    where = Filters(options["platform"], options["persona"], options["answer"], run)
    encoder = _load(options["encoder_name"])
    vector = _vector(encoder, text, image)
    with Index.open(data, encoder, options["url"]) as index:
        if index.count() == 0:
            raise IndexEmpty(options["encoder_name"])
        hits = index.search(vector, options["k"], where, duplicates=options["duplicates"])
    _tell(hits, data, as_json=options["as_json"], sheet=options["sheet"])


def _tell(hits: Sequence[Hit], data: DataFolder, *, as_json: bool, sheet: Path | None) -> None:
    from store.cli import output
    from store.frames.frame_store import FrameStore
    from store.privacy.derived_files import register, seal_derived

    frames = FrameStore(data.frames_dir)
    if as_json:
        echo(json.dumps(output.hit_fields(hits, frames), indent=2, ensure_ascii=False))
    elif hits:
        echo(output.hit_lines(hits, frames))
    else:
        echo("No frame fits. Ask for less, or look: python -m store runs", err=True)
    if sheet is not None and hits:
        register(data, sheet, "sheet", frames=[hit.entry.sha256 for hit in hits])
        output.write_sheet(hits, frames, sheet)
        seal_derived(data, sheet)
        echo(f"Wrote {sheet}", err=True)


@main.command(epilog=epilog("index", "index --rebuild", "index --shard 3/16"))
@click.option("--rebuild", "anew", is_flag=True, help="Make it anew beside the old one.")
@shard_option("Index a part of the frames")
@click.option(
    "--workers",
    type=click.IntRange(0, 64),
    help="Processes that read and prepare frames.  [default: 4 for a GPU, else none]",
)
@cluster_option("Embed on all nodes of a Ray cluster")
@encoder_option
@url_option
@data_option
@json_option
def index(anew: bool, shard: Shard, root: Path, as_json: bool, **options: Any) -> None:
    """Index the frames that the index lacks."""
    from store.index.build import rebuild, update

    if options["on"] is not None and options["workers"] is not None:
        raise click.UsageError("Nodes read no frames. Type: --workers, or --on, one of them.")
    if anew and shard.partial:
        raise click.UsageError("A part is no index. Type: --rebuild, or --shard, one of them.")
    data, url = kept(root), options["url"]
    fetch_below(data.frames_dir, bar("Fetching frames"))
    make = rebuild if anew else partial(update, shard=shard)
    with _opened(options["encoder_name"], options["on"]) as encoder:
        report = make(data, encoder, url, bar("Indexing"), options["workers"])
    for problem in report.problems:
        echo(f"Left out: {name_data_folder(problem)}", err=True)
    if as_json:
        fields = {"added": report.added, "present": report.present, "problems": report.problems}
        echo(json.dumps(fields, indent=2))
    else:
        part = f" in shard {shard}" if shard.partial else ""
        echo(f"{count_of(report.added, 'frame')} added{part}; the index holds {report.present}.")
    if url is None:
        tell_shard(shard)
    if report.problems:
        raise click.exceptions.Exit(1)


@main.command(epilog=epilog("verify", "verify --json"))
@url_option
@data_option
@json_option
def verify(url: str | None, root: Path, as_json: bool) -> None:
    """Check every ledger, frame and hash. Exit code 1 when something is wrong."""
    from store.cli import output
    from store.maintenance import verify as checks

    report = checks.verify(kept(root), bar("Checking frames"), url)
    told = spell_commands(output.report_lines(report))
    echo(output.report_json(report) if as_json else told)
    if not report.sound:
        raise click.exceptions.Exit(1)


@contextmanager
def _opened(encoder_name: str, on: ClusterAddress | None) -> Iterator[Encoder | ClusterEncoder]:
    """Load an encoder, here or on the nodes of a cluster."""
    from store import encoders

    if on is None:
        yield encoders.load(encoder_name)
        return
    from store.cluster.ray_cluster import Cluster
    from store.index.cluster_encoder import ClusterEncoder

    encoders.check(encoder_name)
    with (
        Cluster.connect(on) as cluster,
        ClusterEncoder.open(cluster, partial(encoders.load, encoder_name)) as encoder,
    ):
        yield encoder


def _load(encoder_name: str) -> Encoder:
    from store import encoders

    return encoders.load(encoder_name)


def _vector(encoder: Encoder, text: str | None, image: Path | None) -> Vectors:
    if image is None:
        vectors = encoder.texts([text or ""])
    else:
        try:
            vectors = encoder.images([decode_picture(image)])
        except UnreadablePicture:
            raise click.BadParameter(f"{image} is no picture. Type: --image FILE.jpg") from None
    vector: Vectors = vectors[0]
    return vector


@main.command(epilog=epilog("bench --frames 40 --sample 0"))
@click.option("--frames", type=click.IntRange(20), default=50_191, show_default=True)
@click.option(
    "--pictures",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of pictures to cut from.  [default: scikit-image's photographs]",
)
@click.option(
    "--sample",
    type=click.IntRange(0),
    default=320,
    show_default=True,
    help="Pictures that the real encoder embeds.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Make the collection here, and leave it; the next call takes it as it is.",
)
@json_option
def bench(
    frames: int, pictures: Path | None, sample: int, keep: Path | None, as_json: bool
) -> None:
    """Time index, search, statistics, checks and exports of a collection made for it.

    At the default size it takes seven minutes or more, and 1.5 GB.
    """
    from store.bench.measure import measure

    def tell(what: str, done: int, total: int) -> None:
        if done == total or done % 10 == 0:
            rewrite(f"{what} {done}/{total}", last=done == total)

    if keep is not None:
        found = measure(keep, frames, pictures, sample, tell)
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(Path(folder), frames, pictures, sample, tell)
    echo(json.dumps(asdict(found), indent=2) if as_json else "\n".join(found.lines()))

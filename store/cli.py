"""The commands of ``python -m store``: runs, show, search, index, verify.

Refuses to know how anything is done: each command asks the module that does it and prints. Results
go to stdout, narration to stderr.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from store.errors import NothingKept, StoreError

if TYPE_CHECKING:
    from store.data import DataFolder
    from store.encoders.base import Encoder, Vectors
    from store.entries import Hit
    from store.indexing import Progress

F = TypeVar("F", bound=Callable[..., Any])


class Door(click.Group):
    """The one place where errors become words and exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; say what a person can do when it cannot go on."""
        try:
            return super().invoke(ctx)
        except StoreError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(130)


_data = click.option(
    "--data",
    "root",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="FEEDSWAY_DATA",
    default=Path("data"),
    show_default=True,
    show_envvar=True,
    help="Data folder.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_encoder = click.option(
    "--encoder",
    "encoder_name",
    default="conse",
    show_default=True,
    help="conse, or open_clip:MODEL/PRETRAINED.",
)
_url = click.option("--index", "url", metavar="URL", help="A Chroma server, http://host:port.")


def _epilog(*examples: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  $ python -m store {example}" for example in examples)


@click.group(cls=Door)
def main() -> None:
    """Look into what feedsway keeps: runs, frames and the index over them."""


@main.command(epilog=_epilog("runs", "runs --json"))
@_data
@_json
def runs(root: Path, as_json: bool) -> None:
    """List the runs, by start."""
    from store import cli_text
    from store.data import DataFolder

    found = DataFolder(root).runs()
    if as_json:
        click.echo(json.dumps([cli_text.run_fields(run) for run in found], indent=2))
    elif found:
        click.echo(cli_text.runs_table(found))
    if not found:
        click.echo(NothingKept(root), err=True)


@main.command(epilog=_epilog("show latest", "show latest --json"))
@click.argument("run")
@_data
@_json
def show(run: str, root: Path, as_json: bool) -> None:
    """Show one run, step by step. RUN is an id, the beginning of one, a path, or latest."""
    from store import cli_text, ledger
    from store.data import DataFolder

    data = DataFolder(root) if Path(run).exists() else _kept(root)  # a path may lie elsewhere
    found = ledger.read(data.find_run(run))
    click.echo(cli_text.ledger_json(found) if as_json else cli_text.ledger_lines(found))


@main.command(
    epilog=_epilog(
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
@_encoder
@_url
@_data
@_json
def search(text: str | None, image: Path | None, root: Path, **options: Any) -> None:
    """Find frames that fit a text or a picture.

    Best first, one per video.
    """
    from store.entries import Filters
    from store.index import Index

    if (text is None) == (image is None):
        raise click.UsageError("Give a text or --image FILE, one of them.")
    data = _kept(root, options["url"])
    run = data.find_run(options["run"]).parent.name if options["run"] else None
    where = Filters(options["platform"], options["persona"], options["answer"], run)
    encoder = _load(options["encoder_name"])
    vector = _vector(encoder, text, image)
    with Index.open(data, encoder, options["url"]) as index:
        hits = index.search(vector, options["k"], where, duplicates=options["duplicates"])
    _tell(hits, data, as_json=options["as_json"], sheet=options["sheet"])


def _tell(hits: Sequence[Hit], data: DataFolder, *, as_json: bool, sheet: Path | None) -> None:
    """Print what was found, and save it as a picture if that is wanted."""
    from store import cli_text
    from store.frames import FrameStore
    from store.sheet import write_sheet

    frames = FrameStore(data.frames_dir)
    if as_json:
        click.echo(json.dumps(cli_text.hit_fields(hits, frames), indent=2, ensure_ascii=False))
    elif hits:
        click.echo(cli_text.hit_lines(hits, frames))
    else:
        click.echo("No frame fits. Ask for less, or look: python -m store runs", err=True)
    if sheet is not None and hits:
        write_sheet(hits, frames, sheet)
        click.echo(f"Wrote {sheet}", err=True)


@main.command(epilog=_epilog("index", "index --rebuild"))
@click.option("--rebuild", "anew", is_flag=True, help="Make it anew beside the old one.")
@_encoder
@_url
@_data
@_json
def index(anew: bool, encoder_name: str, url: str | None, root: Path, as_json: bool) -> None:
    """Index the frames that the index lacks."""
    from store.indexing import rebuild, update

    data = _kept(root)
    encoder = _load(encoder_name)
    bar = _bar("Indexing")
    report = rebuild(data, encoder, url, bar) if anew else update(data, encoder, url, bar)
    for problem in report.problems:
        click.echo(f"Left out: {problem}", err=True)
    if as_json:
        fields = {"added": report.added, "present": report.present, "problems": report.problems}
        click.echo(json.dumps(fields, indent=2))
    else:
        click.echo(f"{report.added} frames added; the index holds {report.present}.")
    if report.problems:
        raise click.exceptions.Exit(1)


@main.command(epilog=_epilog("verify", "verify --json"))
@_data
@_json
def verify(root: Path, as_json: bool) -> None:
    """Check every ledger, frame and hash. Exit code 1 when something is wrong."""
    from store import cli_text
    from store import verify as checks

    report = checks.verify(_kept(root), _bar("Checking frames"))
    click.echo(cli_text.report_json(report) if as_json else cli_text.report_lines(report))
    if not report.sound:
        raise click.exceptions.Exit(1)


def _kept(root: Path, url: str | None = None) -> DataFolder:
    """The data folder, once it is certain that there is something in it or on the server."""
    from store.data import DataFolder

    data = DataFolder(root)
    if url is None and not data.ledgers():
        raise NothingKept(root)
    return data


def _load(encoder_name: str) -> Encoder:
    from store import encoders

    return encoders.load(encoder_name)


def _vector(encoder: Encoder, text: str | None, image: Path | None) -> Vectors:
    """What is looked for, as a vector."""
    if image is None:
        vectors = encoder.texts([text or ""])
    else:
        from PIL import Image

        try:
            vectors = encoder.images([Image.open(image).convert("RGB")])
        except OSError:
            raise click.BadParameter(f"{image} is no picture. Type: --image FILE.jpg") from None
    vector: Vectors = vectors[0]
    return vector


def _bar(label: str) -> Progress:
    """A counter on stderr where somebody watches, and nothing elsewhere."""
    watched = sys.stderr.isatty()

    def advance(done: int, total: int) -> None:
        if watched:
            click.echo(f"\r{label} {done}/{total}", nl=done == total, err=True)

    return advance

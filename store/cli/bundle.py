"""``python -m store bundle``: one file that a paper cites, and that anybody can check."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from store.cli.options import bar, data_option, epilog, json_option, kept
from store.terminal.printing import count_of, echo

_ENDING = ".bundle.tar"


@click.command(epilog=epilog("bundle example", "bundle example paper.tar --with-frames"))
@click.argument("study", metavar="STUDY | RUN")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--with-frames", is_flag=True, help="Pictures too, which show people and names.")
@click.option(
    "--keep-handles", is_flag=True, help="Leave handles, ids, captions and replies in, as kept."
)
@data_option
@json_option
def bundle(
    study: str, file: Path | None, with_frames: bool, keep_handles: bool, root: Path, as_json: bool
) -> None:
    """Pack a study, and the figures of its report, into one FILE that anybody can check.

    The report comes first: python -m analysis report STUDY. Whoever has the file derives every
    figure again: python -m analysis reproduce FILE. Pseudonyms stand for creators, videos and
    accounts, and captions and replies stay out, unless you ask for them.
    """
    from store.bundle.pack import BundleChoice
    from store.bundle.pack import bundle as pack
    from store.maintenance.stats import size_told

    choice = BundleChoice(frames=with_frames, keep_handles=keep_handles)
    place = file or Path(f"{study}{_ENDING}")
    done = pack(kept(root), study, place, choice, bar("Packing"))
    if as_json:
        echo(json.dumps(asdict(done) | {"file": str(done.file)}, indent=2))
    else:
        held = f"{count_of(done.runs, 'run')}, {count_of(done.tables, 'table')}"
        held += f", {count_of(done.frames, 'frame')}" if with_frames else ", no frames"
        echo(f"{done.file}  {size_told(done.bytes)}: {held}.\nSHA-256 {done.sha256}")
        echo(f"Cite the SHA-256. To check it, type: python -m analysis reproduce {done.file}")
    if done.labellers:
        people = ", ".join(done.labellers)
        echo(f"It tells under which names people labelled: {people}.", err=True)
    for problem in done.problems:
        echo(f"Left out: {problem}", err=True)
    if done.problems:
        raise click.exceptions.Exit(1)

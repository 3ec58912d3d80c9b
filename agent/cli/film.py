"""``python -m agent film``: two feeds side by side, as a picture or a short video."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.options import data_option
from store.terminal.printing import count_of, echo

if TYPE_CHECKING:
    from agent.explorer.film_export import FilmKind
    from agent.explorer.film_strips import StripAddress
    from store.runs.data_folder import DataFolder

EPILOG = """
\b
Examples:
  python -m agent film 20250301-p01 20250301-p05 --out side-by-side.png
  python -m agent film 20250301-p01 latest --out talk.mp4 --positions 10 40 --blur
"""


@click.command("film", epilog=EPILOG)
@click.argument("runs", nargs=2, metavar="RUN RUN")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file: NAME.png for a slide, NAME.mp4 for a talk.",
)
@click.option(
    "--positions",
    nargs=2,
    type=click.IntRange(min=0),
    metavar="FIRST LAST",
    help="Of the feeds, from 0.  [default: all]",
)
@click.option(
    "--speed",
    type=click.Choice(["1", "2", "4"]),
    default="2",
    show_default=True,
    help="Positions a second, of a video.",
)
@click.option("--blur", is_flag=True, help="Blur faces and handles that are found in the frames.")
@data_option
def film(
    data: Path,
    runs: tuple[str, str],
    out: Path,
    *,
    positions: tuple[int, int] | None,
    speed: str,
    blur: bool,
) -> None:
    """Put two runs side by side, as a picture or a video without captions.

    RUN is an id, the beginning of one, or latest. What another judge said later of a run's frames
    is RUN/JUDGE/PERSONA, as in the address of the explorer's page.
    """
    from agent.explorer.film_export import FilmRequest, choose_strips, make_film
    from store.cli.options import bar
    from store.errors import DataUnwritable
    from store.jsonl.atomic import write_whole
    from store.privacy.derived_files import register, seal_derived
    from store.runs.data_folder import DataFolder

    folder = DataFolder(data)
    asked = FilmRequest(
        _find_strip(folder, runs[0]),
        _find_strip(folder, runs[1]),
        kind=_tell_kind(out),
        first=positions[0] if positions else 0,
        last=positions[1] if positions else None,
        speed=int(speed),
        blur=blur,
    )
    pair = choose_strips(folder, asked)
    told, total, done = bar("Drawing"), len(pair.a.cells) + len(pair.b.cells), count(1)
    content = make_film(folder, asked, pair, lambda: told(next(done), total))
    shown = {asked.a.run, asked.b.run}
    register(folder, out, "sheet", runs=shown, frames=pair.frames)
    try:
        write_whole(out, content)
    except OSError as error:
        raise DataUnwritable(out, error.strerror or str(error)) from None
    echo(str(out))
    seal_derived(folder, out)
    echo(f"{count_of(len(pair.positions), 'position')}. It shows what people have made.", err=True)
    if not blur:
        echo(
            "No face is blurred. To blur those that are found, type: the same with --blur", err=True
        )


def _tell_kind(out: Path) -> FilmKind:
    from agent.errors import BadConfig
    from agent.explorer.film_export import FILM_KINDS

    kind = FILM_KINDS.get(out.suffix.removeprefix("."))
    if kind is None:
        raise BadConfig(f"{out.name} is neither a picture nor a video. Type: --out film.mp4")
    if out.exists():
        raise BadConfig(f"{out} is there already. Type: the same with another --out")
    return kind[0]


def _find_strip(data: DataFolder, text: str) -> StripAddress:
    """Return what a person means; raises ``RunNotFound``."""
    from agent.explorer.film_strips import StripAddress

    asked = StripAddress.read(text)
    return replace(asked, run=data.find_run(asked.run).parent.name)

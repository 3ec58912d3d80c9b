"""``python -m agent.playground``: serve the site and say where it is.

Standard output holds exactly one line of JSON, once the site is ready.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from store.terminal.exit_codes import ErrorReporter
from store.terminal.printing import echo

SKINS = ("tiktok", "youtube", "instagram")
FEEDS = ("listener", "popular", "random", "contrarian")


@click.command(
    epilog="\b\nExamples:\n"
    "  $ python -m agent.playground --port 0 --feed listener --state ./visitors\n"
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one.")
@click.option("--feed", type=click.Choice(FEEDS), default="listener", help="The recommender.")
@click.option(
    "--gain", type=click.FloatRange(0, 1), default=1.0, help="How much of it; 0 serves at random."
)
@click.option("--seed", type=click.IntRange(0), default=0, help="Of the recommender's draws.")
@click.option(
    "--speed", type=click.FloatRange(0.1, 16), default=1.0, help="Playback rate of the videos."
)
@click.option(
    "--motion",
    type=click.Choice(("smooth", "instant")),
    default="smooth",
    help="How the page moves from video to video.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    default=Path("playground-visitors"),
    help="Folder for what each visitor did.",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder for clips; the user's cache folder by default.",
)
@click.option(
    "--catalogue",
    type=click.Path(path_type=Path),
    default=None,
    help="A folder of one's own clips with captions.csv.",
)
@click.option(
    "--skin",
    type=click.Choice(SKINS),
    default=None,
    help="Serve the same videos under the hooks and responses of another site.",
)
@click.option("--parent", is_flag=True, help="End when standard input closes.")
def main(**options: Any) -> None:
    """Serve an embedded short-video site on this machine."""
    from agent.playground.errors import EXIT_CODES

    with ErrorReporter(EXIT_CODES).reporting():
        _serve(options)


def _serve(options: dict[str, Any]) -> None:
    from agent.playground.app import PageLook
    from agent.playground.catalogue import load_catalogue
    from agent.playground.clip_folder import load_folder
    from agent.playground.clips import default_cache
    from agent.playground.recommend import Settings
    from agent.playground.serve import SiteSetup, serve_site

    folder = options["catalogue"]
    plan = SiteSetup(
        catalogue=load_folder(folder) if folder else load_catalogue(),
        settings=Settings(options["feed"], options["gain"], options["seed"]),
        look=PageLook(options["speed"], options["motion"], options["skin"]),
        state=options["state"],
        cache=options["cache"] or default_cache(),
        port=options["port"],
        parent=options["parent"],
    )
    serve_site(plan, ready=lambda facts: echo(json.dumps(facts)), tell=_narrate)


def _narrate(sentence: str) -> None:
    echo(sentence, err=True)


if __name__ == "__main__":
    main()

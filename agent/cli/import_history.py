"""``python -m agent import``: what somebody watched elsewhere, kept as a run without frames."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.options import data_option, data_to_type, json_option
from store.terminal.printing import count_of, echo, share_text

if TYPE_CHECKING:
    from store.dataset.watch_history import HistoryTally, KeptHistory, WatchHistory

EPILOG = """
\b
Examples:
  python -m agent import TikTok_Data_1700000000.zip --as donor7
  python -m agent import takeout.zip --as donor7 --data donations
  python -m agent import zeeschuimer-export-tiktok.com.ndjson
"""
KEEPS = (
    "Kept of the donation: ids of videos, times, and creators where the file names them. Nothing "
    "else of it was kept. FILE itself stays as it is: delete it if you need it no more."
)
SENT = (
    "A capture holds what the site sent. Feeds load ahead, so that some of it may never have been "
    "shown."
)


@click.command("import", epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--as",
    "name",
    metavar="NAME",
    help="A pseudonym of whoever gave it.  [needed for donations; else the file's name]",
)
@data_option
@json_option
def import_history(file: Path, *, name: str | None, data: Path, as_json: bool) -> None:
    """Keep a watch history from elsewhere: a data donation, or a capture of Zeeschuimer.

    TikTok's user_data_tiktok.json, Takeout's watch-history.json, Instagram's videos_watched.json,
    or the .zip with it; or NDJSON of Zeeschuimer or 4CAT. It becomes a run without frames and
    answers, which reports put beside personas (--beside).
    """
    from importlib.metadata import version

    from agent.errors import BadConfig
    from store.dataset.watch_history import keep_history
    from store.jsonl.paths import is_name
    from store.runs.data_folder import DataFolder

    histories = _read(file)
    donated = any(history.source == "donation" for history in histories)
    if name is None and donated:
        raise BadConfig("Whose is it? Type: the same with --as NAME, a pseudonym such as donor7")
    called = file.stem if name is None else name
    if not is_name(called) or len(called) > 100:
        raise BadConfig(f"The name {ascii(called)[:40]} is none for a run. Type: --as donor7")
    folder = DataFolder(data)
    folder.prepare()
    done = [keep_history(folder, each, called, version("feedsway")) for each in histories]
    _tell(histories, done, data, as_json=as_json)


def _read(file: Path) -> tuple[WatchHistory, ...]:
    from agent.errors import BadConfig
    from agent.platforms.captures import is_capture, read_captures
    from store.dataset.donations import read_donation
    from store.untrusted.size_limits import ForeignFault

    try:
        return read_captures(file) if is_capture(file) else (read_donation(file),)
    except ForeignFault as error:
        raise BadConfig(f"{file}: {error}. Type: python -m agent import --help") from None
    except OSError as error:
        told = error.strerror or error
        raise BadConfig(f"{file} cannot be read ({told}). Type: ls -l {file}") from None


def _tally_text(tally: HistoryTally) -> str:
    """Say what can be said of a history by itself; nothing of what its file does not tell."""
    if not tally.videos:
        return "None of them counts: they are advertisements, photo posts or live."
    told = f"{count_of(tally.videos, 'video')} on {count_of(tally.days, 'day')}"
    told += f", {tally.videos / tally.days:.1f} a day"
    if tally.repeats is not None:
        told += f"; {share_text(100 * tally.repeats / tally.videos, 1)} % seen before"
    if tally.creators is not None and tally.commonest is not None:
        most = share_text(100 * tally.commonest / tally.videos, 1)
        told += f"; {count_of(tally.creators, 'creator')}, the commonest with {most} %"
    return f"{told}."


def _tell(
    histories: tuple[WatchHistory, ...], done: list[KeptHistory], data: Path, *, as_json: bool
) -> None:
    from store.dataset.watch_history import tally_history

    tallies = [tally_history(history.videos) for history in histories]
    left_out = {"left_out": histories[0].left_out}
    if as_json:
        told = [asdict(kept) | asdict(t) | left_out for kept, t in zip(done, tallies, strict=True)]
        echo(json.dumps(told, indent=2))
    for history, kept, tally in zip(histories, done, tallies, strict=True):
        if not as_json:
            echo(f"{count_of(kept.added, 'video')} added; run {kept.run_id} holds {kept.present}.")
            echo(_tally_text(tally))
        if history.remark:
            echo(history.remark, err=True)
    first = histories[0]
    if first.left_out:
        echo(f"Left out, as no video with a time: {count_of(first.left_out, 'entry')}.", err=True)
    echo(KEEPS if first.source == "donation" else SENT, err=True)
    beside = " ".join(f"--beside {each.run_id}" for each in done)
    again = f"python -m analysis report STUDY {beside}{data_to_type(data)}"
    echo(f"To see it beside personas, type: {again}", err=True)

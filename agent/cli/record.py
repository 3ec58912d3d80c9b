"""``python -m agent record``: a site's session as a file that plays back with the site gone."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import browser_option, data_option, declare_headed, json_option
from store.terminal.command_words import spell_commands
from store.terminal.printing import count_of, echo

if TYPE_CHECKING:
    from agent.doctor.expected_videos import PlayedBack
    from agent.doctor.site_recording import RecordedWalk
    from agent.platforms.base import Platform
    from agent.run.environment import RunBrowser
    from agent.run.pacing import SlowHands
    from agent.run_config import SiteConfig

PACE_S = 3.0
SKIN_SPEED = 8.0
EPILOG = """
\b
Examples:
  $ python -m agent record --platform tiktok --account p12-treatment-1
  python -m agent record --show recording
  python -m agent record --expect recording
"""


@click.command(epilog=EPILOG)
@click.option("--platform", help="The site that is recorded: tiktok, youtube or instagram.")
@click.option("--account", help="Watch with this account's profile.")
@click.option("--videos", type=click.IntRange(1, 50), default=10, show_default=True)
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the recording.  [default: recordings/PLATFORM/TIME of the data folder]",
)
@declare_headed("Show the browser's window.")
@click.option(
    "--show",
    type=click.Path(path_type=Path),
    help="List what a recording holds: each address, text, name and number of it.",
)
@click.option(
    "--expect",
    type=click.Path(path_type=Path),
    help="Play a recording back, and compare what is read of it with what a person approved.",
)
@click.option("--approve", is_flag=True, help="With --expect: write over what was approved.")
@click.option(
    "--skin", "switches", metavar="SWITCHES", hidden=True, help="Record its skin instead."
)
@browser_option
@data_option
@json_option
def record(as_json: bool, **options: Any) -> None:
    """Record what a site says and shows, redacted, as a file that plays back offline.

    With --platform tiktok --account NAME it walks a few videos slowly. Names, ids and captions
    become pseudonyms; of cookies, tokens and scripts nothing is kept. Play it back with
    run --platform recording --of FOLDER.
    """
    from agent.errors import BadConfig

    asked = [name for name in ("platform", "show", "expect") if options[name] is not None]
    if len(asked) != 1:
        raise BadConfig("What is recorded? Type: --platform tiktok, or --show or --expect FOLDER")
    if options["approve"] and options["expect"] is None:
        raise BadConfig("What is approved? Type: --expect FOLDER --approve")
    if options["show"] is not None:
        _show(options["show"], as_json=as_json)
    elif options["expect"] is not None:
        _expect(options, as_json=as_json)
    else:
        _record(options, as_json=as_json)


def _record(options: dict[str, Any], *, as_json: bool) -> None:
    from agent.cli.signals import interruptible
    from agent.doctor.site_recording import record_site
    from agent.errors import BadConfig
    from agent.platforms import load_platform
    from agent.recordings.recording_file import NAME, pack_lines, read_recording
    from agent.run_config import RunConfig
    from personas.library import find
    from store.jsonl.atomic import write_whole
    from store.runs.data_folder import DataFolder

    platform = load_platform(options["platform"])
    if not platform.live:
        raise BadConfig("Only a site is recorded. Type: --platform tiktok|youtube|instagram")
    site = _skin(platform, options["switches"])
    config = RunConfig(
        persona=find("p01"), platform=platform.name, account=options["account"], site=site
    )
    folder = options["to"] or DataFolder(options["data"]).root / "recordings" / platform.name / (
        f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    )
    if (folder / NAME).exists():
        raise BadConfig(f"{folder} holds a recording already. Type: --to ANOTHER")
    _check_writable(folder)
    hands = _hands(PACE_S if site is None else 0)
    work = record_site(config, _browser(options), options["videos"], hands, _tell)
    walk = interruptible(work)
    if not walk.scenes:
        raise BadConfig(
            f"Nothing was seen of {platform.name} ({', '.join(walk.faults)}). "
            f"Type: python -m agent doctor --platform {platform.name}"
        )
    content = pack_lines(walk.lines)
    write_whole(folder / NAME, content)
    _summarise(walk, folder, len(content), as_json=as_json)
    read_recording(folder)  # one that is too large for its readers is known on the day
    if walk.faults:
        sys.exit(1)


def _check_writable(folder: Path) -> None:
    """Make the folder before the walk, and refuse one in which nothing can be written."""
    from agent.errors import BadConfig
    from store.jsonl.atomic import write_whole

    probe = folder / ".probe"
    try:
        write_whole(probe, b"")
        probe.unlink()
    except OSError as error:
        why = error.strerror or str(error)
        raise BadConfig(f"{folder} cannot be written ({why}). Type: --to ANOTHER") from None


def _summarise(walk: RecordedWalk, folder: Path, size: int, *, as_json: bool) -> None:
    videos = [scene.described for scene in walk.scenes if scene.described is not None]
    walls = [scene.wall for scene in walk.scenes if scene.wall is not None]
    if as_json:
        told = {"folder": str(folder), "bytes": size, "videos": videos, "walls": walls}
        ends = {"faults": walk.faults, "left_out": walk.left_out}
        echo(json.dumps(told | ends, indent=2))
        return
    echo(f"{count_of(len(videos), 'video')}, {size / 1000:.0f} kB: {folder}")
    for what, found in (("Walls", walls), ("Ended by", walk.faults)):
        if found:
            echo(f"{what}: {', '.join(found)}")
    if walk.left_out:
        echo(f"Left out, since the format cannot hold them: {count_of(walk.left_out, 'response')}")
    quoted = shlex.quote(str(folder))
    echo(spell_commands(f"Look at what is in it: python -m agent record --show {quoted}"))
    echo(spell_commands(f"Play it back:          python -m agent record --expect {quoted}"))


def _skin(platform: Platform, switches: str | None) -> SiteConfig | None:
    from agent.run_config import SiteConfig

    if switches is None:
        return None
    given = {"speed": SKIN_SPEED, "motion": "instant", "skin": platform.name}
    return SiteConfig.model_validate(given | {"switches": switches.removeprefix("plain")})


def _hands(floor_s: float) -> SlowHands:
    import numpy as np

    from agent.run.pacing import PaceLimits, SlowHands
    from agent.run_config import HandPace

    pace = HandPace(floor_s=floor_s)
    return SlowHands(pace, PaceLimits(), 0, np.random.default_rng(), _local)


def _browser(options: dict[str, Any]) -> RunBrowser:
    from agent.drivers.web.browser import find_browser
    from agent.run.environment import RunBrowser
    from store.runs.data_folder import DataFolder

    data = DataFolder(options["data"])
    data.prepare()
    return RunBrowser(data, find_browser(options["browser"]), options["headed"])


def _local() -> datetime:
    return datetime.now().astimezone()


def _tell(videos: int) -> None:
    echo(f"… video {videos}", err=True)


def _expect(options: dict[str, Any], *, as_json: bool) -> None:
    from agent.cli.signals import interruptible
    from agent.doctor import expected_videos
    from agent.run_config import RunConfig
    from personas.library import find
    from store.jsonl.atomic import write_whole

    path: Path = options["expect"]
    approved = expected_videos.read_expected(path)
    config = RunConfig(persona=find("p01"), platform="recording", site=None, recording=path)
    played = interruptible(expected_videos.play_back(config, _browser(options), _hands(0)))
    told = played.as_dict()
    day = expected_videos.list_differences(expected_videos.read_described(path), played.videos)
    changes = expected_videos.list_changes(approved, told) if approved else []
    place = expected_videos.find_expected(path)
    write = approved is None or options["approve"]
    if write:
        text = json.dumps(told, indent=1, ensure_ascii=False)
        write_whole(place, f"{text}\n".encode("utf-8", "replace"))
    if as_json:
        echo(json.dumps(told | {"not_as_recorded": day, "changed": changes}, indent=2))
    else:
        _tell_reading(played, day, changes)
        again = f"python -m agent record --expect {shlex.quote(str(path))} --approve"
        kept = f"Not as approved in {place}. If it should be so, type: {again}"
        same = f"As approved in {place}." if not changes else kept
        echo(f"Read it, then keep it: {place}" if write else spell_commands(same))
    if changes and not write:
        sys.exit(1)


def _tell_reading(played: PlayedBack, day: list[str], changes: list[str]) -> None:
    for video in played.videos:
        echo(_line(video))
    echo(f"Walls: {', '.join(played.walls) or 'none'}.")
    if played.fault:
        echo(f"Ended by: {played.fault}.")
    for title, differences in (("Not as on the day", day), ("Not as approved", changes)):
        for each in differences:
            echo(f"{title}: {each}")


def _line(video: dict[str, Any]) -> str:
    marks = [name for name in ("ad", "live") if video[name]]
    length = "" if video["duration_s"] is None else f"{video['duration_s']:g} s"
    parts = [video["id"], video["author"], length, *marks, (video["caption"] or "")[:60]]
    return "  ".join(str(part) for part in parts if part)


def _show(path: Path, *, as_json: bool) -> None:
    """Print what a recording holds: whoever sends it should have seen this."""
    from agent.recordings.recording_file import read_recording

    recording = read_recording(path)
    addresses = Counter(one.answer.url for one in recording.answers)
    addresses.update(scene.address for scene in recording.scenes)
    parts = [one.answer for one in recording.answers]
    held: dict[str, Counter[str]] = {"texts": Counter(), "names": Counter(), "numbers": Counter()}
    for part in (*recording.inline, *parts, *recording.scenes):
        for kind, value in _values(part.model_dump(mode="json", exclude_defaults=True)):
            held[kind][value] += 1
    header = recording.header.model_dump(mode="json")
    if as_json:
        echo(json.dumps(header | {"addresses": addresses} | held, indent=2))
        return
    for name, value in header.items():
        echo(f"{name:<14} {value}")
    count = count_of(len(recording.answers), "response")
    echo(f"{count_of(len(recording.videos), 'video')}, {count}. Addresses:")
    _list_values(addresses)
    for title, kind in (("text", "texts"), ("name", "names"), ("number", "numbers")):
        echo(f"Every {title} that it holds:")
        _list_values(held[kind])


def _list_values(values: Counter[str]) -> None:
    for value, times in values.most_common():
        echo(f"{times:>6}  {' '.join(value.split())}")


def _values(line: Any) -> Iterator[tuple[str, str]]:
    """Give each text, name and number of a line, with its kind."""
    waiting = [line]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            yield from [("texts", node)] if node else []
        elif isinstance(node, dict):
            yield from (("names", name) for name in node)
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
        elif isinstance(node, int | float) and not isinstance(node, bool):
            yield "numbers", str(node)

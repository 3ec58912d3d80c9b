"""``python -m agent record``: a site's session as a file that plays back with the site gone."""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import browser_option, data_option, json_option
from store.terminal.printing import count_of, echo

if TYPE_CHECKING:
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
@click.option("--headed", is_flag=True, help="Show the browser's window.")
@click.option(
    "--show",
    type=click.Path(path_type=Path),
    help="List what a recording holds, each word and address of it.",
)
@click.option(
    "--expect",
    type=click.Path(path_type=Path),
    help="Play a recording back, and write what is read of it beside it, for a person to approve.",
)
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
    from agent.recordings.recording_file import NAME, pack_lines
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
    if walk.faults:
        sys.exit(1)


def _summarise(walk: RecordedWalk, folder: Path, size: int, *, as_json: bool) -> None:
    videos = [scene.described for scene in walk.scenes if scene.described is not None]
    walls = [scene.wall for scene in walk.scenes if scene.wall is not None]
    if as_json:
        told = {"folder": str(folder), "bytes": size, "videos": videos, "walls": walls}
        echo(json.dumps(told | {"faults": walk.faults}, indent=2))
        return
    echo(f"{count_of(len(videos), 'video')}, {size / 1000:.0f} kB: {folder}")
    for what, found in (("Walls", walls), ("Ended by", walk.faults)):
        if found:
            echo(f"{what}: {', '.join(found)}")
    echo(f"Look at what is in it: python -m agent record --show {folder}")
    echo(f"Play it back:          python -m agent record --expect {folder}")


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
    former = expected_videos.read_expected(path)
    config = RunConfig(persona=find("p01"), platform="recording", site=None, recording=path)
    played = interruptible(expected_videos.play_back(config, _browser(options), _hands(0)))
    told = played.as_dict()
    text = json.dumps(told, indent=1, ensure_ascii=False)
    write_whole(expected_videos.find_expected(path), f"{text}\n".encode())
    day = expected_videos.list_differences(expected_videos.read_described(path), played.videos)
    changes = expected_videos.list_differences(former["videos"], played.videos) if former else []
    if as_json:
        echo(json.dumps(told | {"not_as_recorded": day, "changed": changes}, indent=2))
        return
    for video in played.videos:
        echo(_line(video))
    echo(f"Walls: {', '.join(played.walls) or 'none'}.")
    if played.fault:
        echo(f"Ended by: {played.fault}.")
    for title, found in (("Not as on the day", day), ("Changed since the last time", changes)):
        for each in found:
            echo(f"{title}: {each}")
    echo(f"Read it, then keep it: {expected_videos.find_expected(path)}")


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
    words: Counter[str] = Counter()
    for scene in recording.scenes:
        for node in scene.nodes:
            words.update([node.text] if node.text else node.attributes.values())
    for one in recording.answers:
        words.update(_texts(one.answer.body))
        words.update([one.answer.request] if one.answer.request else [])
    for held in recording.inline:
        words.update(_texts(held.body))
    if as_json:
        told = recording.header.model_dump(mode="json")
        echo(json.dumps(told | {"addresses": addresses, "texts": words}, indent=2))
        return
    for name, value in recording.header.model_dump(mode="json").items():
        echo(f"{name:<14} {value}")
    count = count_of(len(recording.answers), "response")
    echo(f"{count_of(len(recording.videos), 'video')}, {count}. Addresses:")
    for address, times in addresses.most_common():
        echo(f"{times:>6}  {address}")
    echo("Every text that it holds:")
    for text, times in words.most_common():
        echo(f"{times:>6}  {' '.join(text.split())}")


def _texts(body: Any) -> list[str]:
    found: list[str] = []
    waiting = [body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            found.append(node)
        elif isinstance(node, dict):
            waiting += [*node, *node.values()]
        elif isinstance(node, list):
            waiting += node
    return [text for text in found if text]

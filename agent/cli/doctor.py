"""``python -m agent doctor``: is this machine ready, and if not, what to do."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import (
    adapter_option,
    browser_option,
    data_option,
    declare_headed,
    json_option,
)
from agent.drivers import DRIVERS
from store.terminal.command_words import spell_commands
from store.terminal.printing import Styled, count_of, echo

if TYPE_CHECKING:
    from agent.doctor.machine import DoctorCheck
    from agent.run.pacing import SlowHands
    from agent.run_config import RunConfig

NO_XVFB = "none; type: sudo apt-get install xvfb"
EPILOG = """
\b
Examples:
  python -m agent doctor
  python -m agent doctor --json
  python -m agent doctor --platform playground --videos 6
"""
PACE_S = 3.0
COST = "This watches {} for some seconds each, and the account's feed learns from it."


@click.command(epilog=EPILOG)
@click.option("--install-browser", is_flag=True, help="Install a browser where none is found.")
@click.option("--platform", help="Walk a few of its videos: does each capability hold?")
@click.option("--of", metavar="FOLDER", help="With --platform recording: what is played back.")
@click.option("--account", help="With --platform: watch with this account's profile.")
@click.option("--videos", type=click.IntRange(1, 50), default=24, show_default=True)
@declare_headed("With --platform: show the browser's window.")
@click.option("--skin", "switches", metavar="SWITCHES", hidden=True, help="Watch its skin instead.")
@click.option(
    "--driver",
    type=click.Choice(["playwright", "desktop"]),
    default="playwright",
    show_default=True,
    help="desktop: look for the player on the screen, and draw what was found.",
)
@click.option("--calibrate", is_flag=True, help="Desktop: show the player with the pointer.")
@adapter_option
@browser_option
@data_option
@json_option
def doctor(as_json: bool, **options: Any) -> None:
    """Check the browser, its codecs, the weights, the clips, the disk; say how to mend each.

    With --platform, walk a few videos of that site slowly, and tell of each capability whether it
    holds, fails or could not be told. Exit code 1: one fails. The report can be pasted into an
    issue: it names no video and nobody.
    """
    from agent.doctor import machine
    from agent.errors import BadConfig

    if options["install_browser"]:
        echo(f"browser: {machine.install_browser()}")
        if sys.platform == "linux":
            echo(f"screen for tests: {machine.install_display() or NO_XVFB}")
        return
    if options["platform"] is not None:
        _probe(options, as_json=as_json)
        return
    if options["adapter"] is not None:
        raise BadConfig("Which site is it of? Type: the same with --platform NAME")
    if options["calibrate"] and not DRIVERS[options["driver"]].on_screen:
        raise BadConfig("Only a desktop is calibrated. Type: --driver desktop --calibrate")
    found = []
    for check in _checks(options):
        found.append(check)
        if not as_json:
            _show(check)
    if as_json:
        echo(json.dumps([asdict(check) for check in found], indent=2))
    if any(check.needed and not check.ok for check in found):
        sys.exit(2)


def _probe(options: dict[str, Any], *, as_json: bool) -> None:
    from agent.doctor.machine import CODECS
    from agent.doctor.platform import probe_site
    from agent.drivers.web import browser as browsers
    from agent.platforms.canary import list_failures
    from agent.run.environment import RunBrowser
    from agent.run.site_canary import make_canary_record
    from store.runs.canary_log import append_canary
    from store.runs.data_folder import DataFolder

    config = _probe_config(options)
    data = DataFolder(options["data"])
    data.prepare()
    found = browsers.find_browser(options["browser"])
    sight = RunBrowser(data, found, options["headed"])
    _, codecs = asyncio.run(browsers.probe_browser(found, CODECS))
    live = config.site is None and config.recording is None
    if live:
        echo(COST.format(count_of(options["videos"], "video")), err=True)
    hands = _slow_hands(live=live)
    videos = _limit_videos(options["videos"], config.recording)
    walk = asyncio.run(probe_site(config, sight, videos, hands, _tell))
    verdicts = walk.verdicts(codecs)
    if walk.platform.live and config.recording is None:
        record = make_canary_record("probe", config, verdicts, datetime.now(UTC))
        append_canary(data, record.model_copy(update={"videos": walk.videos}))
    if as_json:
        told = {one.capability: {"verdict": one.verdict, "why": one.why} for one in verdicts}
        result = {"report": walk.report(codecs), "verdicts": told, "faults": walk.faults}
        echo(json.dumps(result, indent=2))
    else:
        echo(walk.report(codecs))
    if walk.faults or list_failures(verdicts):
        sys.exit(1)


def _probe_config(options: dict[str, Any]) -> RunConfig:
    """Return what is walked: a live site, the playground, or the playground in a site's skin."""
    from agent.errors import BadConfig
    from agent.platforms import load_platform
    from agent.run_config import RunConfig, SiteConfig
    from personas.library import find

    platform = load_platform(options["platform"], options["adapter"])
    if platform.recorded:
        raise BadConfig("A recorded run has no page. Type: python -m store show RUN")
    if platform.from_file != (options["of"] is not None):
        raise BadConfig("What is played back? Type: --platform recording --of FOLDER")
    site = SiteConfig() if platform.own_site else None
    if platform.live and options["switches"] is not None:
        switches = options["switches"].removeprefix("plain")
        site = SiteConfig.model_validate({"skin": platform.name, "switches": switches})
    return RunConfig(
        persona=find("p01"),
        platform=platform.name,
        account=options["account"],
        site=site,
        adapter=platform.adapter,
        recording=Path(options["of"]) if platform.from_file else None,
    )


def _limit_videos(asked: int, recording: Path | None) -> int:
    """Return how many videos are walked: of a recording no more than it holds."""
    from agent.recordings.recording_file import read_recording

    return asked if recording is None else min(asked, max(1, len(read_recording(recording).videos)))


def _slow_hands(*, live: bool) -> SlowHands:
    import numpy as np

    from agent.run.pacing import PaceLimits, SlowHands
    from agent.run_config import HandPace

    pace = HandPace(floor_s=PACE_S if live else 0)
    return SlowHands(pace, PaceLimits(), 0, np.random.default_rng(), _local)


def _tell(videos: int) -> None:
    echo(f"… video {videos}", err=True)


def _local() -> datetime:
    return datetime.now().astimezone()


def _checks(options: dict[str, Any]) -> Iterator[DoctorCheck]:
    from agent.doctor import machine

    if not DRIVERS[options["driver"]].on_screen:
        return machine.check_machine(options["data"], options["browser"])
    tell = partial(echo, err=True)
    return machine.check_desktop(options["data"], calibrate=options["calibrate"], tell=tell)


def _show(check: DoctorCheck) -> None:
    mark, colour = ("ok", "green") if check.ok else ("no", "red" if check.needed else "yellow")
    echo(Styled(f"{mark:>3}", colour), f"  {check.name:<20} {check.found}")
    if not check.ok:
        echo(f"     {spell_commands(check.fix)}")

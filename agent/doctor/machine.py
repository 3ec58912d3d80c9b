"""Looks at this machine, and says how to mend what a run lacks."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from agent.drivers.web import browser as browsers
from agent.drivers.web.browser import probe_browser
from agent.errors import AgentError, BadConfig
from agent.playground.errors import PlaygroundError
from store.errors import StoreError
from store.runs.data_folder import DataFolder

ENOUGH_DISK_GB = 2.0
CODECS = {"WebM/VP9": 'video/webm; codecs="vp9"', "MP4/H.264": 'video/mp4; codecs="avc1.42E01E"'}


@dataclass(frozen=True)
class DoctorCheck:
    """One thing that a run needs."""

    name: str
    ok: bool
    found: str
    fix: str = ""
    needed: bool = True
    """False: a run on the playground does without it."""


def check_machine(data: Path, named_browser: str | None) -> Iterator[DoctorCheck]:
    yield _python()
    yield from _browser(named_browser)
    yield _disk(data)
    yield _data(data)
    yield _timed("viewer's weights", _viewer, "make setup")
    yield _timed("playground's clips", _clips, "make setup")


def _python() -> DoctorCheck:
    version = ".".join(map(str, sys.version_info[:3]))
    return DoctorCheck(
        "Python", sys.version_info >= (3, 11), version, "Install Python 3.11 or newer."
    )


def _browser(named: str | None) -> Iterator[DoctorCheck]:
    try:
        browser = browsers.find_browser(named)
        version, plays = asyncio.run(probe_browser(browser, CODECS))
    except AgentError as error:
        yield DoctorCheck("browser", ok=False, found="none that starts", fix=str(error))
        return
    yield DoctorCheck("browser", ok=True, found=f"{browser.source} {version}, {browser.path}")
    for name, can in plays.items():
        webm = name.startswith("WebM")
        fix = "" if can else "Install Chrome: live sites play H.264, which this browser lacks."
        yield DoctorCheck(name, can, "plays" if can else "does not play", fix, needed=webm)


def _disk(data: Path) -> DoctorCheck:
    folder = data
    while not folder.exists():
        folder = folder.absolute().parent
    free = shutil.disk_usage(folder).free / 1e9
    fix = "Make room, or type: --data FOLDER on another disk"
    return DoctorCheck("disk", free > ENOUGH_DISK_GB, f"{free:.1f} GB free", fix)


def _data(data: Path) -> DoctorCheck:
    try:
        DataFolder(data).prepare()
    except StoreError as error:
        return DoctorCheck("data folder", ok=False, found=str(data), fix=str(error))
    return DoctorCheck("data folder", ok=True, found=str(data))


def _timed(name: str, work: Callable[[], str], fix: str) -> DoctorCheck:
    started = perf_counter()
    try:
        result = work()
    except (AgentError, PlaygroundError, StoreError, OSError, ImportError) as error:
        return DoctorCheck(name, ok=False, found=str(error), fix=fix)
    return DoctorCheck(name, ok=True, found=f"{result}, {perf_counter() - started:.1f} s")


def _viewer() -> str:
    from PIL import Image

    from store import encoders

    encoder = encoders.load("conse")
    encoder.images([Image.new("RGB", (360, 640), "grey")])
    return f"{encoder.id}, {encoder.dim} dimensions"


def _clips() -> str:
    from agent.playground import footage_summary

    return footage_summary()


def check_desktop(
    data: Path, *, calibrate: bool, tell: Callable[[str], None]
) -> Iterator[DoctorCheck]:
    from agent.drivers.desktop import player_calibration as calibration

    try:
        folder = DataFolder(data)
        folder.prepare()
        seen = asyncio.run(calibration.examine_screen(folder.root, tell, calibrate=calibrate))
    except (AgentError, StoreError) as error:
        yield DoctorCheck("screen", ok=False, found="not usable", fix=str(error))
        return
    yield DoctorCheck("screen", ok=True, found="{} x {}".format(*seen.size))
    esc = "ends a run" if seen.hears_esc else "cannot be heard"
    fix = "" if seen.hears_esc else "To stop, move the pointer into a corner of the screen."
    yield DoctorCheck("Esc", ok=seen.hears_esc, found=esc, fix=fix, needed=False)
    player = f"{seen.player}, drawn in {seen.picture}" if seen.player else f"none: {seen.picture}"
    yield DoctorCheck("player", seen.player is not None, player, calibration.NOT_FOUND)


def install_browser() -> str:
    """Install a browser where there is none: Playwright's own, else Debian's as root."""
    try:
        return str(browsers.find_browser().path)
    except BadConfig:
        pass  # none yet: that is what this function is for
    subprocess.run([sys.executable, "-P", "-m", "playwright", "install", "chromium"], check=False)
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        try:
            return str(browsers.find_browser().path)
        except BadConfig:
            subprocess.run(["apt-get", "update", "-qq"], check=False)
            subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], check=False)
    return str(browsers.find_browser().path)


def install_display() -> str | None:
    """Install Debian's Xvfb as root where it is missing; ``None`` where that failed."""
    if path := shutil.which("Xvfb"):
        return path
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "xvfb"], check=False)
    return shutil.which("Xvfb")

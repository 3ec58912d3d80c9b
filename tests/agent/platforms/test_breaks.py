"""What breaks around a run on a skin: a person's pause, a site that is gone, a killed browser."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from agent.errors import WallShown
from agent.run import start_or_resume
from agent.run.start_or_resume import LiveOptions, SilentWatcher
from store.runs.ledger_lines import Step
from tests.agent.platforms import running
from tests.agent.platforms.running import Told, check, watch

SITES = ("youtube", "tiktok", "instagram")


class Meddler(SilentWatcher):
    """Does something once, at a position; notes what the run waits for."""

    def __init__(self, at: int, meddle: Callable[[], None]) -> None:
        self.walls: list[WallShown] = []
        self._at, self._meddle = at, meddle

    def stepped(self, step: Step) -> None:
        if step.position == self._at:
            self._meddle()

    def waiting(self, wall: WallShown) -> None:
        self.walls.append(wall)


def meddled(
    monkeypatch: pytest.MonkeyPatch, meddler: Meddler, root: Path, platform: str, switches: str = ""
) -> Told:
    """Watch eight videos of a skin while somebody meddles, and a person answers the walls."""

    def patient(*words: object, **options: object) -> start_or_resume.RunFolder:
        place = start_or_resume.RunFolder(*words, **options)  # type: ignore[arg-type]
        return replace(place, live=LiveOptions(patient=True))

    monkeypatch.setattr(running, "SilentWatcher", lambda: meddler)
    monkeypatch.setattr(running, "RunFolder", patient)
    return watch(root, platform, 8, switches)


def children(name: str) -> list[psutil.Process]:
    """Processes below this one whose command line holds a word, and which are no helpers."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            words = process.cmdline()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if any(name in word for word in words) and not any("--type=" in word for word in words):
            found.append(process)
    return found


@pytest.mark.drill
@pytest.mark.parametrize("platform", SITES)
def test_a_run_waits_at_a_wall_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str
) -> None:
    meddler = Meddler(-1, lambda: None)
    told = meddled(monkeypatch, meddler, tmp_path, platform, "wall=error@2&answered=7000")
    assert told.fault is None
    assert meddler.walls
    assert all(fault.recovered for fault in told.ledger.faults)
    assert {fault.fault for fault in told.ledger.faults} == {"SiteFailed"}
    assert sum(step.eligible for step in told.steps) == 8


@pytest.mark.drill
@pytest.mark.parametrize("platform", SITES)
def test_a_killed_browser_costs_no_record(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str
) -> None:
    def kill() -> None:
        for process in children("chrom"):
            process.kill()

    told = meddled(monkeypatch, Meddler(3, kill), tmp_path, platform)
    assert told.fault is None
    assert "BrowserLost" in {fault.fault for fault in told.ledger.faults}
    assert sum(step.eligible for step in told.steps) == 8
    running.check_what_is_said(told, platform)


@pytest.mark.drill
@pytest.mark.parametrize("platform", ["youtube"])
@pytest.mark.timeout(200)
def test_a_site_that_is_gone_for_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str
) -> None:
    def cut() -> None:
        (site,) = children("agent.playground")
        os.kill(site.pid, signal.SIGSTOP)
        asyncio.get_running_loop().call_later(10, os.kill, site.pid, signal.SIGCONT)

    told = meddled(monkeypatch, Meddler(3, cut), tmp_path, platform)
    assert told.fault is None
    assert sum(step.eligible for step in told.steps) == 8
    running.check_what_is_said(told, platform)


def test_a_run_that_nothing_disturbs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = meddled(monkeypatch, Meddler(-1, lambda: None), tmp_path, "tiktok")
    check(told, "tiktok")
    assert told.ledger.faults == ()

"""Measures how the memory of a long run grows: this process, and its browser's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from agent.drivers.web import browser as browsers
from agent.run.start_or_resume import LiveOptions, RunFolder, SilentWatcher, execute_run
from agent.run_config import Dwell, RunConfig, SiteConfig
from personas.library import find
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import Step, Windows

EVERY = 25
WARM = 100
"""Videos before growth is looked at: caches fill first."""
MIB = 2**20


@dataclass
class Memory:
    """Samples over a run."""

    videos: list[int] = field(default_factory=list)
    python_mib: list[float] = field(default_factory=list)
    browser_mib: list[float] = field(default_factory=list)
    """Proportional share of all processes of the browser, where the system tells it."""
    processes: list[int] = field(default_factory=list)

    def growth(self, samples: list[float]) -> float:
        """MiB per 1,000 videos: least squares over the samples after the first ``WARM`` videos."""
        kept = np.array(self.videos) >= WARM
        return float(np.polyfit(np.array(self.videos)[kept], np.array(samples)[kept], 1)[0] * 1000)

    def as_dict(self) -> dict[str, Any]:
        return {
            "videos": self.videos[-1],
            "python_mib": round(max(self.python_mib)),
            "python_growth_mib_per_1000": round(self.growth(self.python_mib), 1),
            "browser_mib": round(max(self.browser_mib)),
            "browser_growth_mib_per_1000": round(self.growth(self.browser_mib), 1),
            "browser_processes": max(self.processes),
        }


class _Enough(Exception):
    """As many videos were swiped through as were asked for."""


class _Sampler(SilentWatcher):
    def __init__(self, videos: int, tell: Callable[[str], None]) -> None:
        self.memory = Memory()
        self._videos = videos
        self._tell = tell
        self._self = psutil.Process()

    def stepped(self, step: Step) -> None:
        if step.position >= self._videos:
            raise _Enough
        if step.position % EVERY:
            return
        browser = [
            process for process in self._self.children(recursive=True) if _is_browser(process)
        ]
        memory = self.memory
        memory.videos.append(step.position)
        memory.python_mib.append(self._self.memory_info().rss / MIB)
        memory.browser_mib.append(sum(_share(process) for process in browser) / MIB)
        memory.processes.append(len(browser))
        self._tell(
            f"{step.position} videos: Python {memory.python_mib[-1]:.0f} MiB, "
            f"browser {memory.browser_mib[-1]:.0f} MiB in {len(browser)} processes"
        )


def _is_browser(process: psutil.Process) -> bool:
    try:
        return "chrom" in process.name().lower()
    except psutil.NoSuchProcess:
        return False


def _share(process: psutil.Process) -> int:
    """Bytes of a process. Pages that several share are divided among them where that is told."""
    try:
        used = process.memory_full_info()
        return int(getattr(used, "pss", 0) or used.rss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0


def measure_memory(
    root: Path,
    found: browsers.BrowserBinary,
    videos: int,
    renew_after: int,
    tell: Callable[[str], None],
) -> Memory:
    """Swipe through so many videos of the TikTok skin, and sample memory on the way.

    The browser is opened anew after ``renew_after`` videos; 0: never.
    """
    data = DataFolder(root)
    data.prepare()
    config = RunConfig(  # the feed repeats, and repeats fill no window: the sampler ends the run
        persona=find("p12"),
        platform="tiktok",
        model="scripted/no",
        windows=Windows(before=videos, after=0),
        dwell=Dwell(stay_s=1.0, swipe_s=0.2),
        site=SiteConfig(feed="random", skin="tiktok", motion="instant"),
    )
    place = RunFolder(data, found, encoder=None, live=LiveOptions(renew_after=renew_after))
    sampler = _Sampler(videos, tell)
    with suppress(_Enough):
        asyncio.run(execute_run(config, place, sampler, lambda: datetime.now(UTC)))
    return sampler.memory

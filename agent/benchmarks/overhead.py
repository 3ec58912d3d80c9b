"""Measures what a step costs beside model, dwell and the site's own animation.

Runs blocks of feedsway steps and blocks of a bare Playwright loop by turns on the same page of the
playground, so that a noisy machine disturbs both alike.
"""

from __future__ import annotations

import asyncio
import base64
import statistics
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import nan
from pathlib import Path
from time import perf_counter
from typing import Any

from playwright.async_api import CDPSession, Page, async_playwright

from agent.drivers.web import browser as browsers
from agent.playground.catalogue import load_catalogue
from agent.playground.clip_maker import Workshop
from agent.playground.clips import ClipStore, default_cache
from agent.playground.recommend import History, Settings, Shelf, next_batch
from agent.run.playground_process import PlaygroundSite
from agent.run.start_or_resume import RunFolder, SilentWatcher, execute_run
from agent.run_config import Dwell, RunConfig, SiteConfig
from personas.library import find
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.runs.ledger_lines import Windows

SEED, VISITOR, BATCHES = 1, "visitor", 4
"""Both loops are served the same videos, and never more than these batches of them."""
STAGES = ("capture", "describe", "write", "settle", "move")
FIND = """() => {
  for (const video of document.querySelectorAll('video')) {
    const b = video.getBoundingClientRect();
    if (b.height && b.top > -b.height / 2 && b.top < innerHeight / 2 && !video.paused)
      return {x: b.left, y: b.top, width: b.width, height: b.height, key: location.pathname};
  }
}"""
CHANGED = """key => {
  if (location.pathname === key) return false;
  for (const video of document.querySelectorAll('video')) {
    const b = video.getBoundingClientRect();
    if (b.top > -b.height / 2 && b.top < innerHeight / 2)
      return !video.paused && video.readyState >= 3 && video.currentTime > 0;
  }
}"""


@dataclass
class Overhead:
    """Milliseconds of wall time per step."""

    bare: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Medians, the ratio, and where the time goes."""
        bare, ours = statistics.median(self.bare), statistics.median(self.ours)
        return {
            "steps": {"bare": len(self.bare), "feedsway": len(self.ours)},
            "bare_ms": round(bare, 1),
            "feedsway_ms": round(ours, 1),
            "ratio": round(ours / bare, 2),
            "stages_ms": {
                name: round(statistics.median(values), 1) for name, values in self.stages.items()
            },
        }


def measure_overhead(
    data: Path, browser: browsers.BrowserBinary, rounds: int, tell: Callable[[str], None]
) -> Overhead:
    """Measure ``rounds`` blocks of each loop, by turns, 25 videos a block."""
    _make_clips(tell)
    overhead = Overhead()
    for number in range(1, rounds + 1):
        overhead.bare += asyncio.run(_bare_block(data / f"bare-{number}", browser, 25))
        _ours_block(data / f"ours-{number}", browser, 25, overhead)
        tell(f"block {number} of {rounds}: {overhead.as_dict()}")
    return overhead


def _make_clips(tell: Callable[[str], None]) -> None:
    """Make every clip that is shown first, so that making them disturbs neither loop."""
    shelf, site = Shelf(load_catalogue()), _site()
    settings, served = Settings(site.feed, site.gain, SEED), list[int]()
    for batch in range(BATCHES):
        nothing = History(served, [nan] * len(served), [False] * len(served))
        served += next_batch(shelf, settings, VISITOR, batch, nothing)
    workshop = Workshop(ClipStore(default_cache()), tell)
    workshop.start({shelf.catalogue.items[number] for number in served})
    workshop.wait()
    workshop.stop()


def _site() -> SiteConfig:
    return SiteConfig(feed="random", motion="instant")


async def _bare_block(state: Path, browser: browsers.BrowserBinary, videos: int) -> list[float]:
    async with AsyncExitStack() as stack:
        site = PlaygroundSite(_site(), SEED, state)
        stack.push_async_callback(site.stop)
        url = await site.start()
        playwright = await stack.enter_async_context(async_playwright())
        opened = await browsers.launch_browser(playwright, browser, headed=False)
        stack.push_async_callback(opened.close)
        page = await opened.new_page(viewport={"width": 1280, "height": 800})
        devtools = await page.context.new_cdp_session(page)
        await page.goto(f"{url}?visitor={VISITOR}")
        await page.wait_for_function(CHANGED, arg="/")
        return [await _bare_step(page, devtools) for _ in range(videos)]


async def _bare_step(page: Page, devtools: CDPSession) -> float:
    started = perf_counter()
    found = await page.evaluate(FIND)
    key = found.pop("key")
    shot = await devtools.send(
        "Page.captureScreenshot", {"format": "jpeg", "clip": {**found, "scale": 1}}
    )
    base64.b64decode(shot["data"])
    await page.keyboard.press("ArrowDown")
    await page.wait_for_function(CHANGED, arg=key)
    return (perf_counter() - started) * 1000


def _ours_block(
    data: Path, browser: browsers.BrowserBinary, videos: int, overhead: Overhead
) -> None:
    config = RunConfig(
        persona=find("p12"),
        model="scripted/no",
        site=_site(),
        windows=Windows(before=videos, after=0),
        dwell=Dwell(swipe_s=0.01),
    )
    place = RunFolder(data=DataFolder(data), browser=browser)
    run_id = asyncio.run(execute_run(config, place, SilentWatcher(), lambda: datetime.now(UTC)))
    for step in read(place.data.ledger_path(run_id)).steps:
        if step.move is not None:
            overhead.ours.append(step.timings_ms["overhead"])
            for stage in STAGES:
                overhead.stages.setdefault(stage, []).append(step.timings_ms.get(stage, 0.0))

"""Pages that get in the way: forged players, replaced rules, pop-ups, downloads, dialogs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import perf_counter

import pytest

from agent.drivers.web.driver import PlaywrightDriver
from tests.agent.drivers.conftest import FEED
from tests.agent.drivers.web.test_driver import SPEED, drive
from tests.agent.serving import serving
from tests.slow_cases import drills_but

FORGERY = """
<img hidden name="querySelectorAll"><img hidden name="scrollingElement"><i id="__feedsway"></i>
<script>
  // What a page may do to any script that runs among its own.
  window.seen = Object.getOwnPropertyNames(window).filter((name) => /feedsway/i.test(name));
  const lie = { arrive: () => ({}), begin: () => ({ number: 1 }), answer: () => ({ value: {} }) };
  Object.defineProperty(window, "__feedsway", { value: lie, configurable: false });
  for (const [owner, name, value] of [
    [HTMLMediaElement.prototype, "currentTime", 4000], [HTMLMediaElement.prototype, "paused", true],
    [HTMLMediaElement.prototype, "played", { length: 0 }],
    [HTMLVideoElement.prototype, "videoWidth", 0],
  ]) Object.defineProperty(owner, name, { get: () => value, set() {} });
  HTMLMediaElement.prototype.pause = () => {};
  Element.prototype.getBoundingClientRect = () => new DOMRect();
  Promise.prototype.then = Array.prototype.filter = undefined;
  performance.now = () => 0;
  setInterval(() => {
    for (const video of document.getElementsByTagName("video"))
      for (const kind of ["emptied", "play", "seeking"]) video.dispatchEvent(new Event(kind));
  }, 5);
</script>"""
NUISANCE = """
<script>
  const link = document.createElement("a");
  Object.assign(link, { href: "data:x/y,file", download: "file" });
  // A key that is sent while a dialog is open is lost; the feed is then moved in another way.
  addEventListener("scrollend", () => { window.open("/popup.html"); link.click(); }, true);
  setInterval(() => alert("Win a prize"), 100);
</script>"""


def page_of(folder: Path, clips: Path, more: str) -> None:
    for clip in clips.glob("clip*.webm"):
        (folder / clip.name).symlink_to(clip)
    (folder / "popup.html").write_text("<title>popup</title>", encoding="utf-8")
    page = FEED.read_text(encoding="utf-8") + more
    (folder / "index.html").write_text(page, encoding="utf-8")


def test_a_page_can_neither_see_nor_replace_the_rules(clips: Path, tmp_path: Path) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(url)
        page = driver._open_page()
        assert await page.evaluate("window.seen") == []
        for number in range(3):
            assert (shown.id, shown.shown, shown.box.width) == (f"v{number}", True, 270)
            assert shown.exposure_s < 30 * SPEED
            asked = shown.exposure_s + 3.0
            played = await driver.watch(shown, asked, then_hold=True)
            assert asked <= played < asked + 2.0 * SPEED  # two seconds late on a busy machine
            assert (await driver.capture(shown)).time_s < 6.1  # the clip's own clock
            shown = (await driver.next(shown)).shown
            assert shown.moved == 1

    page_of(tmp_path, clips, FORGERY)
    with serving(tmp_path) as url:
        drive(scenario)


@pytest.mark.parametrize("profile", drills_but([False], [False, True]))
def test_popups_downloads_and_dialogs_are_noted_and_go(
    clips: Path, tmp_path: Path, profile: bool
) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(url)
        for _ in range(3):
            shown = (await driver.next(shown)).shown
        assert shown.id == "v3"
        context = driver._open_page().context
        noted: set[str] = set()
        until = perf_counter() + 120  # the browser tells of them when it comes to it
        while not {"popup", "download", "dialog"} <= noted:
            assert perf_counter() < until, noted
            await asyncio.sleep(0.05)
            noted |= {event.kind for event in driver.events()}
        for popup in context.pages[1:]:  # the last one may be closing still
            if not popup.is_closed():
                await popup.wait_for_event("close")
        assert len(context.pages) == 1

    site = tmp_path / "site"
    site.mkdir()
    page_of(site, clips, NUISANCE)
    with serving(site) as url:
        drive(scenario, **({"profile": tmp_path / "profile"} if profile else {}))

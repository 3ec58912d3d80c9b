"""Who is believed about the feed: the main frame and the platform's own hosts, nobody else."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from time import perf_counter

import pytest

from agent.drivers.base import SiteAnswer
from agent.drivers.web import browser as browsers
from agent.drivers.web.browser import BrowserWindow
from agent.drivers.web.driver import PageTimeouts, PlaywrightDriver
from agent.drivers.web.page_events import PageReports
from agent.platforms import load_platform
from agent.platforms.playground import HOOKS
from tests.agent.drivers.conftest import FEED
from tests.agent.serving import serving

FRAME = """<script>
  fetch("{address}", {{ mode: "no-cors" }}).then(() => parent.postMessage("asked", "*"));
</script>"""
MAIN = """
<iframe src="{other}ad.html"></iframe><iframe src="{other}at.html"></iframe>
<iframe src="/frame.html"></iframe>
<script>
  window.told = 0;
  window.onmessage = () => told += 1;
  const tell = (address, sent) =>
    fetch(address, {{ mode: "no-cors", ...sent }}).then(() => told += 1);
  tell("/api/feed?place=0").then(() => tell("{other}api/feed"));
  tell("/api/feed/none", {{ method: "POST", body: "videoId=v0" }});
</script>"""
LIMITS = PageTimeouts(navigation=10, change=1.0, show=4.0)


def items(author: str) -> str:
    """What the playground's feed answers: one item, by an author."""
    return json.dumps({"items": [{"id": "v0", "author": {"uniqueId": author}, "isAd": True}]})


def answers_on(folder: Path, author: str) -> None:
    (folder / "api").mkdir(parents=True)
    (folder / "api" / "feed").write_text(items(author), encoding="utf-8")


def test_an_advertisement_s_frame_cannot_write_a_video(clips: Path, tmp_path: Path) -> None:
    """Forgeries: foreign frames, a frame of the site's own, and an answer of another host."""
    site, stranger = tmp_path / "site", tmp_path / "stranger"
    answers_on(site, "the site")
    answers_on(stranger, "a stranger")
    (site / "clip0.webm").symlink_to(clips / "clip0.webm")
    heard: list[SiteAnswer] = []

    async def run() -> list[str]:
        window = BrowserWindow(browsers.find_browser(), speed=16, json_from=("/api/feed",))
        driver = PlaywrightDriver(window, HOOKS, heard.append, LIMITS)
        try:
            began = perf_counter()
            shown = await driver.open(own)
            await driver.watch(shown, shown.exposure_s + 8)
            await driver._open_page().wait_for_function("() => window.told === 6")
            await driver._reports.settle()
            answered = perf_counter()
            assert all(began < (answer.requested_s or 0) < answered for answer in heard)
            return [event.message for event in driver.events() if event.kind == "foreign answer"]
        finally:
            await driver.close()

    with serving(stranger) as other, serving(site) as own:
        pages = {
            stranger / "ad.html": FRAME.format(address="/api/feed"),
            stranger / "at.html": FRAME.format(address=f"{own}api/feed"),
            site / "frame.html": FRAME.format(address="/api/feed"),
            site / "index.html": FEED.read_text(encoding="utf-8") + MAIN.format(other=other),
        }
        for path, page in pages.items():
            path.write_text(page, encoding="utf-8")
        noted = asyncio.run(run())
    feed = load_platform("playground")
    told = [video.author for answer in heard for video in feed.parse(answer)]
    assert told == ["the site"]
    assert {answer.origin for answer in heard} == {own.rstrip("/")}
    assert {answer.request for answer in heard} == {None, "videoId=v0"}
    assert sorted(noted) == sorted(f"{url}api/feed was not believed" for url in (own, other))


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("https://www.tiktok.com/api/recommend/item_list/", True),
        ("https://tiktok.com/", True),
        ("https://m.tiktok.com/", True),
        ("http://www.tiktok.com/", False),
        ("https://nottiktok.com/", False),
        ("https://tiktok.com.example/", False),
        ("https://tiktok.com@example.org/", False),
        ("https://example.org/tiktok.com/api/recommend/item_list/", False),
        ("http://127.0.0.1:80/", True),
        ("http://127.0.0.1:81/", False),
        ("about:blank", False),
    ],
)
def test_a_host_is_the_platform_s_by_its_end_only(address: str, own: bool) -> None:
    window = BrowserWindow(
        browsers.BrowserBinary(None, "none"), hosts=load_platform("tiktok").hosts
    )
    reports = PageReports(window, lambda _: None)
    reports.opening("http://127.0.0.1:80/foryou")
    assert reports._is_own(address) is own

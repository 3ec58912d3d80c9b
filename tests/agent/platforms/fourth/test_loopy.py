"""The made-up site is watched like any other, by an adapter of under 100 lines."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.drivers.base import SiteAnswer
from agent.drivers.web import browser as browsers
from agent.drivers.web.browser import BrowserWindow
from agent.drivers.web.driver import PageTimeouts, PlaywrightDriver
from agent.platforms.base import Feed
from store.runs.ledger_lines import Video
from tests.agent.platforms.fourth.loopy import PLATFORM, parse
from tests.agent.serving import serving

HERE = Path(__file__).parent
VIDEOS = 12
AD, LIVE = 5, 9


def loop(number: int) -> dict[str, Any]:
    return {
        "key": f"lp-{number:03}",
        "by": {"handle": f"someone{number}"},
        "hearts": f"{number}.5K",
        "text": f"loop number {number} #tag{number}",
        "length_ms": 6000,
        "promoted": number == AD,
        "on_air": number == LIVE,
    }


@pytest.fixture(scope="module")
def loopy_url(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("loopy")
    for clip in clips.glob("*.webm"):
        (folder / clip.name).symlink_to(clip)
    pages = {
        at: {"loops": [loop(number) for number in range(at, at + 8)]} for at in range(0, 40, 8)
    }
    (folder / "v2" / "loops").mkdir(parents=True)
    for at, page in pages.items():
        (folder / "v2" / "loops" / f"{at}.json").write_text(json.dumps(page), encoding="utf-8")
    html = (HERE / "loopy.html").read_text(encoding="utf-8")
    html = html.replace("{first}", json.dumps(pages[0]))
    (folder / "index.html").write_text(html, encoding="utf-8")
    with serving(folder) as url:
        yield url


@pytest.mark.drill
def test_every_loop_is_seen_once_with_every_field_right(loopy_url: str) -> None:
    seen: list[Video] = []

    async def run() -> None:
        feed = Feed(PLATFORM)
        window = BrowserWindow(browsers.find_browser(), speed=16, json_from=PLATFORM.json_from)
        driver = PlaywrightDriver(window, PLATFORM.hooks, feed.take, PageTimeouts(navigation=10))
        try:
            shown = await driver.open(loopy_url)
            for number in range(VIDEOS):
                assert shown.shown
                assert shown.moved == (1 if number else None)
                feed.position = number
                seen.append(feed.describe(shown))
                shown = (await driver.next(shown)).shown
        finally:
            await driver.close()

    asyncio.run(run())
    for number, video in enumerate(seen):
        told = loop(number)
        assert (video.id, video.author) == (told["key"], told["by"]["handle"])
        assert (video.caption, video.hashtags) == (told["text"], (f"tag{number}",))
        assert (video.likes, video.duration_s) == (number * 1000 + 500, 6.0)
        assert (video.ad, video.live) == (number == AD, number == LIVE)
        assert (video.batch, video.url) == (number // 8, f"https://loopy.example/l/{video.id}")
        assert video.sources["caption"] == ("inline" if number < 8 else "network")


def test_the_adapter_is_short() -> None:
    assert len((HERE / "loopy.py").read_text(encoding="utf-8").splitlines()) < 100


LOOPS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["loops", "text", "by", "handle", "hearts"]), inner),
        st.builds(lambda rest: {"key": "lp-1", "text": rest, "by": rest, "hearts": rest}, inner),
    ),
    max_leaves=30,
)


@pytest.mark.drill
@settings(max_examples=150, deadline=None)
@given(body=st.builds(lambda inner: {"loops": inner}, LOOPS) | LOOPS)
def test_it_takes_any_json(body: Any) -> None:
    assert all(
        video.id == "lp-1" for video in parse(SiteAnswer("https://loopy.example/v2/loops", body))
    )


def test_the_example_of_the_page_is_an_adapter() -> None:
    page = HERE.parents[3] / "docs" / "adding-a-platform.md"
    (example,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    module: dict[str, Any] = {}
    exec(example, module)
    found = module["PLATFORM"].parse(
        SiteAnswer("https://clips.example/api/clips", [{"clip": "a", "words": 1}])
    )
    assert [(video.id, video.caption) for video in found] == [("a", None)]

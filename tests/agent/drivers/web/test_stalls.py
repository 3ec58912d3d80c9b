"""A page that stalls at 16x, one that reloads itself, and likes that are there already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.drivers.base import Wall
from agent.drivers.web import driver as playwright
from agent.drivers.web.driver import PlaywrightDriver
from agent.errors import ChallengeShown
from agent.platforms.playground import HOOKS
from tests.agent.drivers.conftest import FEED
from tests.agent.drivers.web.test_driver import SHORT, drive
from tests.agent.serving import make_clips, serving
from tests.slow_cases import drills_but

RULES = Path(playwright.__file__)
STALL = """<script>
  const stall = (ms) => { const end = performance.now() + ms; while (performance.now() < end); };
  document.addEventListener("play", () => setTimeout(() => stall(500), 50), true);
</script>"""
WAIT = """<script>
  const times = Number(sessionStorage.times || 0);
  if (times < %d) {
    sessionStorage.times = times + 1;
    document.write("<h1 id=wait style='position:fixed;inset:0'>Please wait...</h1>");
    setTimeout(() => location.reload(), 700);
  }
</script>"""
GUARDED = replace(HOOKS, walls=(Wall("challenge", texts=(("#wait", "^please wait"),)),))
LIKED = {
    "label": '<button class="heart" aria-label="Unlike video"><svg width="20" height="20"></svg>',
    "class": '<button class="heart is-liked">like</button>',
    "state": '<button class="heart" data-liked="true">like</button>',
    "inner": '<button class="heart"><span aria-pressed="true">like</span></button>',
    "fill": '<button class="heart"><svg width="20" height="20">'
    '<path d="M0 0h20v20z" fill="rgb(254,44,85)"/></svg></button>',
}


@pytest.mark.drill
def test_what_plays_while_the_page_stalls_is_counted(tmp_path: Path) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(url)
        played = await driver.watch(shown, shown.exposure_s + 3.0, then_hold=True)
        clock = "document.querySelector('video').currentTime"
        assert played == pytest.approx(await driver._open_page().evaluate(clock), abs=0.5)
        assert played - shown.exposure_s > 5.0  # 500 ms at this speed are 8 s

    make_clips(tmp_path, ["testsrc2=size=270x480:rate=15:duration=80"] * 4)
    (tmp_path / "index.html").write_text(STALL + FEED.read_text(encoding="utf-8"), "utf-8")
    with serving(tmp_path) as url:
        drive(scenario)


LEAPS = """
(() => {
    const video = document.createElement("video");
    const now = { currentTime: 1, paused: false, seeking: false, played: { length: 0 } };
    for (const name of Object.keys(now))
        Object.defineProperty(video, name, { get: () => now[name] });
    const { meter } = globalThis.__feedswayMeter;
    const read = (change) => { Object.assign(now, change); return meter(video).played; };
    return [
        read({}), read({ currentTime: 3 }), read({ currentTime: 4, paused: true }),
        read({ currentTime: 5 }), read({ currentTime: 9, seeking: true }), read({ seeking: false }),
    ];
})()
"""
"""Of a player that nobody seeks until its last two readings; it is paused at the third."""


def test_a_clock_that_stands_and_leaps_has_played_and_a_sought_one_has_not(feed_url: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        await driver.open(feed_url)
        rules = [
            RULES.with_name(name).read_text("utf-8") for name in ("dom.js", "playback_meter.js")
        ]
        played = await driver._open_page().evaluate("\n".join([*rules, LEAPS]))
        assert played == [0, 2, 3, 4, 4, 4]

    drive(scenario)


@pytest.mark.parametrize("reloads", [3, pytest.param(1000, marks=pytest.mark.drill)])
def test_a_page_that_says_please_wait_counts_after_its_grace(
    clips: Path, tmp_path: Path, reloads: int
) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        if reloads == 3:
            assert (await driver.open(url)).id == "v0"
        else:
            with pytest.raises(ChallengeShown):
                await driver.open(url)

    for clip in clips.glob("clip*.webm"):
        (tmp_path / clip.name).symlink_to(clip)
    page = FEED.read_text(encoding="utf-8").replace("<body>", "") + WAIT % reloads
    (tmp_path / "index.html").write_text(page, encoding="utf-8")
    with serving(tmp_path) as url:
        drive(scenario, hooks=GUARDED, limits=replace(SHORT, grace=12.0, navigation=20))


@pytest.mark.parametrize("mark", drills_but(["label", "fill"], LIKED))
def test_what_is_liked_already_is_not_clicked(clips: Path, tmp_path: Path, mark: str) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        await driver.open(url)
        assert await driver.like() is (mark != "fill")  # a colour alone proves nothing
        assert await driver._open_page().evaluate("window.clicks || 0") == 0

    for clip in clips.glob("clip*.webm"):
        (tmp_path / clip.name).symlink_to(clip)
    more = f"""{LIKED[mark]}<script>document.querySelector(".heart").onclick =
        () => window.clicks = (window.clicks || 0) + 1;</script>"""
    (tmp_path / "index.html").write_text(FEED.read_text(encoding="utf-8") + more, "utf-8")
    with serving(tmp_path) as url:
        drive(scenario, hooks=replace(HOOKS, like_buttons=(".heart",)))

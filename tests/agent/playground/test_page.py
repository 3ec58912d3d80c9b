"""The page in a real browser: moves, watch time, marks, likes."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import imageio_ffmpeg
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from agent.playground.fiducial_marker import read_mark
from tests.agent.playground.site import Site, small_catalogue
from tests.slow_cases import drills_but

Begin = Callable[..., Site]

PROGRAM = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
]
SHOWN = """() => {
    const card = document.querySelector("[data-active]");
    const video = card && card.querySelector("video");
    const box = video && video.getBoundingClientRect();
    const settled = box && Math.abs((box.top + box.bottom) / 2 - innerHeight / 2) < 1;
    return settled && video.readyState >= 3 && !video.paused && video.currentTime > 0.1;
}"""
ACTIVE = """() => {
    const card = document.querySelector("[data-active]");
    return { id: card.dataset.videoId, index: Number(card.dataset.index) };
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        arguments = [*QUIET, "--no-sandbox"] if root else QUIET
        opened = playwright.chromium.launch(executable_path=PROGRAM, args=arguments)
        yield opened
        opened.close()


class Visit:
    """A page with everything that it asked for and complained about."""

    def __init__(self, browser: Browser, site: Site, **context: Any) -> None:
        self.site = site
        options = {"viewport": {"width": 1280, "height": 800}} | context
        self.context = browser.new_context(**options)
        self.context.add_cookies([{"name": "visitor", "value": site.visitor, "url": site.url}])
        self.page: Page = self.context.new_page()
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.goto(site.url)
        self.shown()

    def shown(self) -> dict[str, Any]:
        """Wait until the active video plays in its place."""
        self.page.wait_for_function(SHOWN, timeout=15_000)
        return self.active()

    def at(self, index: int) -> None:
        """Wait until a place is active."""
        self.page.wait_for_function(
            "index => document.querySelector('[data-active]').dataset.index == index", arg=index
        )

    def active(self) -> dict[str, Any]:
        return dict(self.page.evaluate(ACTIVE))

    def picture(self) -> Image.Image:
        """Screenshot of the active video, as JPEG."""
        box = self.page.locator("[data-active] video").bounding_box()
        assert box
        taken = self.page.screenshot(type="jpeg", quality=80, clip=box)
        return Image.open(io.BytesIO(taken))

    def leave(self) -> None:
        self.context.close()
        assert self.hosts == {urlsplit(self.site.url).netloc}
        assert self.complaints == []


def reports(state: Path) -> list[dict[str, Any]]:
    """What the site kept of one visitor, watch by watch."""
    (path,) = state.glob("*.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line["watch"] for line in lines if "watch" in line]


@pytest.mark.parametrize("motion", drills_but(["instant"], ["smooth", "instant"]))
def test_forty_presses_move_exactly_one_each(browser: Browser, site: Begin, motion: str) -> None:
    visit = Visit(browser, site("--motion", motion, "--speed", "4"))
    numbers = {item.id: item.number for item in small_catalogue().items}
    before = visit.active()
    for press in range(40):
        visit.page.keyboard.press("ArrowDown")
        now = visit.active()  # at once: the press has already taken effect
        assert now["index"] == before["index"] + 1
        assert urlsplit(visit.page.url).path == f"/v/{now['id']}"
        if press % 4 == 0:
            assert visit.shown() == now
            assert read_mark(visit.picture()) == numbers[now["id"]]
        before = now
    assert visit.page.evaluate("document.querySelectorAll('video').length") <= 4
    assert visit.shown()["index"] == 40
    visit.leave()


def test_quick_presses_during_a_slide_are_neither_lost_nor_doubled(
    browser: Browser, site: Begin
) -> None:
    visit = Visit(browser, site())
    visit.page.evaluate(
        """() => { for (let i = 0; i < 3; i++)
            dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown" })); }"""
    )
    assert visit.shown()["index"] == 3
    visit.page.keyboard.down("ArrowDown")
    visit.page.keyboard.down("ArrowDown")  # a held key repeats
    visit.page.keyboard.up("ArrowDown")
    assert visit.shown()["index"] == 4
    visit.leave()


def test_every_way_to_move(browser: Browser, site: Begin) -> None:
    visit = Visit(browser, site("--speed", "4"))
    page = visit.page
    page.mouse.move(640, 400)
    moves: list[tuple[Callable[[], Any], int]] = [
        (lambda: page.keyboard.press("PageDown"), 1),
        (lambda: page.keyboard.press("j"), 2),
        (lambda: page.keyboard.press("k"), 1),
        (lambda: page.keyboard.press("ArrowUp"), 0),
        (lambda: page.keyboard.press("ArrowUp"), 0),
        (lambda: page.locator("button[aria-label='Next video']").click(), 1),
        (lambda: page.locator("button[aria-label='Previous video']").click(), 0),
        (lambda: page.mouse.wheel(0, 900), 1),
        (lambda: page.evaluate("feed.scrollBy(0, feed.clientHeight)"), 2),
    ]
    for move, expected in moves:
        move()
        visit.at(expected)
        assert visit.shown()["index"] == expected
    visit.leave()


def test_one_gesture_of_many_wheel_events_is_one_move(browser: Browser, site: Begin) -> None:
    visit = Visit(browser, site())
    visit.page.evaluate(
        """async () => { for (let i = 0; i < 20; i++) {
            const init = { deltaY: 60 - 3 * i, cancelable: true, bubbles: true };
            feed.dispatchEvent(new WheelEvent("wheel", init));
            await new Promise(requestAnimationFrame);
        } }"""
    )
    assert visit.shown()["index"] == 1
    visit.leave()


def ended_reports(page: Page, state: Path, index: int) -> list[dict[str, Any]]:
    """Wait until the last report of a view has reached the site, and return them all."""
    for _ in range(100):
        kept = [report for report in reports(state) if report["index"] == index]
        if kept and kept[-1]["ended_by"] is not None:
            break
        page.wait_for_timeout(50)
    return kept


@pytest.mark.parametrize("speed", drills_but([1], [1, 8]))
def test_watch_time_is_what_the_player_played(
    browser: Browser, site: Begin, tmp_path: Path, speed: int
) -> None:
    visit = Visit(browser, site("--speed", str(speed), "--motion", "instant"))
    page = visit.page
    wanted = 2.2 * speed  # beyond a whole length at 8
    for index in range(2):
        visit.shown()
        # an independent count, to the end: frames that the player presented, by their media time
        page.evaluate(
            """() => {
                const video = document.querySelector("[data-active] video");
                let last = video.currentTime;
                window.played = last;
                const count = () => {
                    const now = video.currentTime;
                    window.played += now >= last ? now - last : now + video.duration - last;
                    last = now;
                    if (!video.paused) requestAnimationFrame(count);
                };
                count();
            }"""
        )
        page.wait_for_function("wanted => window.played > wanted", arg=wanted)
        page.keyboard.press(" ")
        page.wait_for_function("() => document.querySelector('[data-active] video').paused")
        page.wait_for_timeout(300)  # a pause must count nothing
        played = page.evaluate("() => window.played")
        page.keyboard.press("ArrowDown")
        visit.at(index + 1)
        kept = ended_reports(page, tmp_path / "state", index)
        assert kept[-1]["ended_by"] == "key"
        assert kept[-1]["watched_s"] == pytest.approx(played, rel=0.1)
        assert [r["watched_s"] for r in kept] == sorted(r["watched_s"] for r in kept)
        assert len(kept) > wanted / 4  # heartbeats
    if speed == 8:
        assert any(r["loops"] for r in reports(tmp_path / "state"))
    visit.leave()


def test_a_reload_shows_again_what_was_not_moved_on_from(browser: Browser, site: Begin) -> None:
    running = site("--motion", "instant")
    expected = [item["id"] for item in running.feed()["items"]]
    visit = Visit(browser, running)
    for _ in range(3):
        visit.page.keyboard.press("ArrowDown")
        visit.shown()
    assert visit.active()["id"] == expected[3]
    visit.page.reload()
    assert visit.shown()["id"] == expected[3]
    visit.page.keyboard.press("ArrowDown")
    assert visit.shown()["id"] == expected[4]
    visit.leave()


def test_likes_and_pauses(browser: Browser, site: Begin) -> None:
    running = site()
    visit = Visit(browser, running)
    page = visit.page
    like = page.locator("[data-active] button[aria-label^='Like']")
    assert like.get_attribute("aria-pressed") == "false"
    page.keyboard.press("l")
    page.wait_for_selector("[data-active] button[aria-label^='Like'][aria-pressed='true']")
    assert running.feed(0)["items"][0]["liked"]
    like.click()
    page.wait_for_selector("[data-active] button[aria-label^='Like'][aria-pressed='false']")
    assert not running.feed(0)["items"][0]["liked"]
    page.keyboard.press("m")  # the embedded clips have no sound, and nothing offers any
    assert page.evaluate("document.querySelector('[data-active] video').muted")
    assert page.locator("[data-active] .sound, #sound-key").filter(visible=True).count() == 0
    page.keyboard.press(" ")
    assert page.evaluate("document.querySelector('[data-active] video').paused")
    assert page.locator("[data-active].held").count() == 1
    page.keyboard.press(" ")
    visit.shown()
    visit.leave()


def test_a_clip_with_sound_has_a_button_for_it(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    made = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-t", "4"]
    made += ["-f", "lavfi", "-i", "testsrc=size=180x320:rate=12"]
    tone = ["-t", "4", "-f", "lavfi", "-i", "sine=frequency=440"]
    subprocess.run([*made, *tone, "-c:v", "libvpx", str(folder / "loud.webm")], check=True)
    subprocess.run([*made, "-c:v", "libvpx", str(folder / "quiet.webm")], check=True)
    rows = [f"{name}.webm,{name},somebody" for name in ("loud", "quiet")]
    (folder / "captions.csv").write_text("\n".join(["file,caption,creator", *rows]))
    serve = [sys.executable, "-m", "agent.playground", "--parent", "--catalogue", str(folder)]
    with subprocess.Popen(
        [*serve, "--state", str(tmp_path / "state"), "--motion", "instant"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        running = Site(process, json.loads(process.stdout.readline())["url"])
        visit = Visit(browser, running)
        captions = [item["desc"] for item in running.feed()["items"]]
        while captions[visit.active()["index"]] != "loud":
            visit.page.keyboard.press("ArrowDown")
            visit.shown()
        button = visit.page.locator("[data-active] button.sound")
        button.wait_for()
        assert visit.page.locator("#sound-key").is_visible()
        button.click()
        assert not visit.page.evaluate("document.querySelector('[data-active] video').muted")
        visit.page.keyboard.press("m")
        assert visit.page.evaluate("document.querySelector('[data-active] video').muted")
        visit.leave()
        process.communicate()


@pytest.mark.parametrize(("width", "height"), [(390, 844), (800, 480), (1920, 1080)])
def test_the_player_is_whole_at_other_sizes(
    browser: Browser, site: Begin, width: int, height: int
) -> None:
    visit = Visit(browser, site(), viewport={"width": width, "height": height})
    box = visit.page.locator("[data-active] .player").bounding_box()
    assert box
    assert box["width"] / box["height"] == pytest.approx(9 / 16, rel=0.01)
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["x"] + box["width"] <= width + 1
    assert box["y"] + box["height"] <= height + 1
    assert box["x"] + box["width"] / 2 == pytest.approx(width / 2, abs=1)
    numbers = {item.id: item.number for item in small_catalogue().items}
    assert read_mark(visit.picture()) == numbers[visit.active()["id"]]
    visit.leave()


@pytest.mark.drill
def test_ads_and_live_cards_are_labelled(browser: Browser, site: Begin) -> None:
    running = site("--motion", "instant", "--feed", "random", "--seed", "3")
    visit = Visit(browser, running)
    kinds = {item.id: item.kind for item in small_catalogue().items}
    seen = set()
    for _ in range(60):
        active = visit.active()
        card = visit.page.locator("[data-active]")
        kind = kinds[active["id"]]
        assert card.locator(".sponsored").is_visible() == (kind == "ad")
        assert card.locator(".live").is_visible() == (kind == "live")
        seen.add(kind)
        visit.page.keyboard.press("ArrowDown")
        visit.at(active["index"] + 1)
    assert seen == {"video", "ad", "live"}
    visit.leave()


def test_an_end_and_a_refusal_are_said(browser: Browser, site: Begin) -> None:
    running = site("--motion", "instant")
    visit = Visit(browser, running)
    nothing = {"batch": 1, "items": [], "has_more": False}
    visit.page.route("**/api/feed**", lambda route: route.fulfill(json=nothing))
    for _ in range(14):
        visit.page.keyboard.press("ArrowDown")
    visit.page.wait_for_selector(".end b")
    running.end()
    other = site("--gain", "0.5")
    answer = visit.page.goto(other.url)
    assert answer
    assert answer.status == 409
    assert "first met with gain 1.0" in visit.page.locator("[role=alert]").inner_text()
    visit.context.close()

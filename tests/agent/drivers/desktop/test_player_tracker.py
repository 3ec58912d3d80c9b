"""The player is followed on a real screen: resized, dragged, covered, or changed while held."""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from agent.drivers.desktop.driver import DesktopDriver
from agent.drivers.desktop.player_detection import Region
from agent.drivers.desktop.screen_thread import ScreenTimeouts
from agent.drivers.desktop.window import (
    PlainOptions,
    PlainWindow,
    ScreenWindow,
    find_cover,
    find_owner,
)
from agent.drivers.web import browser as browsers
from agent.errors import DriverFault, PlayerLost
from agent.playground.clips import default_cache
from tests.agent.drivers.desktop.test_driver import SIZE, forget_pyautogui, mark
from tests.agent.playground.site import Site, start
from tests.xvfb import Person, screen

pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed file.*Xauthority:ResourceWarning"  # Xlib leaves it to the garbage collector
)


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with screen(*SIZE, tmp_path_factory.mktemp("screen")) as someone:
        yield someone
        forget_pyautogui()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    told = ("--feed", "random", "--seed", "1")
    state = tmp_path_factory.mktemp("state")
    running = start(state, default_cache(), *told, module="agent.playground")
    yield running
    running.end()


PLAYER = Region(278, 155, 622, 768)
"""Where the playground shows its videos in a new window: taken as shown by a person."""


@asynccontextmanager
async def driving(site: Site, visitor: str, **limits: float) -> AsyncIterator[DesktopDriver]:
    """Drive the feed of a visitor: each name has videos of its own, the same ones every time."""
    url = f"{site.url}?visitor={visitor}"
    window = PlainWindow(PlainOptions(browsers.find_browser(), url, (900, 780), (0, 0)))
    driver = DesktopDriver(window, 1.0, ScreenTimeouts(find=60.0, focus=1.0, **limits), PLAYER)
    try:
        yield driver
    finally:
        await driver.close()


def noted(driver: DesktopDriver, kind: str) -> list[str]:
    return [event.message for event in driver.events() if event.kind == kind]


@pytest.mark.drill
def test_a_resized_player_is_found_anew_and_a_strip_of_it_is_not_believed(
    person: Person, site: Site
) -> None:
    """As narrow as this, the window's own edge is as near to the video as the video's."""

    async def scenario() -> None:
        async with driving(site, "resizing", window=15.0) as driver:
            shown = await driver.open("")
            marks = [await mark(driver, shown)]
            person.resize_windows(500, 780)
            for _ in range(2):
                shown = (await driver.next(shown)).shown
                marks.append(await mark(driver, shown))
                assert shown.box.x + shown.box.width < 440
                assert shown.box.width / shown.box.height == pytest.approx(9 / 16, rel=0.02)
            assert len(set(marks)) == 3
            assert any("the player is now at" in said for said in noted(driver, "window"))
            # cut off by the screen, what is left of it is 108x473 pixels
            person.move_windows(-250, 0)
            with pytest.raises(DriverFault, match="The player reaches beyond the screen"):
                await driver.next(shown)
            person.resize_windows(900, 640)
            person.move_windows(-475, 0)
            with pytest.raises(DriverFault, match="is like the player of before"):
                await driver.next(shown)

    asyncio.run(scenario())


@pytest.mark.drill
def test_a_picture_that_is_dragged_covered_or_changes_is_taken_again_then_named(
    person: Person, site: Site
) -> None:
    async def drag() -> None:
        for step in range(40):
            person.move_windows(10 * step, 2 * step)
            await asyncio.sleep(0.05)

    async def scenario() -> None:
        async with driving(site, "covered", cover=4.0) as driver:
            shown = await driver.open("")
            marks = {await mark(driver, shown)}
            dragging = asyncio.create_task(drag())
            await asyncio.sleep(0.1)
            shown = (await driver.next(shown)).shown
            await dragging
            assert (shown.box.x, shown.box.y) == (PLAYER.left + 390, PLAYER.top + 78)
            assert (shown.box.width, shown.box.height) == (PLAYER.width, PLAYER.height)
            marks.add(await mark(driver, shown))
            driver.events()
            with ExitStack() as covered:
                covered.enter_context(person.covering(640, 180, 300, 400))
                asyncio.get_running_loop().call_later(1.0, covered.close)
                shown = (await driver.next(shown)).shown
            marks.add(await mark(driver, shown))
            assert len(marks) == 3
            (said,) = noted(driver, "window")
            assert "(Notes, 300x400 at 640,180)" in said
            with person.covering(640, 180, 300, 400), pytest.raises(DriverFault) as caught:
                await driver.capture(shown)  # the one from before was used
            assert type(caught.value).__name__ == "WindowCovered"
            assert "(Notes, 300x400 at 640,180) lies over the player. Move" in str(caught.value)
            assert "diary" not in str(caught.value)
            assert (await driver.capture(shown)).retakes >= 1
            driver.events()
            person.press("space")  # it plays, and the driver takes it to be held
            with pytest.raises(DriverFault, match="4 times the player was moved, covered or"):
                await driver.capture(shown)
            assert len(noted(driver, "capture")) == 4

    asyncio.run(scenario())


@pytest.mark.drill
def test_a_window_that_is_dragged_about_for_good_is_named(person: Person, site: Site) -> None:
    async def drag() -> None:
        for step in itertools.count():
            person.move_windows(step % 40 * 5, 0)
            await asyncio.sleep(0.05)

    async def scenario() -> None:
        async with driving(site, "dragged", window=2.0) as driver:
            shown = await driver.open("")
            dragging = asyncio.create_task(drag())
            await asyncio.sleep(0.1)
            with pytest.raises(PlayerLost, match=r"did not come to rest in 2 s\. Leave it alone"):
                async with asyncio.timeout(30):
                    await driver.next(shown)
            dragging.cancel()

    asyncio.run(scenario())


LATE = """<!doctype html><body style="margin:0;background:#223"><canvas width=344 height=613
style="position:absolute;left:278px;top:11px"></canvas><script>
const screen = document.querySelector("canvas").getContext("2d");
let playing = false, shift = 0;
function draw(colour) {
  screen.fillStyle = colour;
  screen.fillRect(0, 0, 344, 613);
  screen.fillStyle = "#fff";
  screen.fillRect(40, 40 + shift, 200, 60);
}
setTimeout(() => draw("#a00"), 4000);
setTimeout(() => { playing = true; }, 8000);
setInterval(() => { if (playing) { shift = (shift + 4) % 400; draw("#0a0"); } }, 40);
addEventListener("keydown", (event) => { if (event.key === " ") playing = !playing; });
</script>"""
"""A poster appears, and long after it the video begins."""


def test_a_poster_that_appears_is_not_a_video_that_plays(person: Person, tmp_path: Path) -> None:
    (tmp_path / "late.html").write_text(LATE, encoding="utf-8")
    url = (tmp_path / "late.html").as_uri()

    async def scenario() -> tuple[int, ...]:
        window = PlainWindow(PlainOptions(browsers.find_browser(), url, (900, 780), (0, 0)))
        driver = DesktopDriver(window, 1.0, ScreenTimeouts(find=60.0, focus=1.0), PLAYER)
        try:
            shown = await driver.open("")
            assert (shown.shown, shown.held) == (True, True)
            picture = Image.open(io.BytesIO((await driver.capture(shown)).jpeg))
            return picture.getpixel((4, 306))  # type: ignore[return-value]
        finally:
            await driver.close()

    red, green, _ = asyncio.run(scenario())
    assert green > 100 > red


COLUMNS = """<!doctype html><body style="margin:0;background:#111">
<canvas width=344 height=613 style="position:absolute;left:40px;top:20px"></canvas>
<canvas width=344 height=613 style="position:absolute;left:480px;top:20px"></canvas><script>
const columns = [...document.querySelectorAll("canvas")].map((one) => one.getContext("2d"));
let at = 0, playing = true;
function draw() {
  const screen = columns[at], light = screen.createLinearGradient(0, 0, at * 344, (1 - at) * 613);
  light.addColorStop(0, at ? "#9cf" : "#fc8");
  light.addColorStop(1, at ? "#36a" : "#c63");
  screen.fillStyle = light;
  screen.fillRect(0, 0, 344, 613);
  for (let spot = 0; spot < 60; spot++) {
    screen.fillStyle = `hsl(${360 * Math.random()} 60% 60%)`;
    screen.fillRect(314 * Math.random(), 583 * Math.random(), 30, 30);
  }
}
setInterval(() => playing && draw(), 40);
addEventListener("keydown", (event) => {
  if (event.key === " ") playing = !playing;
  if (event.key === "ArrowDown") [at, playing] = [1, true];
});
</script>"""
"""A feed whose next video comes up beside the one that was paused, which stays as it was."""


def test_a_video_elsewhere_is_followed_its_window_too_and_a_cover_waited_out(
    person: Person, tmp_path: Path
) -> None:
    (tmp_path / "columns.html").write_text(COLUMNS, encoding="utf-8")
    url = (tmp_path / "columns.html").as_uri()

    async def scenario() -> None:
        window = PlainWindow(PlainOptions(browsers.find_browser(), url, (900, 780), (0, 0)))
        limits = ScreenTimeouts(find=60.0, look=0.6, focus=2.0, change=1.0)
        driver = DesktopDriver(window, 1.0, limits)
        try:
            shown = await driver.open("")
            assert (shown.shown, shown.held) == (True, True)
            assert shown.box.x == pytest.approx(40, abs=4)
            assert shown.exposure_s >= 2 * limits.look  # it played while it was looked for
            assert (await driver.capture(shown)).retakes == 0
            with ExitStack() as covered:
                covered.enter_context(person.covering(100, 300, 100, 100))
                asyncio.get_running_loop().call_later(0.5, covered.close)
                assert (await driver.capture(shown)).retakes == 1
            (said,) = noted(driver, "window")
            assert "(Notes, 100x100 at 100,300) lay over the player" in said
            person.move_windows(30, 20)
            arrival = await driver.next(shown)
            assert (arrival.action, arrival.attempts) == ("key:ArrowDown", 1)
            assert arrival.shown.key != shown.key
            assert arrival.shown.box.x == pytest.approx(510, abs=4)
            moved, other = noted(driver, "window")
            assert moved.startswith("the player is now at Region(left=7")
            assert other.startswith("the player is now at Region(left=5")
        finally:
            await driver.close()

    asyncio.run(scenario())


@pytest.mark.drill
def test_another_feed_over_the_player_is_not_judged(
    person: Person, site: Site, various_url: str
) -> None:
    """A second browser that plays a video of its own, and has the keyboard."""

    async def scenario() -> None:
        async with driving(site, "other", cover=1.0) as driver:
            shown = await driver.open("")
            plain = PlainOptions(
                browsers.find_browser(), f"{various_url}?speed=1", (600, 500), (150, 250)
            )
            other = PlainWindow(plain)
            await other.open()
            try:
                for _ in range(600):
                    if person.count_windows() == 2:
                        break
                    await asyncio.sleep(0.1)
                with pytest.raises(DriverFault, match=r"Another window \(.*hrom.*\) lies over"):
                    await driver.next(shown)
            finally:
                await other.close()

    asyncio.run(scenario())


def test_the_window_of_a_player_and_what_covers_it_are_told_by_the_stack() -> None:
    player = Region(300, 200, 644, 812)
    desktop = ScreenWindow(1, "Desktop", Region(0, 0, 1600, 900))
    browser = ScreenWindow(2, "Chromium", Region(100, 50, 1000, 850))
    beside = ScreenWindow(3, "Notes", Region(700, 0, 1000, 900))
    corner = ScreenWindow(4, "Clock", Region(600, 780, 700, 820))
    touching = ScreenWindow(5, "Mail", Region(646, 300, 900, 400))
    assert find_owner((desktop, browser, beside), player) == browser
    assert find_owner((), player) is None
    assert find_cover((corner, desktop, browser, beside), browser, player) is None
    assert find_cover((desktop, browser, corner, beside), browser, player) == corner
    assert find_cover((desktop, browser, touching), browser, player) == touching


def test_a_strip_has_neither_shape_nor_size_of_a_player() -> None:
    player, strip = Region(278, 155, 622, 768), Region(500, 200, 608, 673)
    assert not strip.shaped
    assert player.shaped
    assert not strip.has_shape_of(player)
    assert not strip.has_size_of(player)
    assert player.moved(50, -20).has_size_of(player)
    assert Region(209, 155, 430, 548).has_shape_of(player)
    assert not Region(71, 6, 500, 780).has_shape_of(player)
    assert player.common(strip) == Region(500, 200, 608, 673)

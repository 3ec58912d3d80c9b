"""The desktop driver at a real window: it finds, holds, meters, moves and stops by sight alone."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from agent.drivers.base import ActiveVideo
from agent.drivers.desktop.driver import NO_PAUSE, DesktopDriver
from agent.drivers.desktop.player_calibration import examine_screen, read_calibration
from agent.drivers.desktop.player_detection import Region
from agent.drivers.desktop.screen_thread import ScreenSession, ScreenTimeouts
from agent.drivers.desktop.window import PlainOptions, PlainWindow
from agent.drivers.web import browser as browsers
from agent.errors import ActionNotConfirmed, BadConfig
from agent.playground.clips import default_cache
from agent.playground.fiducial_marker import read_mark
from tests.agent.playground.site import Site, start
from tests.xvfb import Person, screen

pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed file.*Xauthority:ResourceWarning"  # Xlib leaves it to the garbage collector
)
SIZE = (1600, 900)
START_LAG_S = 1.5
"""A video that the site starts late, or a person's screen shows late, on a busy machine."""


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """One screen for all of these: pyautogui keeps the first one that it is loaded on."""
    with screen(*SIZE, tmp_path_factory.mktemp("screen")) as someone:
        yield someone
        forget_pyautogui()


def forget_pyautogui() -> None:
    """Close the connection that it holds for ever, so that another screen can follow."""
    loaded = [name for name in sys.modules if name.startswith("pyautogui")]
    hands = [sys.modules.pop(name) for name in loaded]
    for module in hands:
        if hasattr(module, "_display"):
            module._display.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """The playground as it is, its clips kept where users have them."""
    told = ("--feed", "random", "--seed", "1")
    running = start(tmp_path / "state", default_cache(), *told, module="agent.playground")
    yield running
    running.end()


@asynccontextmanager
async def driving(
    url: str, size: tuple[int, int] = (900, 780), at: tuple[int, int] = (0, 0), change: float = 4.0
) -> AsyncIterator[DesktopDriver]:
    window = PlainWindow(PlainOptions(browsers.find_browser(), url, size, at))
    driver = DesktopDriver(window, 1.0, ScreenTimeouts(find=60.0, focus=1.0, change=change))
    try:
        yield driver
    finally:
        await driver.close()


async def mark(driver: DesktopDriver, shown: ActiveVideo) -> int:
    picture = Image.open(io.BytesIO((await driver.capture(shown)).jpeg))
    assert picture.width == shown.box.width
    assert picture.height == shown.box.height
    number = read_mark(picture)
    assert number is not None, shown
    return number


def watched(folder: Path) -> dict[int, float]:
    """What the site knows to have been watched of each place of its only visitor's feed."""
    from agent.playground.visitors import WatchReport

    (path,) = [path for path in folder.iterdir() if path.suffix == ".jsonl"]
    lines = path.read_text(encoding="utf-8").splitlines()
    reports = [
        WatchReport.model_validate_json(text[9:-1]) for text in lines if text[:9] == '{"watch":'
    ]
    return {report.index: report.watched_s for report in reports}


@pytest.mark.drill
def test_it_finds_holds_meters_and_moves(person: Person, site: Site, tmp_path: Path) -> None:
    at = (420, 150)

    async def scenario() -> tuple[list[int], list[float]]:
        marks, dwells = [], []
        async with driving(site.url, size=(1100, 700), at=at) as driver:
            shown = await driver.open("")
            assert (shown.id, shown.ad, shown.live, shown.moved) == (None, None, None, None)
            assert shown.held
            assert shown.box.x >= at[0]
            for _ in range(3):
                marks.append(await mark(driver, shown))
                wanted = shown.exposure_s + 1.0
                assert await driver.watch(shown, wanted) >= wanted
                arrival = await driver.next(shown)
                assert (arrival.action, arrival.attempts) == ("key:ArrowDown", 1)
                dwells.append(arrival.left_dwell_s)
                assert arrival.left_dwell_s >= wanted
                shown = arrival.shown
                assert shown.shown
            marks.append(await mark(driver, shown))
            assert [event for event in driver.events() if event.kind == "hold"] == []
        return marks, dwells

    marks, dwells = asyncio.run(scenario())
    assert len(set(marks)) == 4
    known = watched(tmp_path / "state")
    assert sorted(known)[:3] == [0, 1, 2]
    # the first one played unseen while its window opened
    assert dwells[1:] == pytest.approx([known[place] for place in (1, 2)], abs=START_LAG_S)


@pytest.mark.drill
def test_a_window_that_is_moved_meanwhile_is_found_again(person: Person, site: Site) -> None:
    async def scenario() -> None:
        async with driving(site.url) as driver:
            shown = await driver.open("")
            first = await mark(driver, shown)
            person.move_windows(610, 90)
            shown = (await driver.next(shown)).shown
            assert await mark(driver, shown) != first
            assert shown.box.x > 610
            assert "window" in {event.kind for event in driver.events()}
            shown = (await driver.next(shown)).shown
            assert await mark(driver, shown) != first

    asyncio.run(scenario())


@pytest.mark.drill
def test_a_feed_that_cannot_be_paused_is_exposed_by_the_clock(
    person: Person, various_url: str
) -> None:
    async def scenario() -> None:
        async with driving(f"{various_url}?speed=1&motion=smooth") as driver:
            shown = await driver.open("")
            assert not shown.held
            assert NO_PAUSE in {event.message for event in driver.events()}
            wanted = shown.exposure_s + 2.0
            played = await driver.watch(shown, wanted)
            assert wanted <= played
            arrival = await driver.next(shown)
            assert arrival.left_dwell_s >= played
            assert arrival.shown.key != shown.key
            assert (arrival.action, arrival.attempts) == ("key:ArrowDown", 1)

    asyncio.run(scenario())


@pytest.mark.drill
def test_a_feed_that_does_not_move_is_a_fault(person: Person, various_url: str) -> None:
    async def scenario() -> None:
        async with driving(f"{various_url}?speed=1&deaf=1", change=1.0) as driver:
            shown = await driver.open("")
            with pytest.raises(ActionNotConfirmed, match="2 keys did not move the feed"):
                await driver.next(shown)

    asyncio.run(scenario())


def test_esc_and_a_hot_corner_end_the_run(person: Person) -> None:
    async def scenario() -> None:
        session = ScreenSession(ScreenTimeouts())
        await session.take()
        assert session.screen.hears_esc
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 20)  # nobody sets it
        finally:
            await session.close()

    with person.holding("Escape"), pytest.raises(asyncio.CancelledError):
        asyncio.run(scenario())
    person.point(0, 0)
    try:
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(scenario())
    finally:
        person.point(SIZE[0] // 2, SIZE[1] // 2)


def test_without_a_playing_video_it_refuses_to_start(person: Person, tmp_path: Path) -> None:
    async def scenario() -> None:
        driver = DesktopDriver(None, limits=ScreenTimeouts(find=1.0, look=0.3))
        try:
            with pytest.raises(BadConfig, match="ype: python -m agent doctor --driver desktop"):
                await driver.start()
        finally:
            await driver.close()

    asyncio.run(scenario())


def test_a_person_can_show_where_the_player_is(person: Person, tmp_path: Path) -> None:
    corners = [(300, 200), (660, 840)]

    def follow(told: str) -> None:
        assert "Rest the pointer" in told
        person.point(*corners.pop(0))

    try:
        seen = asyncio.run(examine_screen(tmp_path, follow, calibrate=True))
    finally:
        person.point(SIZE[0] // 2, SIZE[1] // 2)
    assert corners == []
    assert seen.player == Region(300, 200, 660, 840) == read_calibration(tmp_path)
    drawn = Image.open(seen.picture)
    assert drawn.size == SIZE
    assert drawn.getpixel((299, 500)) == (255, 0, 80)
    (tmp_path / "desktop.json").write_text('{"left": 1}', encoding="utf-8")
    assert read_calibration(tmp_path) is None

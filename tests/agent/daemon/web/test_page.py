"""The page in a real browser: a run going on, a wall, nothing yet; at a desk and on a telephone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from agent.daemon.journal.events import WallReported, name_occurrence, read_events
from agent.daemon.web.status import JOURNAL
from agent.drivers.web.browser import find_browser, list_arguments
from store.runs.canary_log import CanaryRecord, append_canary
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import Windows
from tests.agent.daemon.made_data_folder import World, served
from tests.store.samples import finished, jpeg

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZES = {"desk": (1280, 800), "telephone": (390, 844)}
REFUSED = "status of 409 (Conflict)"
"""What a browser says of a wish that was refused, as one test wants it."""
Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=find_browser().path, args=list_arguments()
        )
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[World, str]]]:
    """Three daemons with their links: one that watches, one with walls, one that has just begun."""
    found = {}
    with ExitStack() as over:
        for name, fill in (("going", _going), ("wall", World.trouble), ("nothing", _nothing)):
            data = DataFolder(tmp_path_factory.mktemp(name) / "data")
            world = World(data, datetime.now(UTC) - timedelta(minutes=3))
            over.callback(world.close)
            fill(world)
            found[name] = world, over.enter_context(served(world))
        yield found


def _nothing(world: World) -> None:
    pass


def _going(world: World) -> None:
    world.end("dusk", "complete", minutes=90)
    world.begin("dawn")
    world.study(
        "s", {"treatment": ["nnnnnnynyy" + "yyynnyyyyn"] * 2, "passive": ["nnnnnnnnny" * 2] * 2}
    )
    world.keep("r1", "nnnynnnnnnyyyyy", [jpeg("red")], windows=Windows(before=10, after=10))


@pytest.fixture
def visit(browser: Browser, made: dict[str, tuple[World, str]]) -> Iterator[Open]:
    """Opens a daemon's page; it may complain of nothing, and ask nobody else for anything."""
    pages: list[tuple[Page, list[str]]] = []

    def opened(name: str, size: str = "desk", **options: Any) -> Page:
        link = made[name][1]
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        own = link.split("/#")[0]
        page.on(
            "request",
            lambda asked: (
                None if asked.url.startswith((own, f"blob:{own}")) else said.append(asked.url)
            ),
        )
        pages.append((page, said))
        page.goto(link)
        page.locator("#link", has_text="live").wait_for()
        return page

    yield opened
    for page, said in pages:
        page.context.close()
        assert [one for one in said if REFUSED not in one] == []


def kinds(world: World) -> list[str]:
    return [event.kind for event in read_events(world.data.daemon_dir / JOURNAL)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["going", "wall", "nothing"])
def test_nothing_hangs_over_and_everything_has_a_name(visit: Open, name: str, size: str) -> None:
    page = visit(name, size, color_scheme="light")
    assert "days and times of UTC" in page.locator("#under").inner_text()
    wide, inner = page.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
    assert (wide, inner) == (SIZES[size][0], SIZES[size][0])
    unnamed = """() => [...document.querySelectorAll("button, img, [role=progressbar], svg[role]")]
        .filter((one) => one.checkVisibility() && !(one.getAttribute("aria-label") || one.alt
            || one.getAttribute("alt") === "" || one.textContent.trim())).length"""
    assert page.evaluate(unnamed) == 0
    small = """() => [...document.querySelectorAll("button")]
        .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 40).length"""
    assert page.evaluate(small) == 0
    assert page.evaluate(CONTRAST) == []
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(CONTRAST) == []
    assert "token" not in page.url


CONTRAST = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).slice(0, 3).map((c) => c / 255)
      .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (numbers(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const poor = [];
  for (const one of document.querySelectorAll("body *")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !one.checkVisibility() || one.matches(".sep")) continue;
    const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(one.textContent.slice(0, 30));
  }
  return poor;
}"""


def test_a_run_that_goes_on_is_shown_and_followed(
    visit: Open, made: dict[str, tuple[World, str]]
) -> None:
    page, world = visit("going"), made["going"][0]
    card = page.get_by_role("article", name="p12 on playground, treatment")
    assert card.locator(".word").inner_text() == "yes"
    assert "p(yes) 0.81" in card.inner_text()
    assert "10 %" in card.inner_text()
    assert "100 %" in card.inner_text()
    assert card.get_by_role("progressbar").get_attribute("aria-valuenow") == "15"
    shown = card.locator("img[src]")
    shown.wait_for()
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 90
    chart = page.get_by_role("img", name="Share of yes so far.")
    told = chart.get_attribute("aria-label") or ""
    assert "treatment: before 30 %, after 70 %; passive: before 10 %, after 10 %" in told
    world.keep("r2", "n", [jpeg("green")], arm="passive")
    page.get_by_role("article", name="p12 on playground, passive").wait_for()
    assert page.get_by_role("heading", level=1).inner_text() == "2 runs going on"


def test_a_wall_waits_until_somebody_has_looked(
    visit: Open, made: dict[str, tuple[World, str]]
) -> None:
    page, world = visit("wall", "telephone"), made["wall"][0]
    wall = page.get_by_role("article").filter(has_text="TikTok shows a challenge")
    assert "python -m agent login tiktok --account p12-treatment-1" in wall.inner_text()
    assert page.title().startswith("(1)")
    page.get_by_role("button", name="I have looked at p12-treatment-1 on TikTok").click()
    wall.wait_for(state="detached")
    assert kinds(world)[-1] == "wall"
    assert not page.title().startswith("(1)")


def test_pause_resume_run_now_and_retry(visit: Open, made: dict[str, tuple[World, str]]) -> None:
    page, world = visit("nothing"), made["nothing"][0]
    title = page.get_by_role("heading", level=1)
    page.get_by_role("button", name="Pause everything").click()
    title.filter(has_text="Everything is paused").wait_for()
    assert kinds(world)[-1] == "held"
    page.get_by_role("button", name="Resume everything").click()
    title.filter(has_text="Waiting for the next start").wait_for()

    dusk = page.get_by_role("article", name="dusk")
    page.get_by_role("button", name="Pause dusk").click()
    resume = page.get_by_role("button", name="Resume dusk")
    resume.wait_for()
    assert "paused" in dusk.inner_text()
    resume.click()
    page.get_by_role("button", name="Pause dusk").wait_for()

    page.get_by_role("button", name="Run dawn now").click()
    title.filter(has_text="Starting").wait_for()
    assert kinds(world)[-2:] == ["asked", "started"]

    world.end("two-arms", "fault", "PageStuck: no playing video.")
    retry = page.get_by_role("button", name="Retry two-arms")
    retry.click()
    retry.wait_for(state="detached")
    assert kinds(world)[-2:] == ["asked", "breaker"]


def test_a_site_that_has_changed_is_told_and_waits_for_a_person(
    visit: Open, made: dict[str, tuple[World, str]]
) -> None:
    page, world = visit("wall"), made["wall"][0]
    found = {"verdicts": {"ad": "fails"}, "reasons": {"ad": "0 of 24"}}
    record = CanaryRecord.model_validate(
        {"kind": "run", "platform": "youtube"} | found | {"at": world.now}
    )
    append_canary(world.data, record)
    world.write(
        WallReported(
            at=world.now,
            platform="instagram",
            account="a1",
            open=True,
            wall="LayoutChanged",
            found="no likes in 14 videos in a row",
        )
    )
    told = page.get_by_role("article").filter(has_text="YouTube is not as its adapter knows it")
    told.filter(has_text="ad: 0 of 24").wait_for()
    waits = page.get_by_role("article").filter(has_text="no likes in 14 videos in a row")
    waits.wait_for()
    assert "python -m agent doctor --platform instagram --account a1" in waits.inner_text()
    page.get_by_role("button", name="I have looked at a1 on Instagram").click()
    waits.wait_for(state="detached")


def test_what_is_refused_is_told(visit: Open, made: dict[str, tuple[World, str]]) -> None:
    page, world = visit("wall"), made["wall"][0]
    world.entries = ("dawn", "two-arms")  # the file was edited while the page was open
    page.get_by_role("button", name="Run dusk now").click()
    page.get_by_role("alert").filter(has_text="There is no entry 'dusk'.").wait_for()


def test_what_is_refused_is_covered_by_nothing_and_covers_nothing(
    visit: Open, made: dict[str, tuple[World, str]]
) -> None:
    page, world = visit("wall", "telephone"), made["wall"][0]
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    world.entries = ("dawn", "two-arms")
    page.get_by_role("button", name="Run dusk now").click()
    wrong, said = page.locator("#wrong"), page.get_by_role("status")
    wrong.filter(has_text="There is no entry 'dusk'.").wait_for()
    page.get_by_role("button", name="Copy: ").first.click()
    said.filter(has_text="Copied.").wait_for()
    above, below = wrong.bounding_box(), said.bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] + above["height"] <= below["y"]
    assert "There is no entry" in wrong.inner_text()
    page.evaluate("scrollTo(0, document.scrollingElement.scrollHeight)")
    last = page.locator("#machine").bounding_box()
    assert last is not None
    assert last["y"] + last["height"] <= above["y"]
    page.get_by_role("button", name="Run dawn now").click()
    said.filter(has_text="Done.").wait_for()
    assert wrong.inner_text() == ""  # what was asked for since has worked
    world.end("dawn", "complete")
    world.entries = ("dawn", "dusk", "two-arms")


def test_a_wall_is_in_the_headline_whatever_goes_on(browser: Browser, tmp_path: Path) -> None:
    world = World(DataFolder(tmp_path / "data"), datetime.now(UTC) - timedelta(seconds=34))
    page = browser.new_page()
    heading = page.get_by_role("heading", level=1)
    with served(world) as link:
        page.goto(link)
        wall = {"platform": "tiktok", "open": True, "wall": "ChallengeShown"}
        for account in ("a1", "a2"):
            world.write(WallReported(at=world.now, account=account, **wall))
        heading.filter(has_text="2 walls wait for you").wait_for()
        world.begin("dusk")
        heading.filter(has_text="2 walls wait for you, starting …").wait_for()
        world.keep("r1", "yn", config={"cell": name_occurrence("dusk", world.now)})
        heading.filter(has_text="2 walls wait for you, 1 run going on").wait_for()
        page.get_by_role("button", name="Pause everything").click()
        heading.filter(has_text="2 walls wait for you, everything is paused").wait_for()
    page.close()
    world.close()


def test_what_runs_is_said_to_run_for_so_long(browser: Browser, tmp_path: Path) -> None:
    world = World(DataFolder(tmp_path / "data"), datetime.now(UTC) - timedelta(seconds=34))
    page = browser.new_page()
    with served(world) as link:
        page.goto(link)
        world.begin("dusk")
        dusk = page.get_by_role("article", name="dusk")
        dusk.filter(has_text=re.compile(r"running for 3\d s")).wait_for()
        world.end("dawn", "complete", minutes=60)
        dawn = page.get_by_role("article", name="dawn")
        dawn.filter(has_text=re.compile(r"complete 5\d min ago")).wait_for()
    page.close()
    world.close()


def test_no_other_port_learns_the_token(
    browser: Browser, made: dict[str, tuple[World, str]], tmp_path: Path
) -> None:
    link = made["nothing"][1]
    page = browser.new_page()
    page.goto(link)
    page.locator("#link", has_text="live").wait_for()
    with other_server() as (port, asked):
        page.goto(f"http://127.0.0.1:{port}/")
        kept = page.evaluate(
            "[document.cookie, JSON.stringify({...sessionStorage, ...localStorage})]"
        )
        page.go_back()
        page.get_by_role("heading", name="Open the link again").wait_for()
    token = link.partition("token=")[2]
    assert len(asked) >= 1
    assert token not in "".join(asked) + str(kept)
    assert "ookie" not in "".join(asked)
    assert "python -m agent status" in page.locator("#under").inner_text()
    page.close()


@contextmanager
def other_server() -> Iterator[tuple[int, list[str]]]:
    """Somebody else's server on this machine, and the headers that it was sent."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers}")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>other</title>")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    other = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=other.serve_forever)
    thread.start()
    try:
        yield other.server_address[1], asked
    finally:
        other.shutdown()
        thread.join()
        other.server_close()


def test_lines_that_cannot_be_read_are_shown(
    visit: Open, made: dict[str, tuple[World, str]]
) -> None:
    world = made["nothing"][0]
    world.keep("broken", "yy").close()
    path = world.data.ledger_path("broken")
    path.write_bytes(path.read_bytes().replace(b'"yes"', b'"<b>yez"', 1))
    notice = visit("nothing").get_by_role("article").filter(has_text="1 line cannot be read")
    assert "runs/broken/ledger.jsonl:2 step.judgement.answer" in notice.inner_text()
    assert "python -m store verify" in notice.inner_text()
    path.unlink()


def test_a_child_whose_run_has_ended_is_not_said_to_start(browser: Browser, tmp_path: Path) -> None:
    world = World(DataFolder(tmp_path / "data"), datetime.now(UTC))
    world.begin("dusk")
    page = browser.new_page()
    heading = page.get_by_role("heading", level=1)
    with served(world) as link:
        page.goto(link)
        heading.filter(has_text="Starting …").wait_for()
        run = world.keep("r1", "yn", config={"cell": name_occurrence("dusk", world.now)})
        run.append(finished(2))
        run.close()
        heading.filter(has_text="Finishing …").wait_for()
    page.close()
    world.close()


def test_an_open_page_says_when_the_daemon_is_gone(browser: Browser, tmp_path: Path) -> None:
    world = World(DataFolder(tmp_path / "data"), datetime.now(UTC))
    page = browser.new_page()
    with served(world) as link:
        page.goto(link)
        page.locator("#link", has_text="live").wait_for()
    page.locator("#link", has_text="no answer since").wait_for()
    page.close()
    world.close()

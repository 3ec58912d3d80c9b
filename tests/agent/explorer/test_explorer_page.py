"""The explorer in a real browser: by key, at a desk, on a telephone, and against hostile text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.drivers.web.browser import find_browser, list_arguments
from store import encoders
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Judgement, PersonaRecord, Video
from tests.agent.explorer.hostile_payloads import PAYLOADS
from tests.agent.explorer.served_explorer import (
    client_of,
    index_colours,
    served_explorer,
    wait_until,
)
from tests.store.samples import (
    START,
    ColourEncoder,
    fault,
    finished,
    frame,
    jpeg,
    keep_run,
    started,
    step,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZES = {"desk": (1280, 800), "telephone": (390, 844)}
COLOURS = ("red", "blue", "green", "yellow", "purple", "white")
MANY = 600
Visit = Callable[..., "Page"]
QUIET = """(limit) => new Promise((resolve, reject) => {
  const end = performance.now() + limit;
  const isSeen = (tile) => {
    const box = tile.getBoundingClientRect();
    return box.bottom > 60 && box.top < innerHeight;
  };
  const look = () => {
    const near = [...document.querySelectorAll('.tile')].filter(isSeen);
    const full = near.filter(tile => tile.querySelector('img')?.naturalWidth);
    if (near.length && near.length === full.length) resolve(near.length);
    else if (performance.now() > end) reject(new Error('tiles stay blank'));
    else requestAnimationFrame(look);
  };
  look();
})"""
"""Waits until every tile in the window has its picture; returns how many there are."""

SEARCH = """(text) => {
  location.hash = '#/frames?' + new URLSearchParams({ words: text, persona: text });
}"""


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
def data(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    folder = DataFolder(tmp_path_factory.mktemp("seen") / "data")
    keep_run(folder, "long", [COLOURS[at % 6] for at in range(MANY)])
    keep_run(folder, "short", ["red", "blue", "green"], arm="passive", at=START.replace(day=2))
    index_colours(folder)
    return folder


@pytest.fixture(scope="module")
def link(data: DataFolder) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoders, "load", lambda *_: ColourEncoder())
        with served_explorer(data) as found, client_of(found) as owner:
            wait_until(owner, "ready")
            wait_until(owner, "warm")
            yield found


SERVER_OVER = "ERR_CONNECTION_REFUSED"
"""Of a page that asked once more after its server ended, as it does before a tab is closed."""


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens a link; the page may complain of nothing, and ask nobody else for anything."""
    opened: list[tuple[Page, list[str]]] = []

    def go(link: str, size: str = "desk", scheme: str = "light") -> Page:
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page = context.new_page()
        said: list[str] = []
        base = link.partition("/#")[0]
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda told: said.append(f"{told.type}: {told.text}"))
        page.on("dialog", lambda one: said.append(one.message))
        page.on(
            "request",
            lambda asked: None if asked.url.startswith((base, "blob:")) else said.append(asked.url),
        )
        opened.append((page, said))
        page.goto(link)
        page.locator("h1, .tile, .result").first.wait_for()
        return page

    yield go
    for page, said in opened:
        page.context.close()
        assert [one for one in said if SERVER_OVER not in one] == []


def go_to(page: Page, address: str, wanted: str) -> None:
    page.evaluate("(to) => { location.hash = to; }", address)
    page.locator(wanted).first.wait_for()


def result(page: Page, text: str) -> None:
    page.locator(".result", has_text=text).wait_for()


def test_a_grid_scrolls_through_everything_with_few_tiles_at_a_time(
    visit: Visit, link: str
) -> None:
    page = visit(link)
    result(page, "603 videos")
    assert page.evaluate(QUIET, 10_000) > 10
    bottom = page.evaluate("document.documentElement.scrollHeight")
    assert bottom > 8000
    page.evaluate(f"scrollTo(0, {bottom})")
    assert page.evaluate(QUIET, 10_000) > 10
    assert page.locator(".tile").count() < 150
    assert page.locator(".tile", has_text="after 599").count() == 1


def test_a_choice_narrows_the_grid_is_in_the_address_and_can_be_gone_back_to(
    visit: Visit, link: str
) -> None:
    page = visit(link)
    page.get_by_role("checkbox", name="passive").click()
    result(page, "3 videos")
    page.get_by_role("checkbox", name="yes").click()
    result(page, "1 video")
    assert page.url.endswith("#/frames?arm=passive&answer=yes")
    page.go_back()
    result(page, "3 videos")
    page.reload()  # the tab keeps the token
    result(page, "3 videos")
    page.get_by_role("switch").click()
    page.locator("[role=switch][aria-checked=true]").wait_for()
    page.get_by_label("Words of caption or author").fill("BLUE")
    page.keyboard.press("Enter")
    result(page, "1 video")
    page.get_by_role("link", name="Show everything").click()
    result(page, "603 videos")


def test_a_search_puts_what_fits_first_and_a_picture_finds_its_like(
    visit: Visit, link: str
) -> None:
    page = visit(link)
    result(page, "603 videos")
    page.keyboard.press("/")
    page.keyboard.type("something purple")
    page.keyboard.press("Enter")
    result(page, "nearest")
    first = page.locator(".tile").first
    first.locator("img[alt='a purple thing']").wait_for()
    page.locator("input[type=file]").set_input_files(
        {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg("yellow", 5)}
    )
    page.locator(".tile img[alt='a yellow thing']").first.wait_for()
    assert "picture=" in page.url


def test_everything_can_be_reached_by_key(visit: Visit, link: str) -> None:
    page = visit(link)
    result(page, "603 videos")
    page.locator(".tile[href]").first.wait_for()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.locator("h1", has_text="Video 0").wait_for()
    assert page.url.endswith("#/step/short/0")
    page.keyboard.press("ArrowRight")
    page.locator("h1", has_text="Video 1").wait_for()
    page.keyboard.press("ArrowLeft")
    page.locator("h1", has_text="Video 0").wait_for()
    page.keyboard.press("2")
    page.locator("h1", has_text="Runs").wait_for()
    page.keyboard.press("?")
    page.locator("dialog[open]").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    result(page, "603 videos")


def test_a_new_tab_gets_the_token_from_the_first_and_nobody_else_does(
    visit: Visit, link: str, browser: Browser
) -> None:
    page = visit(link)
    result(page, "603 videos")
    other = page.context.new_page()
    base = link.partition("/#")[0]
    other.goto(f"{base}/#/runs")
    other.locator("h1", has_text="Runs").wait_for()
    other.close()
    stranger = browser.new_page()
    stranger.goto(f"{base}/#/runs")
    stranger.get_by_text("python -m agent open").wait_for()
    assert stranger.locator("table").count() == 0
    stranger.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_its_window(visit: Visit, link: str, size: str, scheme: str) -> None:
    page = visit(link, size, scheme)
    seen = 0
    for address, wanted in (
        ("#/frames", ".tile"),
        ("#/runs", "h1"),
        ("#/studies", "h1"),
        ("#/run/short", ".strip"),
        ("#/step/short/1", ".step"),
    ):
        go_to(page, address, wanted)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= SIZES[size][0], address
        seen += 1
    assert seen == 5


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Runs whose every text that a stranger can choose is a payload, one video each."""
    folder = DataFolder(tmp_path_factory.mktemp("hostile") / "data")
    persona = PersonaRecord(id="p12", traits=PAYLOADS[:5], source=PAYLOADS[5], licence=PAYLOADS[6])
    with LedgerWriter(folder.ledger_path("bad"), fsync=False) as writer:
        config = {"study": "colours", "note": list(PAYLOADS), PAYLOADS[0]: PAYLOADS[1]}
        writer.append(started("bad", persona=persona, config=config, browser=PAYLOADS[4]))
        for at, text in enumerate(PAYLOADS):
            picture = jpeg("red", at)
            FrameStore(folder.frames_dir).put(picture, sync=False)
            video = Video(
                id=text,
                url=text,
                author=text,
                author_name=text,
                caption=text,
                hashtags=(text,),
                stickers=(text,),
                music_title=text,
                sources={"caption": text},
            )
            said = Judgement(answer="yes", reason=text, description=text, reply=text, fault=text)
            writer.append(step(at, frame(picture), video=video, judgement=said))
        writer.append(fault(len(PAYLOADS)).model_copy(update={"message": PAYLOADS[0]}))
        writer.append(finished(len(PAYLOADS)))
    other = persona.model_copy(update={"id": PAYLOADS[4]})
    keep_run(folder, "worse", ["blue"], strategy=PAYLOADS[8], persona=other, model=PAYLOADS[6])
    study = folder.study_dir("colours")
    study.mkdir(parents=True)
    (study / "study.toml").write_text(f"name = '''{PAYLOADS[0]}'''")
    return folder


def test_hostile_texts_do_nothing_on_any_page(visit: Visit, hostile: DataFolder) -> None:
    from playwright.sync_api import expect

    with served_explorer(hostile) as link, client_of(link) as owner:
        wait_until(owner, "ready")
        page = visit(link)
        result(page, f"{len(PAYLOADS) + 1} videos")
        pages = ["#/runs", "#/run/bad", "#/run/worse", "#/studies", "#/study/colours"]
        for address in pages:
            go_to(page, address, "h1")
        shown = 0
        for at, text in enumerate(PAYLOADS):
            go_to(page, f"#/step/bad/{at}", f"h1:has-text('Video {at} ')")
            assert page.evaluate("window.hit") is None, text
            whole = page.locator("#page").inner_text()
            assert " ".join(text.split()) in " ".join(whole.split()), text
            shown += 1
        assert shown == len(PAYLOADS)
        for text in PAYLOADS:
            page.evaluate(SEARCH, text)
            typed = page.get_by_label("Words of caption or author")
            expect(typed).to_have_value(" ".join(text.splitlines()).replace(" Set", "Set"))
        assert page.evaluate("window.hit") is None
        assert page.locator("#page, #keys").count() == 2
        assert page.locator("script").count() == 1
        page.goto("about:blank")


REDIRECT = "<meta http-equiv=refresh content='0;url=http://127.0.0.1:9/plain'>"


@pytest.mark.parametrize(
    "address",
    [
        "#/../api/tiles",
        "#/%2e%2e/api/tiles",
        "#/x/../../api/tiles",
        "#/..\\api/tiles",
        "#/%2E./api/tiles?from=0",
        "#/.%2e%2fapi%2ftiles",
        "#//../api/state",
    ],
)
def test_an_address_puts_nothing_but_pages_in_place(
    visit: Visit, tmp_path: Path, address: str
) -> None:
    """Captions in JSON are text there; as a page they would be markup, and lead elsewhere."""
    data = DataFolder(tmp_path / "data")
    with LedgerWriter(data.ledger_path("r1"), fsync=False) as writer:
        writer.append(started("r1"))
        writer.append(step(0, video=Video(id="v", caption=REDIRECT + "<h1>Session expired</h1>")))
        writer.append(finished(1))
    with served_explorer(data) as link, client_of(link) as owner:
        wait_until(owner, "ready")
        page = visit(link)
        result(page, "1 video")
        page.evaluate("(to) => { location.hash = to; }", address)
        page.locator("#page .empty", has_text="There is no such page").wait_for()
        assert page.locator("h1, meta[http-equiv]").count() == 0
        assert page.url.startswith(link.partition("/#")[0])
        page.goto("about:blank")


def test_what_is_typed_while_everything_is_still_being_read_stays(
    visit: Visit, data: DataFolder
) -> None:
    with served_explorer(data) as link:
        page = visit(link)
        result(page, "603 videos")
        field = page.get_by_label("What pictures show")
        field.fill("half a sent")
        page.wait_for_timeout(2500)  # two rounds of news
        assert field.input_value() == "half a sent"
        page.goto("about:blank")  # before the explorer ends, which the page would tell

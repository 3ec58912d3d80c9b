"""Side by side, live and reports in a real browser: by key, and against hostile text."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from PIL import Image

from agent.cli import cli
from agent.daemon.web.address import write_address
from agent.drivers.web.browser import find_browser, list_arguments
from store.frames.frame_store import FrameStore
from store.jsonl.atomic import write_whole
from store.jsonl.locks import NamedLock
from store.privacy.forget import forget
from store.privacy.forget_plan import Request
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Fault, Judgement, PersonaRecord, Video, Windows
from store.runs.rejudgements import JudgementWriter, RejudgedAnswer, RejudgementHeader
from tests.agent.daemon.made_data_folder import World, served
from tests.agent.explorer.film_samples import OTHER, SHARED, A, B, judge_of, keep_feeds
from tests.agent.explorer.hostile_payloads import PAYLOADS
from tests.agent.explorer.served_explorer import client_of, served_explorer, wait_until
from tests.agent.explorer.test_report_files import PAGE
from tests.store.samples import START, finished, frame, jpeg, keep_run, opening, started, step

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZES = {"desk": (1280, 800), "telephone": (390, 844)}
SOON_S = 2.0
"""Within this time what goes on is on the page, of a machine that is not busy otherwise."""
Visit = Callable[..., "Page"]


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
    folder = DataFolder(tmp_path_factory.mktemp("films") / "data")
    keep_feeds(folder)
    write_whole(folder.run_dir(A) / "report" / "index.html", PAGE)
    return folder


@pytest.fixture(scope="module")
def link(data: DataFolder) -> Iterator[str]:
    with served_explorer(data) as found, client_of(found) as owner:
        wait_until(owner, "ready")
        yield found


SERVER_OVER = "ERR_CONNECTION_REFUSED"
"""Of a page that asked once more after its server ended, as it does before a tab is closed."""


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens a page of an explorer; it may complain of nothing, and ask nobody else."""
    opened: list[tuple[Page, list[str]]] = []

    def go(link: str, page: str, size: str = "desk", scheme: str = "light") -> Page:
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        tab = context.new_page()
        said: list[str] = []
        base = link.partition("/#")[0]
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("console", lambda told: said.append(f"{told.type}: {told.text}"))
        tab.on("dialog", lambda one: said.append(one.message))
        tab.on(
            "request",
            lambda asked: None if asked.url.startswith((base, "blob:")) else said.append(asked.url),
        )
        opened.append((tab, said))
        tab.goto(f"{link}&page={quote(page)}")
        tab.locator("h1").wait_for()
        tab.evaluate("() => new Promise(requestAnimationFrame)")
        return tab

    yield go
    for tab, said in opened:
        tab.context.close()
        assert [one for one in said if SERVER_OVER not in one] == []


def test_two_feeds_are_gone_through_by_key_and_the_address_keeps_the_place(
    visit: Visit, link: str
) -> None:
    page = visit(link, f"pair?a={A}")
    page.locator(".now", has_text="Position 0").wait_for()
    assert page.locator("select[name=b]").input_value() == B, "the nearest one"
    assert page.locator("li.shared").count() == 1
    player = page.locator("[data-player=a]")
    assert player.locator(".answer").inner_text() == "yes"
    for _ in range(SHARED):
        page.keyboard.press("ArrowRight")
    page.locator(".now", has_text="the same video in both, answers differ").wait_for()
    assert player.locator(".caption").inner_text() == "<b>shared</b> by @anna"
    shown = page.locator(".player .frame img")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.frame img')].every(i => i.naturalWidth)"
    )
    assert shown.count() == 2
    assert f"at={SHARED}" in page.url
    page.reload()
    page.locator(".now", has_text=f"Position {SHARED}").wait_for()
    page.keyboard.press("End")
    page.locator(".now", has_text="Position 5").wait_for()
    assert page.locator("[data-player=b] .answer").inner_text() == "no video"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Home")
    page.locator(".now", has_text="Position 0").wait_for()
    page.locator("li[data-position='1']").click()
    page.locator(".now", has_text="Position 1").wait_for()
    for mark in ("embedded feed", "embedded feed, looks like tiktok", "made-up answers"):
        assert page.locator(".badge", has_text=mark).count() >= 1


def test_another_run_or_judge_is_chosen_from_the_list(
    visit: Visit, link: str, data: DataFolder
) -> None:
    page = visit(link, f"run/{A}")
    page.get_by_role("link", name="Beside another run").click()
    page.locator("select[name=b]").select_option(judge_of(data))
    page.locator("h2", has_text="judged again as p05").wait_for()
    assert page.locator("li.shared").count() == 0
    assert page.locator("li.differs").count() == 1
    page.locator("select[name=b]").select_option(OTHER)
    page.locator("h2", has_text="p09").wait_for()
    assert page.locator("[data-player=b] .badge").count() == 0


def test_a_picture_and_a_video_are_made_and_kept_by_the_browser(visit: Visit, link: str) -> None:
    page = visit(link, f"pair?a={A}&b={B}")
    page.locator("[data-export]").click()
    assert page.locator("dialog input[name=blur]").is_checked() is False
    assert page.get_by_text("stays in your copy").is_visible()
    with page.expect_download() as told:
        page.get_by_role("button", name="Make it").click()
    assert told.value.suggested_filename == "feedsway-side-by-side.png"
    with Image.open(io.BytesIO(Path(told.value.path()).read_bytes())) as picture:
        assert picture.size == (1920, 1080)
    page.locator("dialog input[name=kind][value=mp4]").check()
    page.locator("dialog input[name=last]").fill("1")
    with page.expect_download() as told:
        page.get_by_role("button", name="Make it").click()
    assert Path(told.value.path()).read_bytes()[4:8] == b"ftyp"
    page.locator("dialog input[name=first]").fill("70")
    page.get_by_role("button", name="Make it").click()
    page.locator(".making", has_text="There is no video at positions 70 to 1").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_function("() => !document.querySelector('dialog.export').open")
    assert "#/pair?" in page.url, "the key closed the dialog alone"


def test_an_export_needs_the_token_and_its_file_the_key(link: str) -> None:
    with client_of(link) as owner:
        query = f"a={A}&b={B}&kind=png"
        assert owner.post(f"/api/film?{query}", headers={"Authorization": "x"}).status_code == 403
        assert owner.post("/api/film?kind=png").status_code == 400
        name = owner.post(f"/api/film?{query}").json()["film"]
        state = owner.get(f"/api/film/{name}")
        while not state.json()["ready"]:
            assert state.json()["problem"] == ""
            time.sleep(0.05)
            state = owner.get(f"/api/film/{name}")
        assert state.json()["done"] == state.json()["total"] == 10
        plain = {"Authorization": ""}
        assert owner.get(f"/pictures/film/{name}", headers=plain).status_code == 403
        key = owner.get("/api/state").json()["key"]
        found = owner.get(f"/pictures/film/{name}?key={key}", headers=plain)
        assert found.headers["content-disposition"].startswith("attachment")
        missing = owner.post(f"/api/film?a={A}&b=none&kind=png").json()["film"]
        while not owner.get(f"/api/film/{missing}").json()["problem"]:
            time.sleep(0.05)
        assert owner.get("/api/film/none").status_code == 404


def test_an_export_of_what_was_forgotten_is_gone(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", ["red", "blue"])
    keep_run(data, "r2", ["green", "blue"], first=5)
    with served_explorer(data) as link, client_of(link) as owner:
        name = owner.post("/api/film?a=r1&b=r2&kind=png").json()["film"]
        while not owner.get(f"/api/film/{name}").json()["ready"]:
            time.sleep(0.05)
        address = f"/pictures/film/{name}?key={owner.get('/api/state').json()['key']}"
        given = owner.get(address)
        assert (given.status_code, given.headers["cache-control"]) == (200, "no-store")
        forget(data, Request(asked="video", value="r2-1", at=START))
        assert owner.get(address).status_code == 404


BLANKS = """() => {
  window.blanks = 0;
  const look = () => {
    const image = document.querySelector('.live-frame img');
    if (!image || image.hidden || !image.complete || !image.naturalWidth) window.blanks += 1;
    requestAnimationFrame(look);
  };
  look();
}"""
"""Counts pictures of the screen on which there is no frame to see."""


def test_a_run_is_seen_step_by_step_and_nothing_blinks(
    visit: Visit, tmp_path: Path, browser: Browser
) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "old", ["red"])
    with served_explorer(data) as link, client_of(link) as owner:
        wait_until(owner, "ready")
        page = visit(link, "live")
        page.get_by_text("Nothing is running. Type: python -m agent run").wait_for()
        assert page.locator(".live-run").count() == 0
        frames, pictures = FrameStore(data.frames_dir), [jpeg("red", at) for at in range(2)]
        steps = [step(at, frame(one), answer="yes") for at, one in enumerate(pictures)]
        took: list[float] = []
        writer = LedgerWriter(data.ledger_path("going"), fsync=False)
        writer.append(started("going", windows=Windows(before=4, after=4)))
        page.locator(".live-who", has_text="p12 on playground").wait_for()
        for at, one in enumerate(pictures):
            frames.put(one, sync=False)
            video = Video(id=str(at), caption=f"{PAYLOADS[at]} {at}")
            now = {"video": video, "at": datetime.now(UTC)}
            began = time.monotonic()
            writer.append(opening(steps[at].model_copy(update=now)))
            page.locator(".live-ago", has_text=f"Position {at}, ").wait_for()
            took.append(time.monotonic() - began)
            assert "the hands act on it" in page.locator(".live-ago").inner_text()
            said = page.locator(".live-caption").inner_text()
            assert " ".join(said.split()) == " ".join(f"{PAYLOADS[at]} {at}".split())
            writer.append(steps[at].model_copy(update=now))
            page.locator(".live-window", has_text=f"{at + 1} of 4").wait_for()
            name = steps[at].frames[0].sha256
            page.locator(f".live-frame img[src*='{name}']").wait_for()
            if at == 0:
                page.evaluate(BLANKS)
        assert page.evaluate("window.blanks") == 0
        assert min(took) < SOON_S
        assert page.locator(".live-window", has_text="yes 2 of 2").count() == 1
        assert page.locator(".live-fault").is_hidden()
        wall = Fault(
            at=datetime.now(UTC),
            position=2,
            fault="ChallengeShown",
            message=PAYLOADS[4],
            recovered=False,
        )
        writer.append(wall)
        page.locator(".live-fault", has_text="ChallengeShown").wait_for()
        assert page.evaluate("window.hit") is None
        writer.append(finished(2))
        writer.close()
        page.get_by_text("Nothing is running").wait_for()
        assert page.locator(".live-run").count() == 0
        page.goto("about:blank")  # its last question would find nobody


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("telephone", "dark")])
def test_no_page_is_wider_than_its_window(
    visit: Visit, link: str, data: DataFolder, size: str, scheme: str
) -> None:
    with LedgerWriter(data.ledger_path(f"going-{size}-{scheme}"), fsync=False) as writer:
        writer.append(started(f"going-{size}-{scheme}"))
        page = visit(link, f"pair?a={A}", size, scheme)
        seen = 0
        for address, wanted in ((f"#/pair?a={A}&b={OTHER}", ".columns"), ("#/live", ".live-run")):
            page.evaluate("(to) => { location.hash = to; }", address)
            page.locator(wanted).first.wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
            seen += 1
        assert seen == 2


def test_hostile_texts_do_nothing_side_by_side(visit: Visit, tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    persona = PersonaRecord(id=PAYLOADS[0], traits=PAYLOADS[:2], source="x", licence="y")
    for run in ("bad", "worse"):
        with LedgerWriter(data.ledger_path(run), fsync=False) as writer:
            writer.append(started(run, persona=persona, model=PAYLOADS[1], strategy=PAYLOADS[2]))
            for at, text in enumerate(PAYLOADS):
                picture = jpeg("red", at)
                FrameStore(data.frames_dir).put(picture, sync=False)
                writer.append(step(at, frame(picture), video=Video(id=text, caption=text)))
            writer.append(finished(len(PAYLOADS)))
    header = RejudgementHeader(
        run_id="bad",
        at=datetime.now(UTC),
        strategy=PAYLOADS[3],
        model=PAYLOADS[4],
        prompts={},
        seed=1,
        code_version="0",
    )
    seen = ledger.read(data.ledger_path("bad")).steps[0]
    with JudgementWriter(header.path(data.run_dir("bad")), header) as later:
        later.append([judged_as(PAYLOADS[5], seen.frames[0].sha256)])
    with served_explorer(data) as link, client_of(link) as owner:
        wait_until(owner, "ready")
        page = visit(link, "pair?a=bad&b=worse")
        for at, text in enumerate(PAYLOADS):
            page.locator(".now", has_text=f"Position {at},").wait_for()
            said = page.locator("[data-player=a] .caption").inner_text()
            assert " ".join(said.split()) == " ".join(text.split())
            page.keyboard.press("ArrowRight")
        assert page.evaluate("window.hit") is None
        values = page.locator("select[name=b] option").evaluate_all("all => all.map(o => o.value)")
        (judge,) = [one for one in values if one.startswith("bad/")]
        page.locator("select[name=b]").select_option(judge)
        page.locator("h2", has_text="judged again as").wait_for()
        assert page.evaluate("window.hit") is None
        assert page.locator("script").count() == 1


def judged_as(persona: str, sha256: str) -> RejudgedAnswer:
    return RejudgedAnswer(
        persona=persona, position=0, frame=sha256, judgement=Judgement(answer="no", p_yes=0.5)
    )


def test_a_written_report_opens_in_a_tab_in_which_no_script_runs(visit: Visit, link: str) -> None:
    page = visit(link, f"run/{A}")
    with page.expect_popup() as told:
        page.get_by_role("link", name="The written report").click()
    report = told.value
    report.locator("h1", has_text="The report").wait_for()
    assert report.title() == "It", "its script did not run"
    assert report.evaluate("window.origin") == "null", "a sandbox has no origin"


def test_the_daemons_page_and_the_explorer_link_to_each_other(
    visit: Visit, tmp_path: Path, browser: Browser
) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", ["red"])
    world = World(data, datetime.now(UTC))
    lock = NamedLock(data.explorer_dir / "lock")
    try:
        with served(world) as daemon, served_explorer(data) as link, client_of(link) as owner:
            base, _, token = daemon.partition("/#token=")
            asked = {"Authorization": f"Bearer {token}", "Origin": base}
            path = f"{base}/api/explorer"
            assert owner.get(path, headers={"Origin": base}).status_code == 403
            assert owner.get(path, headers=asked).json() == {"link": None}, "no lock is held"
            lock.acquire()
            assert owner.get(path, headers=asked).json() == {"link": f"{link}&page=live"}
            assert owner.get("/api/live").json()["daemon"] == daemon
            page = browser.new_page()
            page.goto(daemon)
            with page.expect_popup() as told:
                page.locator("#explorer").click()
            told.value.locator("h1", has_text="Live").wait_for()
            told.value.get_by_role("link", name="The daemon’s page").wait_for()
            page.context.close()
            world.lock.release()
            with client_of(link) as again:
                time.sleep(0.6)
                assert again.get("/api/live").json()["daemon"] is None
    finally:
        lock.release()
        world.close()


def test_the_command_begins_with_a_study_or_a_run(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", ["red"], config={"study": "two arms"})
    there = write_address(data.explorer_dir, "http://127.0.0.1:1")
    lock = NamedLock(data.explorer_dir / "lock")
    lock.acquire()
    try:
        words = ["open", "--no-browser", "--data", str(data.root)]
        told = {what: CliRunner().invoke(cli, [*words, what]) for what in ("two arms", "r", "x")}
    finally:
        lock.release()
    assert told["two arms"].stdout.strip() == f"{there.link}&page=study/two%2520arms"
    assert told["r"].stdout.strip() == f"{there.link}&page=run/r1"
    assert told["x"].exit_code == 2

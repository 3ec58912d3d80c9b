"""The page in a real browser: at a desk, on a telephone, in the dark, on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent.drivers.web.browser import find_browser
from analysis.report.group_measures import measure
from analysis.report.report_inputs import read_study
from analysis.report.report_page import MOST_OPEN, compose, render
from tests.analysis import made_results
from tests.analysis.report.conftest import NOW

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = (1280, 768, 360)
TWO_SCREENS = 2 * 1080


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser().path)
        yield browser
        browser.close()


def opened(browser: Browser, path: Path, width: int, **options: object) -> tuple[Page, list[str]]:
    """The page at a width, and everything that the browser complained of or fetched."""
    context = browser.new_context(viewport={"width": width, "height": 800}, **options)  # type: ignore[arg-type]
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if _beyond(request.url) else None)
    page.goto(path.as_uri())
    return page, said


def _beyond(url: str) -> bool:
    return not url.startswith(("file:", "data:"))


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_hangs_over_the_edge(browser: Browser, page: Path, width: int) -> None:
    shown, said = opened(browser, page, width)
    wide, inner = shown.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
    assert inner == width
    assert wide <= inner
    assert said == []
    broken = "[...document.images].filter(i => !i.complete || !i.naturalWidth).length"
    assert shown.evaluate("document.images.length") > 40
    assert shown.evaluate(broken) == 0
    shown.context.close()


def test_nothing_runs_or_loads_that_a_caption_smuggled_in(browser: Browser, page: Path) -> None:
    shown, said = opened(browser, page, 1280)
    shown.evaluate(
        """() => {
            const hostile = document.createElement("div");
            hostile.innerHTML = "<img src=x onerror='window.hit = 1'><img src=http://127.0.0.1:9/>";
            document.body.append(hostile);
            const script = document.createElement("script");
            script.textContent = "window.hit = 2";
            document.body.append(script);
        }"""
    )
    shown.wait_for_timeout(100)
    assert shown.evaluate("window.hit") is None
    assert len([words for words in said if "Content Security Policy" in words]) >= 3
    shown.context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_text_keeps_its_size_and_plots_their_room(browser: Browser, page: Path, width: int) -> None:
    shown, _ = opened(browser, page, width)
    assert (
        shown.evaluate(
            "Math.min(...[...document.querySelectorAll('p,td,th,dt,dd,li,span,small')]"
            ".filter(e => e.offsetParent).map(e => parseFloat(getComputedStyle(e).fontSize)))"
        )
        >= 10
    )
    plots = shown.evaluate(
        "[...document.querySelectorAll('svg.figure')].map(e => e.getBoundingClientRect().width)"
    )
    assert len(plots) > 15
    assert min(plots) > 90
    shown.context.close()


def test_the_dark_page_is_dark_and_can_be_read(browser: Browser, page: Path) -> None:
    luminance = """() => {
      const of = text => { const [r, g, b] = text.match(/\\d+/g).map(Number);
        const f = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
        return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
      const style = getComputedStyle(document.body);
      const soft = getComputedStyle(document.querySelector('.lead'));
      return [style.backgroundColor, style.color, soft.color].map(of); }"""
    for scheme in ("dark", "light"):
        shown, _ = opened(browser, page, 1280, color_scheme=scheme)
        paper, ink, soft = shown.evaluate(luminance)
        assert (paper < 0.05) == (scheme == "dark")
        for text in (ink, soft):
            high, low = max(paper, text), min(paper, text)
            assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 2, level AA
        shown.context.close()


def test_the_page_prints(browser: Browser, page: Path) -> None:
    shown, _ = opened(browser, page, 1280, color_scheme="dark")
    shown.emulate_media(media="print")
    assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert shown.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert len(shown.pdf(format="A4")) > 20_000
    shown.context.close()


def test_a_number_leads_to_its_source(browser: Browser, page: Path) -> None:
    shown, _ = opened(browser, page, 1280, java_script_enabled=False)
    shown.locator(".big a.n").click()
    place = shown.locator(f"#{shown.url.partition('#')[2]}")
    assert place.is_visible()
    assert "treatment_minus_control" in place.inner_text()
    shown.context.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study of 18 groups."""
    data = made_results.crossed_study(tmp_path_factory.mktemp("large"), "large")
    measures = measure(read_study(data, "large"), np.random.default_rng(0))
    assert len(measures.groups) == 18
    path = data.root / "index.html"
    path.write_text(render(compose(measures, 0, NOW)).html, encoding="utf-8")
    return path


def test_the_overview_of_a_large_study_fits_two_screens(browser: Browser, large: Path) -> None:
    shown, said = opened(browser, large, 1440)
    assert shown.evaluate("document.documentElement.scrollHeight") <= TWO_SCREENS
    wide, room = shown.evaluate(
        "(t => [t.scrollWidth, t.clientWidth])(document.querySelector('.scroll'))"
    )
    assert wide <= room
    assert shown.locator("table").first.locator("tbody tr").count() == 18 > MOST_OPEN
    assert said == []
    shown.context.close()


def test_a_folded_chapter_opens_where_a_link_leads_to_it(browser: Browser, large: Path) -> None:
    shown, _ = opened(browser, large, 1440, java_script_enabled=False)
    assert not shown.locator("#g5 h2").first.is_visible()
    shown.locator("a[href='#g5']").first.click()
    assert shown.locator("#g5 h2").first.is_visible()
    assert not shown.locator("#g4 h2").first.is_visible()
    shown.locator("table a.n").first.click()
    assert shown.locator("#from-1").is_visible()
    shown.context.close()


def test_folded_chapters_are_printed(browser: Browser, large: Path) -> None:
    shown, _ = opened(browser, large, 1440)
    shown.emulate_media(media="print")
    height = shown.evaluate("document.documentElement.scrollHeight")
    assert height > 18 * 2000
    assert shown.evaluate("document.querySelector('#methods').getBoundingClientRect().height") > 100
    shown.context.close()


def test_the_chapters_of_a_small_study_are_open(page: Path) -> None:
    assert "<details class=" not in page.read_text(encoding="utf-8")


def test_the_contents_lead_to_every_section(browser: Browser, page: Path) -> None:
    shown, said = opened(browser, page, 1280)
    links = shown.locator("nav.contents a")
    targets = links.evaluate_all(
        "links => links.map(link => document.querySelector(link.hash)?.querySelector('h2')"
        "?.textContent.startsWith(link.textContent.slice(0, 12)))"
    )
    assert len(targets) > 10
    assert all(targets)
    headings = shown.locator("main section > h2").evaluate_all("all => all.map(h => h.textContent)")
    named = links.evaluate_all("links => links.map(link => link.textContent)")
    assert [each for each in headings if not any(each.startswith(name) for name in named)] == []
    links.filter(has_text="Excluded videos").click()
    assert shown.evaluate("location.hash") == "#g1-excluded"
    assert said == []
    shown.context.close()


def test_notes_count_up_and_are_the_numbers_of_the_list(browser: Browser, page: Path) -> None:
    shown, _ = opened(browser, page, 1280)
    notes = shown.locator("a.ref").evaluate_all(
        "all => all.map(note => [Number(note.textContent),"
        " [...document.querySelectorAll('#sources li')]"
        ".indexOf(document.querySelector(note.hash)) + 1])"
    )
    assert len(notes) > 10
    assert [number for number, _ in notes] == [place for _, place in notes]
    first = list(dict.fromkeys(number for number, _ in notes))
    assert first == list(range(1, len(first) + 1))
    shown.context.close()


@pytest.mark.parametrize("width", [1280, 360])
def test_a_frame_has_its_caption_and_grows_where_it_is_focused(
    browser: Browser, page: Path, width: int
) -> None:
    shown, _ = opened(browser, page, width)
    frames = shown.locator(".frames figure")
    assert frames.count() > 40
    captions = frames.locator("figcaption").all_inner_texts()
    assert len(captions) == frames.count()
    assert all(caption.strip() for caption in captions)
    picture = frames.nth(1).locator("img")
    before = picture.bounding_box()
    frames.nth(1).focus()
    shown.wait_for_timeout(300)  # it grows by a transition
    after = picture.bounding_box()
    assert before is not None
    assert after is not None
    assert after["width"] > 2 * before["width"]
    wide, inner = shown.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
    assert wide <= inner
    shown.context.close()

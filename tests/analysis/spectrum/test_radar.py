"""The radar's names in a real browser: as large as other text, beside the drawing, apart."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from agent.drivers.web.browser import find_browser
from analysis.report.figures import radar
from analysis.report.page_files import TEMPLATES as REPORT
from analysis.spectrum.spectrum_page import TEMPLATES
from analysis.statistics.estimate import Estimate
from personas.values import values


@pytest.mark.parametrize("width", [1280, 760, 360])
def test_names_can_be_read_at_every_width(tmp_path: Path, width: int) -> None:
    from playwright.sync_api import sync_playwright

    names = [value.name for value in values()]
    assert len(names) >= 10
    scores = [Estimate(float(20 + 7 * place)) for place in range(len(names))]
    style = "".join(
        path.read_text("utf-8") for path in (REPORT / "style.css", TEMPLATES / "spectrum.css")
    )
    page = tmp_path / "page.html"
    page.write_text(
        "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<style>{style}</style><main><div class=look><figure class=card>"
        f"{radar(names, scores, scores)}</figure><figure class=card></figure></div></main>",
        encoding="utf-8",
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser().path)
        shown = browser.new_page(viewport={"width": width, "height": 900})
        shown.goto(page.as_uri())
        labels = shown.locator(".radar span")
        assert labels.all_inner_texts() == names
        sizes = labels.evaluate_all(
            "all => all.map(one => parseFloat(getComputedStyle(one).fontSize))"
        )
        assert min(sizes) >= 12
        boxes = labels.evaluate_all("all => all.map(one => one.getBoundingClientRect().toJSON())")
        card = shown.locator("figure.card").first.bounding_box()
        assert card is not None
        for box in boxes:
            assert box["left"] >= card["x"]
            assert box["right"] <= card["x"] + card["width"]
        for one, two in combinations(boxes, 2):
            beside = one["right"] <= two["left"] or two["right"] <= one["left"]
            assert beside or one["bottom"] <= two["top"] or two["bottom"] <= one["top"]
        browser.close()

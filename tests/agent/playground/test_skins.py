"""Skins hold any caption without a break in the page, as a real browser reads it."""

from __future__ import annotations

import json

from playwright.sync_api import sync_playwright

from agent.drivers.web.browser import find_browser
from agent.playground.skins.pages import _embedded
from store.untrusted.clean_text import clean_text
from tests.store.untrusted.hostile import captions

READ = """() => [...document.querySelectorAll("script")].map(
    (each) => each.textContent.length ? JSON.stringify(JSON.parse(each.textContent)) : "")"""


def test_no_caption_swallows_the_page_after_it() -> None:
    found = (clean_text(each) for each in captions(11, 200))
    told = [each for each in found if "<" in each or "-" in each]
    told += ["<!--<script>", "<!-- <script", "</script><script>", "]]>", "<!--", "-->"]
    page = "".join(
        f'<script type="application/json">{_embedded({"desc": each})}</script>' for each in told
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser().path)
        shown = browser.new_page()
        shown.set_content(f"<body>{page}<p>the rest of the page</p>")
        held = [json.loads(each)["desc"] for each in shown.evaluate(READ)]
        rest = shown.inner_text("p")
        browser.close()
    assert len(told) > 20
    assert held == told
    assert rest == "the rest of the page"

"""docs/playground.md names what there is, with the figures that hold."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from starlette.routing import Route

from agent.playground.__main__ import main
from agent.playground.app import PageLook, ServedSite, build_app
from agent.playground.catalogue import load_catalogue
from agent.playground.clip_folder import NEEDED, OPTIONAL, PICTURES, VIDEOS
from agent.playground.clip_maker import Workshop
from agent.playground.clips import ClipStore
from agent.playground.footage import load_footage
from agent.playground.recommend import AD_SHARE, BATCH, LIVE_SHARE, TASTES, Settings, Shelf
from agent.playground.visitors import Visitors

DOC = (Path(__file__).parents[3] / "docs" / "playground.md").read_text("utf-8")


def test_every_option_is_documented() -> None:
    for option in main.params:
        assert f"`{option.opts[0]}`" in DOC, option.opts


def test_every_address_is_documented(tmp_path: Path) -> None:
    store = ClipStore(tmp_path / "cache")
    shelf = Shelf(load_catalogue())
    visitors = Visitors(tmp_path / "state", shelf, Settings())
    app = build_app(
        ServedSite(load_catalogue(), visitors, store, Workshop(store, print), PageLook())
    )
    routes = [route.path for route in app.routes if isinstance(route, Route)]
    assert len(routes) == 9
    for path in routes:
        shown = path.split("{")[0]
        assert f"GET {shown}" in DOC or f"POST {shown}" in DOC, path


def test_the_figures_hold() -> None:
    items = load_catalogue().items
    kinds = Counter(item.kind for item in items)
    assert f"{len(items)} items: 300 videos on each of 16 themes" in DOC
    assert f"{kinds['ad']} ads, {kinds['live']} live" in DOC
    assert f"{len(load_footage())} pieces of footage" in DOC
    sources = Counter(footage.source.split("/")[0] for footage in load_footage().values())
    assert f"| {sources['stills']} pictures | MIT |" in DOC
    assert f"drawn as scenes | {sources['scene']} scenes |" in DOC
    assert f"Batches have {BATCH} items" in DOC
    assert f"ad with\nprobability {AD_SHARE} and a live card with {LIVE_SHARE}" in DOC


def test_the_formulas_hold() -> None:
    listener, contrarian = TASTES["listener"], TASTES["contrarian"]
    assert "Q = 0.15 / T + 0.85 softmax(12 a)" in DOC
    assert "a = (S - m N) / (N + 8)" in DOC
    assert (listener.exploration, listener.sharpness, listener.caution) == (0.15, 12, 8)
    assert "Q = 0.05 / T + 0.95 softmax(-16 w a) with a = (S - m N) / (N + 5)" in DOC
    assert (contrarian.exploration, contrarian.sharpness, contrarian.caution) == (0.05, -16, 5)
    assert contrarian.warmup == 60


def test_the_columns_of_an_own_folder_are_documented() -> None:
    assert ",".join(NEEDED + OPTIONAL) in DOC
    for suffix in (VIDEOS | PICTURES) - {".jpeg"}:
        assert f"`{suffix}`" in DOC

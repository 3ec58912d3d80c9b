from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from dataclasses import astuple, replace
from itertools import pairwise

import pytest

from agent.playground import catalogue
from agent.playground.catalogue import DATA, CatalogueItem, load_catalogue, themes_of
from agent.playground.clip_frames import compose_frames, recipe_for
from agent.playground.fiducial_marker import CAPACITY
from agent.playground.footage import decode_film, load_footage, locate_footage
from store.frames.frame_store import describe

THEMES = {
    "animals",
    "art",
    "cars",
    "dance",
    "family",
    "fantasy",
    "fashion",
    "food",
    "gardening",
    "history",
    "homecraft",
    "music",
    "space",
    "sports",
    "technology",
    "travel",
}


def test_sixteen_themes_of_three_hundred_videos_each() -> None:
    videos = [item for item in load_catalogue().items if item.kind == "video"]
    assert set(load_catalogue().themes) == THEMES
    assert Counter(item.theme for item in videos) == dict.fromkeys(THEMES, 300)
    written = [item for item in videos if not item.edition]
    assert Counter(item.theme for item in written) == dict.fromkeys(THEMES, 30)


def test_a_variation_has_the_words_of_one_video_and_the_picture_of_another() -> None:
    items = load_catalogue().items
    varied = [item for item in items if item.edition]
    assert len(varied) == 16 * 270
    for item in varied:
        origin = items[item.origin or 0]
        assert origin.theme == item.theme
        assert origin.caption.rstrip(".") in item.caption
    others = sum(items[item.origin or 0].footage != item.footage for item in varied)
    assert others > 0.9 * len(varied)
    popular = {t: sum(i.likes for i in varied if i.theme == t) for t in THEMES}
    written = {t: sum(i.likes for i in items if i.theme == t and not i.edition) for t in THEMES}
    assert all(0.5 < popular[t] / (9 * written[t]) < 2 for t in THEMES)


def test_every_machine_has_the_same_catalogue() -> None:
    told = "\n".join(str(astuple(replace(item, file=None))) for item in load_catalogue().items)
    assert hashlib.sha256(told.encode()).hexdigest()[:16] == "079548a577bdc598"


@pytest.mark.parametrize(
    ("count", "alike"), [(4, 0), pytest.param(None, 2, marks=pytest.mark.drill)]
)
def test_nearly_every_video_has_a_frame_hash_of_its_own(count: int | None, alike: int) -> None:
    """Videos that share their footage are the most alike: first some pieces, then all."""
    groups: dict[str, list[CatalogueItem]] = {}
    for item in load_catalogue().items:
        if item.kind == "video":
            groups.setdefault(item.footage, []).append(item)
    hashes: dict[str, set[str]] = {theme: set() for theme in THEMES}
    looked = 0
    for name in sorted(groups)[:count]:
        footage = load_footage()[name]
        decoded = None if footage.layout == "scene" else decode_film(footage)
        for item in groups[name]:
            buffer = io.BytesIO()
            next(compose_frames(recipe_for(item, footage), decoded)).save(
                buffer, "JPEG", quality=85
            )
            hashes[item.theme].add(describe(buffer.getvalue()).phash)
            looked += 1
    assert looked == sum(len(groups[name]) for name in sorted(groups)[:count]) > 30
    assert sum(map(len, hashes.values())) == looked - alike


def test_items_are_numbered_as_they_lie_and_ids_tell_nothing() -> None:
    items = load_catalogue().items
    assert [item.number for item in items] == list(range(len(items)))
    assert len(items) <= CAPACITY
    assert len({item.id for item in items}) == len(items)
    assert all(len(item.id) == 9 and item.id.startswith("pg") for item in items)
    # in a random order, themes change between about 15 of 16 neighbours
    changes = sum(a.theme != b.theme for a, b in pairwise(items))
    assert changes > 0.8 * len(items)


def test_captions_are_distinct_and_do_not_name_their_theme() -> None:
    items = load_catalogue().items
    assert len({item.caption for item in items}) == len(items)
    for item in items:
        assert 4 <= len(item.caption.split()) <= 14, item.caption
        assert item.theme.rstrip("s") not in item.caption.lower().split(), item.caption
        assert 2 <= len(item.hashtags) <= 3
        assert item.theme not in item.hashtags


def test_there_are_ads_and_live_cards() -> None:
    kinds = Counter(item.kind for item in load_catalogue().items)
    assert kinds["ad"] >= 10
    assert kinds["live"] >= 8


def test_every_footage_is_there_has_a_licence_and_is_used() -> None:
    used = {item.footage for item in load_catalogue().items}
    assert used == set(load_footage())
    for footage in load_footage().values():
        if footage.layout == "scene":
            for icon in footage.source.removeprefix("scene/").split("+"):
                assert (DATA / "icons" / f"{icon}.webp").is_file()
        else:
            assert locate_footage(footage.source).is_file()
    with (DATA / "footage.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            assert row["licence"]
            assert row["origin"]
            assert row["seen"]


def test_each_theme_draws_on_many_pictures_and_no_clip_is_told_twice() -> None:
    sources = {t: {i.footage for i in load_catalogue().items if i.theme == t} for t in THEMES}
    assert min(map(len, sources.values())) >= 18
    takes = [(item.footage, item.take) for item in load_catalogue().items]
    assert len(set(takes)) == len(takes)


def test_footage_serves_one_theme_only() -> None:
    themes_by_footage: dict[str, set[str]] = {}
    for item in load_catalogue().items:
        themes_by_footage.setdefault(item.footage, set()).add(item.theme)
    assert all(len(found) == 1 for found in themes_by_footage.values())


def test_truth_is_told_by_id() -> None:
    truth = themes_of()
    assert len(truth) == len(load_catalogue().items)
    assert truth[load_catalogue().items[5].id] == load_catalogue().items[5].theme


def test_the_fingerprint_changes_with_what_can_be_served() -> None:
    whole = load_catalogue()
    assert catalogue.Catalogue(whole.items[:-1]).fingerprint != whole.fingerprint

from __future__ import annotations

from math import nan, sqrt
from statistics import fmean
from time import process_time

import numpy as np
import pytest

from agent.playground.catalogue import CatalogueItem, load
from agent.playground.recommend import (
    AD_SHARE,
    BATCH,
    FEEDS,
    LIVE_SHARE,
    TASTES,
    History,
    Settings,
    Shelf,
    next_batch,
    theme_chances,
)
from agent.playground.simulate import simulate

SHELF = Shelf(load())
NOTHING = History((), (), ())
YES_S, NO_S = 8.0, 0.8
VIEWERS = 60


def sway(feed: str, gain: float, seed: int) -> float:
    """Share of yes in the second 50 videos less that in the first, in pp, for an ideal viewer."""
    liked = set(np.random.default_rng(seed).choice(SHELF.catalogue.themes, 3, replace=False))

    def watch(item: CatalogueItem) -> float:
        return YES_S if item.theme in liked else NO_S

    feed_items = simulate(feed, gain, watch, 120, seed, SHELF)
    yes = [item.theme in liked for item in feed_items if item.kind == "video"][:100]
    return 100 * (fmean(yes[50:]) - fmean(yes[:50]))


def sways(feed: str, gain: float = 1.0) -> tuple[float, float]:
    """Mean over viewers, and its standard error."""
    found = [sway(feed, gain, seed) for seed in range(VIEWERS)]
    return float(np.mean(found)), float(np.std(found, ddof=1)) / sqrt(VIEWERS)


def watched(theme: str, seconds: float, count: int) -> History:
    pile = SHELF.piles[SHELF.catalogue.themes.index(theme)][:count]
    others = np.concatenate([p[:2] for p in SHELF.piles])
    served = [*map(int, others), *map(int, pile)]
    times = [2.0] * len(others) + [seconds] * count
    return History(served, times, [False] * len(served))


def test_the_listener_learns_and_the_contrarian_unlearns() -> None:
    listener, error = sways("listener")
    assert 32 < listener < 47  # 39 expected, standard error 1.3
    assert error < 2
    contrarian, _ = sways("contrarian")
    assert -14 < contrarian < -7  # -10.5 expected, standard error 0.7


@pytest.mark.parametrize("feed", ["random", "popular"])
def test_feeds_that_do_not_learn_do_not_sway(feed: str) -> None:
    mean, error = sways(feed)
    assert abs(mean) < 4.5 * error


def test_half_the_gain_sways_less() -> None:
    assert 10 < sways("listener", 0.5)[0] < sways("listener", 1.0)[0] - 8


@pytest.mark.parametrize("feed", FEEDS)
def test_without_gain_every_feed_is_the_random_one(feed: str) -> None:
    def loves_cars(item: CatalogueItem) -> float:
        return YES_S if item.theme == "cars" else 0.0

    served = simulate(feed, 0.0, loves_cars, 240, 3, SHELF)
    assert served == simulate("random", 1.0, loves_cars, 240, 3, SHELF)


def test_a_seed_repeats_itself_and_visitors_differ() -> None:
    settings = Settings("listener", 1.0, 5)
    first = next_batch(SHELF, settings, "a", 0, NOTHING)
    assert first == next_batch(SHELF, settings, "a", 0, NOTHING)
    assert len(first) == BATCH
    assert first != next_batch(SHELF, settings, "b", 0, NOTHING)
    assert first != next_batch(SHELF, settings, "a", 1, NOTHING)
    assert first != next_batch(SHELF, Settings("listener", 1.0, 6), "a", 0, NOTHING)


def test_nothing_repeats_before_its_theme_is_used_up() -> None:
    served = simulate("listener", 1.0, lambda item: YES_S if item.theme == "food" else 0.0, 600, 1)
    videos = [item.number for item in served if item.kind == "video"]
    food = [item.number for item in served if item.theme == "food" and item.kind == "video"]
    assert len(food) > 300  # so that all 300 were used up
    others = set(videos) - set(food)
    assert len([n for n in videos if n in others]) == len(others)
    assert len(set(food[:300])) == 300
    assert len(set(food[300:])) == len(food[300:])


def test_ads_and_live_cards_come_by_lot_whatever_is_watched() -> None:
    loved = simulate("listener", 1.0, lambda item: YES_S if item.kind != "video" else 0.0, 6000, 1)
    for kind, share in (("ad", AD_SHARE), ("live", LIVE_SHARE)):
        count = sum(item.kind == kind for item in loved)
        assert abs(count - 6000 * share) < 4 * sqrt(6000 * share * (1 - share))


def test_chances_lean_to_what_is_watched_and_keep_exploring() -> None:
    history = watched("music", YES_S, 8)
    music = SHELF.catalogue.themes.index("music")
    chances = theme_chances(SHELF, Settings("listener"), history)
    assert chances.sum() == pytest.approx(1)
    assert chances.argmax() == music
    assert chances.min() >= TASTES["listener"].exploration / 16
    assert theme_chances(SHELF, Settings("contrarian"), history).argmin() == music
    half = theme_chances(SHELF, Settings("listener", 0.5), history)
    assert half == pytest.approx(0.5 / 16 + 0.5 * chances)


def test_a_like_counts_and_a_place_without_report_does_not() -> None:
    plain = watched("music", 2.0, 8)
    music = SHELF.catalogue.themes.index("music")
    liked = History(plain.served, plain.watched_s, [n >= 32 for n in range(len(plain.served))])
    chances = theme_chances(SHELF, Settings("listener"), plain)
    assert theme_chances(SHELF, Settings("listener"), liked)[music] > chances[music]
    unseen = History(plain.served, [nan] * len(plain.served), liked.liked)
    assert theme_chances(SHELF, Settings("listener"), unseen) == pytest.approx(1 / 16)


def test_the_listener_recovers_when_the_taste_changes() -> None:
    seen: list[CatalogueItem] = []

    def fickle(item: CatalogueItem) -> float:
        seen.append(item)
        return YES_S if item.theme == ("space" if len(seen) < 100 else "dance") else 0.0

    served = [item.theme for item in simulate("listener", 1.0, fickle, 500, 2, SHELF)]
    assert served[60:100].count("space") > 20
    assert served[400:].count("dance") > served[400:].count("space")


def test_popular_follows_likes_and_nobody() -> None:
    chances = theme_chances(SHELF, Settings("popular"), NOTHING)
    assert chances == pytest.approx(SHELF.popularity)
    assert (theme_chances(SHELF, Settings("popular"), watched("music", YES_S, 8)) == chances).all()


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="--feed listener"):
        Settings("psychic")
    with pytest.raises(ValueError, match="--gain 1"):
        Settings("listener", 1.5)


def test_simulating_is_quick() -> None:
    def indifferent(_: CatalogueItem) -> float:
        return 1.0

    simulate("listener", 1.0, indifferent, 100, 0, SHELF)
    started = process_time()
    for seed in range(20):
        simulate("listener", 1.0, indifferent, 100, seed, SHELF)
    assert (process_time() - started) / 20 < 0.02  # about 1 ms on an idle machine

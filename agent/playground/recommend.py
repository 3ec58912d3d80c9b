"""What a visitor is served next: four recommenders as pure functions over what was watched.

Every feed chooses themes with ``P = (1 - gain) / T + gain Q``, where T is the number of themes and
Q is the feed's own opinion:

- ``random``: ``Q = 1 / T``.
- ``popular``: Q is proportional to the likes that the theme's items have; nobody changes it.
- ``listener``: ``Q = e / T + (1 - e) softmax(b a)``. The affinity ``a = (S - m N) / (N + k)`` of a
  theme comes from the N items of it that were watched, the sum S of their signals (the watched
  fraction, at most 1, plus a bonus for a like) and the visitor's own mean signal m over all
  themes; k holds back what rests on few items, e keeps exploring so that it can recover.
- ``contrarian``: the same with a negative b, which grows from nothing over the first videos.

Within a theme, the item is drawn uniformly from those shown least often to this visitor, so that
none repeats before the theme is used up. Ads and live cards take their places by lot, whatever
the visitor prefers, and teach nothing.

All draws come from a generator seeded with the seed, the visitor and the batch, and are used in
the same order by every feed: with gain 0, all feeds serve exactly the same items.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from agent.playground.catalogue import Catalogue, CatalogueItem, load_catalogue

Feed = Literal["listener", "popular", "random", "contrarian"]
FEEDS: tuple[str, ...] = get_args(Feed)

BATCH = 12
AHEAD = 4
"""The page asks for the next batch when this many items follow the one being watched."""
AD_SHARE = 0.03
LIVE_SHARE = 0.02
LIKE_BONUS = 0.5

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class AffinityResponse:
    """How a feed that learns turns affinities into chances."""

    sharpness: float
    """b: negative serves less of what is watched."""
    caution: float
    """k: items of a theme before half of its evidence counts."""
    exploration: float
    """e: share of places that ignore all evidence."""
    warmup: float = 0.0
    """Videos watched before b is reached, in even steps; it starts at nothing."""

    def sharpness_after(self, videos: int) -> float:
        return self.sharpness * min(1.0, videos / self.warmup) if self.warmup else self.sharpness


TASTES = {
    "listener": AffinityResponse(sharpness=12.0, caution=8.0, exploration=0.15),
    "contrarian": AffinityResponse(sharpness=-16.0, caution=5.0, exploration=0.05, warmup=60.0),
}


@dataclass(frozen=True)
class Settings:
    """What a site runs with; fixed for a visitor at the first visit."""

    feed: str = "listener"
    gain: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.feed not in FEEDS:
            raise ValueError(f"There is no feed {self.feed!r}. Type: --feed {'|'.join(FEEDS)}")
        if not 0 <= self.gain <= 1:
            raise ValueError(f"A gain lies between 0 and 1, not at {self.gain}. Type: --gain 1")


@dataclass(frozen=True)
class Shelf:
    """A catalogue as the recommenders see it: item numbers by theme, ads, live cards."""

    catalogue: Catalogue

    @cached_property
    def piles(self) -> tuple[Ints, ...]:
        """Numbers of the plain videos of each theme, in the order of ``catalogue.themes``."""
        return tuple(self._numbers("video", theme) for theme in self.catalogue.themes)

    @cached_property
    def ads(self) -> Ints:
        return self._numbers("ad")

    @cached_property
    def lives(self) -> Ints:
        return self._numbers("live")

    @cached_property
    def theme_of(self) -> Ints:
        """Index of each item's theme; -1 for ads and live cards."""
        index = {theme: number for number, theme in enumerate(self.catalogue.themes)}
        return np.array(
            [index[i.theme] if i.kind == "video" else -1 for i in self.catalogue.items],
            dtype=np.int64,
        )

    @cached_property
    def seconds(self) -> Floats:
        return np.array([item.seconds for item in self.catalogue.items])

    @cached_property
    def popularity(self) -> Floats:
        items = self.catalogue.items
        likes = [sum(items[number].likes + 1 for number in pile) for pile in self.piles]
        shares: Floats = np.array(likes, dtype=np.float64) / sum(likes)
        return shares

    def _numbers(self, kind: str, theme: str | None = None) -> Ints:
        items = self.catalogue.items
        return np.array(
            [i.number for i in items if i.kind == kind and theme in (None, i.theme)],
            dtype=np.int64,
        )


@dataclass(frozen=True)
class History:
    """What a visitor was served and how it was watched, by place of the feed."""

    served: Sequence[int]
    """Numbers of items."""
    watched_s: Sequence[float]
    """Seconds of content watched; ``nan`` where nothing was reported."""
    liked: Sequence[bool]


def watch_signals(shelf: Shelf, history: History) -> tuple[Ints, Floats]:
    """Theme indices and signals of the plain videos that were reported on."""
    served = np.asarray(history.served, dtype=np.int64)
    watched = np.asarray(history.watched_s, dtype=np.float64)
    themes = shelf.theme_of[served]
    counts = (themes >= 0) & ~np.isnan(watched)
    fraction = np.minimum(watched[counts] / shelf.seconds[served[counts]], 1.0)
    bonus = LIKE_BONUS * np.asarray(history.liked, dtype=np.float64)[counts]
    return themes[counts], fraction + bonus


def theme_chances(shelf: Shelf, settings: Settings, history: History) -> Floats:
    """Chance of each theme, in order, where neither ad nor live card stands. Sums to 1."""
    count = len(shelf.piles)
    uniform = np.full(count, 1 / count)
    if settings.feed == "random" or settings.gain == 0:
        return uniform
    if settings.feed == "popular":
        opinion = shelf.popularity
    else:
        taste = TASTES[settings.feed]
        themes, signal = watch_signals(shelf, history)
        affinity = _affinity(themes, signal, count, taste.caution)
        weight = np.exp(taste.sharpness_after(len(themes)) * affinity)
        opinion = taste.exploration * uniform + (1 - taste.exploration) * weight / weight.sum()
    return (1 - settings.gain) * uniform + settings.gain * opinion


def next_batch(
    shelf: Shelf, settings: Settings, visitor: str, batch: int, history: History
) -> list[int]:
    draws = _generator(settings.seed, visitor, batch).random((BATCH, 3))
    bounds = np.cumsum(theme_chances(shelf, settings, history))
    shown = np.bincount(
        np.asarray(history.served, dtype=np.int64), minlength=len(shelf.catalogue.items)
    )
    chosen = []
    for kind_draw, theme_draw, item_draw in draws:
        pile = _pile(shelf, bounds, kind_draw, theme_draw)
        times = shown[pile]
        freshest = pile[times == times.min()]
        number = int(freshest[int(item_draw * len(freshest))])
        shown[number] += 1
        chosen.append(number)
    return chosen


@dataclass(frozen=True)
class SimulatedBatch:
    """A batch that a simulated visitor was served, and what was known of it before."""

    known: History
    numbers: list[int]


def simulate_batches(
    shelf: Shelf, settings: Settings, viewer_fn: Callable[[CatalogueItem], float], n: int
) -> Iterator[SimulatedBatch]:
    """Serve a simulated visitor n items in batches, asked for where the page would."""
    served: list[int] = []
    watched: list[float] = []
    for batch in range(-(-n // BATCH)):
        unseen = [nan] * (len(served) - len(watched))
        known = History([*served], [*watched, *unseen], [False] * len(served))
        numbers = next_batch(shelf, settings, f"simulated-{settings.seed}", batch, known)
        served += numbers
        while len(served) - len(watched) > AHEAD + 1:
            watched.append(viewer_fn(shelf.catalogue.items[served[len(watched)]]))
        yield SimulatedBatch(known, numbers)


def simulate_visitor(
    feed: str,
    gain: float,
    viewer_fn: Callable[[CatalogueItem], float],
    n: int,
    seed: int,
    shelf: Shelf | None = None,
) -> list[CatalogueItem]:
    """Return the n items that a simulated visitor is served, ads and live cards included.

    Parameters
    ----------
    seed
        Of the site; the visitor is named after it.
    viewer_fn
        Given an item, for how many seconds of content it is watched.
    shelf
        The shipped catalogue by default; pass one along when simulating often.
    """
    shelf = shelf or Shelf(load_catalogue())
    batches = simulate_batches(shelf, Settings(feed, gain, seed), viewer_fn, n)
    served = [number for batch in batches for number in batch.numbers]
    return [shelf.catalogue.items[number] for number in served[:n]]


def _pile(shelf: Shelf, bounds: Floats, kind_draw: float, theme_draw: float) -> Ints:
    if kind_draw < AD_SHARE and len(shelf.ads):
        return shelf.ads
    if AD_SHARE <= kind_draw < AD_SHARE + LIVE_SHARE and len(shelf.lives):
        return shelf.lives
    # the last bound may be a rounding error below 1
    theme = min(int(np.searchsorted(bounds, theme_draw, side="right")), len(bounds) - 1)
    return shelf.piles[theme]


def _affinity(themes: Ints, signal: Floats, count: int, caution: float) -> Floats:
    if not len(themes):
        return np.zeros(count)
    items = np.bincount(themes, minlength=count)
    sums = np.bincount(themes, signal, minlength=count)
    affinity: Floats = (sums - signal.mean() * items) / (items + caution)
    return affinity


def _generator(seed: int, visitor: str, batch: int) -> np.random.Generator:
    digest = hashlib.sha256(visitor.encode()).digest()
    words = [int.from_bytes(digest[at : at + 4], "big") for at in range(0, 16, 4)]
    return np.random.default_rng([seed, *words, batch])

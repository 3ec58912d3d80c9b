"""Whole studies on the playground without a browser: its own recommender, a viewer by rule.

The viewer is a table of what each persona says of each item. The ideal one says yes to just the
items whose planted theme is one of the persona's; another table may hold a real viewer's answers.
Reactions, windows and exclusions are those of the run loop. Beside each answer stands the chance
of a yes that the recommender gave that place, so that the truth of a study is known without any
estimate.

Refuses to know how a study is judged: it gives plain arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import nan
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agent.config import Arm, Dwell
from agent.playground.catalogue import Catalogue, CatalogueItem
from agent.playground.recommend import BATCH, History, Settings, Shelf, theme_chances
from agent.playground.simulate import AHEAD, simulate
from personas.persona import Persona
from store.runs.records import Windows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Likes = Mask
"""What each persona says of each item; shape ``(personas, items)``."""
Feed = Literal["listener", "random", "contrarian"]
Tell = Callable[[int, int], None]

WINDOWS = Windows(before=24, adapt=24, after=52, baseline="passive")
"""The windows of a study unless its file says otherwise."""
DWELL = Dwell()
STUDIES_AT_ONCE = 50
_SPARE = 12
"""Items watched beyond the windows at first, for ads and live cards."""


def ideal(personas: Sequence[Persona], catalogue: Catalogue) -> Likes:
    """Say yes to an item if, and only if, its theme is one of the persona's."""
    themes = np.array([item.theme for item in catalogue.items])
    return np.array([np.isin(themes, persona.themes) for persona in personas])


def mistaken(
    likes: Likes, sensitivity: float, specificity: float, rng: np.random.Generator
) -> Likes:
    """Let a viewer err: each answer about an item is turned once and for all, by chance.

    Parameters
    ----------
    sensitivity, specificity
        Chance that a yes stays a yes, and that a no stays a no.
    """
    right = rng.random(likes.shape) < np.where(likes, sensitivity, specificity)
    return np.asarray(likes == right)


@dataclass(frozen=True)
class SimulationSetting:
    """What all runs of a simulated study share; the visitor's seed is drawn for each."""

    shelf: Shelf
    likes: Likes
    feed: Feed = "listener"
    gain: float = 1.0
    windows: Windows = WINDOWS
    dwell: Dwell = DWELL

    @property
    def yes_by_theme(self) -> Floats:
        """Share of a theme's videos that each persona says yes to; ``(personas, themes)``."""
        shares = [self.likes[:, pile].mean(1) for pile in self.shelf.piles]
        return np.stack(shares, axis=1)


@dataclass(frozen=True, eq=False)
class SimulatedFeeds:
    """What runs of one arm were shown: one entry for each eligible video, in order.

    Attributes
    ----------
    answers, chances
        What persona i says of the videos of run j, and the chance of a yes that the recommender
        gave each place; shape ``(S, K, K, n)``. Exact for the ideal viewer; where a
        theme is only partly liked, all its videos have the same chance.
    position, batch, requested_at
        As in a ledger; shape ``(S, K, n)``.
    """

    answers: Mask
    chances: Floats
    position: Ints
    batch: Ints
    requested_at: Ints


def studies(
    setting: SimulationSetting,
    members: Ints,
    arms: Sequence[Arm],
    rng: np.random.Generator,
    tell: Tell,
) -> Iterator[dict[Arm, SimulatedFeeds]]:
    """Simulate studies, some at a time, to bound memory.

    Parameters
    ----------
    members
        Personas of each study, as rows of ``setting.likes``; shape ``(S, K)``.
    arms
        Each persona has one run of each.
    tell
        Told how many of how many studies are done.
    """
    for start in range(0, len(members), STUDIES_AT_ONCE):
        lot = members[start : start + STUDIES_AT_ONCE]
        yield {arm: _arm(setting, lot, arm, rng) for arm in arms}
        tell(start + len(lot), len(members))


def _arm(
    setting: SimulationSetting, members: Ints, arm: Arm, rng: np.random.Generator
) -> SimulatedFeeds:
    seeds = rng.integers(2**31, size=members.shape)
    runs = [
        [watch(setting, int(persona), arm, int(seed)) for persona, seed in zip(*study, strict=True)]
        for study in zip(members, seeds, strict=True)
    ]
    columns = {
        name: np.array([[getattr(run, name) for run in study] for study in runs])
        for name in ("item", "chance", "position", "batch")
    }
    study = np.arange(len(members))[:, None, None, None]
    asked = setting.likes[members]  # (S, K, items)
    persona = np.arange(members.shape[1])[None, :, None, None]
    answers = asked[study, persona, columns["item"][:, None]]
    rates = setting.yes_by_theme[members]  # (S, K, themes)
    chances = np.einsum("sit,sjnt->sijn", rates, columns["chance"], optimize=True)
    batch = columns["batch"]
    requested_at = np.maximum(0, batch * BATCH - AHEAD - 2)  # the page asks as it moves on
    return SimulatedFeeds(answers, chances, columns["position"], batch, requested_at)


@dataclass(frozen=True, eq=False)
class WatchedVideos:
    """The eligible videos of one run.

    Attributes
    ----------
    item, position, batch
        Number in the catalogue, place in the feed, response that brought it; shape ``(n,)``.
    chance
        Chance of each theme when the batch was chosen; shape ``(n, themes)``. Where a theme is
        used up its videos come again, and count again, so the chance holds beyond that too.
    """

    item: Ints
    position: Ints
    batch: Ints
    chance: Floats


def watch(setting: SimulationSetting, persona: int, arm: Arm, seed: int) -> WatchedVideos:
    """Simulate one run to the end of its windows."""
    total = setting.windows.total
    length = total + _SPARE
    while True:
        viewer = _Viewer(setting, setting.likes[persona], arm)
        served = simulate(setting.feed, setting.gain, viewer, length, seed, setting.shelf)
        places = _eligible(served)[:total]
        if len(places) == total:
            break
        length += BATCH  # the same seed begins with the same items
    numbers = [item.number for item in served]
    settings = Settings(setting.feed, setting.gain, seed)
    chances = [
        theme_chances(setting.shelf, settings, _known(numbers, viewer.watched, batch))
        for batch in range(places[-1] // BATCH + 1)
    ]
    position = np.array(places)
    item = np.array(numbers)[position]
    batch = position // BATCH
    return WatchedVideos(item, position, batch, np.array(chances)[batch])


class _Viewer:
    """Reacts as the run loop does, and keeps how long each item was watched."""

    def __init__(self, setting: SimulationSetting, likes: Mask, arm: Arm) -> None:
        self.watched: list[float] = []
        self._windows, self._dwell = setting.windows, setting.dwell
        self._likes, self._passive = likes, arm == "passive"
        self._counted = 0

    def __call__(self, item: CatalogueItem) -> float:
        seconds = self._reaction(item)
        self.watched.append(seconds)
        return seconds

    def _reaction(self, item: CatalogueItem) -> float:
        if item.kind != "video":
            return self._dwell.swipe_s
        before = self._counted < self._windows.before
        self._counted += 1
        if self._passive or (before and self._windows.baseline == "passive"):
            return self._dwell.passive_s
        return self._dwell.stay_s if self._likes[item.number] else self._dwell.swipe_s


def _eligible(served: Sequence[CatalogueItem]) -> list[int]:
    """Places of the videos that count: no ads and no live cards."""
    return [place for place, item in enumerate(served) if item.kind == "video"]


def _known(numbers: Sequence[int], watched: Sequence[float], batch: int) -> History:
    """What the recommender knew when it chose a batch."""
    served = batch * BATCH
    reported = max(0, served - AHEAD - 1)
    seconds = [*watched[:reported], *([nan] * (served - reported))]
    return History(numbers[:served], seconds, [False] * served)

"""Whole studies on the playground without a browser: its own recommender, a viewer by rule.

The viewer is a table of what each persona says of each item. The ideal one says yes to just the
items whose planted theme is one of the persona's; another table may hold a real viewer's answers.
Reactions, windows and exclusions are those of the run loop. Beside each answer stands the chance
of a yes that the recommender gave that place, so that the truth of a study is known without any
estimate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agent.benchmarks.viewer_inputs import Tell, match_themes
from agent.playground.catalogue import Catalogue, CatalogueItem
from agent.playground.recommend import (
    AHEAD,
    BATCH,
    Settings,
    Shelf,
    simulate_batches,
    theme_chances,
)
from agent.run_config import Arm, Dwell
from personas.persona import Persona
from store.runs.ledger_lines import Windows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
Likes = Mask
"""What each persona says of each item; shape ``(personas, items)``."""
Feed = Literal["listener", "random", "contrarian"]

WINDOWS = Windows(before=24, adapt=24, after=52, baseline="passive")
"""The windows of a study unless its file says otherwise."""
_DWELL = Dwell()
STUDIES_AT_ONCE = 50
_SPARE = 12
"""Items watched beyond the windows at first, for ads and live cards."""


def make_ideal_likes(personas: Sequence[Persona], catalogue: Catalogue) -> Likes:
    """Say yes to just the items whose theme is one of the persona's."""
    return match_themes(personas, [item.theme for item in catalogue.items])


@dataclass(frozen=True)
class SimulationSetting:
    """What all runs of a simulated study share; the visitor's seed is drawn for each."""

    shelf: Shelf
    likes: Likes
    feed: Feed = "listener"
    gain: float = 1.0
    windows: Windows = WINDOWS

    @property
    def yes_by_theme(self) -> Floats:
        """Share of a theme's videos that each persona says yes to; ``(personas, themes)``."""
        shares = [self.likes[:, pile].mean(1) for pile in self.shelf.piles]
        return np.stack(shares, axis=1)


@dataclass(frozen=True, eq=False)
class SimulatedFeeds:
    """What runs of one arm were shown: one entry for each eligible video, in order.

    The last three are as in a ledger; shape ``(S, K, n)``.
    """

    answers: Mask
    """What persona i says of the videos of run j; shape ``(S, K, K, n)``."""
    chances: Floats
    """Chance of a yes that the recommender gave each place; shape ``(S, K, K, n)``.

    Exact for the ideal viewer; where a theme is only partly liked, all its videos have the same.
    """
    position: Ints
    batch: Ints
    requested_at: Ints


def simulate_studies(
    setting: SimulationSetting,
    members: Ints,
    arms: Sequence[Arm],
    rng: np.random.Generator,
    tell: Tell,
) -> Iterator[dict[Arm, SimulatedFeeds]]:
    """Simulate studies, one run of each arm a persona; some at a time, to bound memory.

    Parameters
    ----------
    members
        Personas of each study, as rows of ``setting.likes``; shape ``(S, K)``.
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
        [
            simulate_run(setting, int(persona), arm, int(seed))
            for persona, seed in zip(*study, strict=True)
        ]
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
    """The eligible videos of one run."""

    item: Ints
    """Number in the catalogue; shape ``(n,)``."""
    position: Ints
    """Place in the feed; shape ``(n,)``."""
    batch: Ints
    """Response that brought it; shape ``(n,)``."""
    chance: Floats
    """Chance of each theme when the batch was chosen; shape ``(n, themes)``.

    Where a theme is used up its videos come again, and count again, so it holds beyond that too.
    """


def simulate_run(setting: SimulationSetting, persona: int, arm: Arm, seed: int) -> WatchedVideos:
    """Simulate one run to the end of its windows. Ads and live cards do not count."""
    total = setting.windows.total
    items = setting.shelf.catalogue.items
    settings = Settings(setting.feed, setting.gain, seed)
    length = total + _SPARE
    while True:
        viewer = _Viewer(setting, setting.likes[persona], arm)
        batches = list(simulate_batches(setting.shelf, settings, viewer, length))
        numbers = [number for batch in batches for number in batch.numbers]
        watched = enumerate(numbers[:length])
        places = [place for place, number in watched if items[number].kind == "video"][:total]
        if len(places) == total:
            break
        length += BATCH  # the same seed begins with the same items
    chances = [
        theme_chances(setting.shelf, settings, batch.known)
        for batch in batches[: places[-1] // BATCH + 1]
    ]
    position = np.array(places)
    batch = position // BATCH
    return WatchedVideos(np.array(numbers)[position], position, batch, np.array(chances)[batch])


class _Viewer:
    """Reacts as the run loop does."""

    def __init__(self, setting: SimulationSetting, likes: Mask, arm: Arm) -> None:
        self._windows = setting.windows
        self._likes, self._passive = likes, arm == "passive"
        self._counted = 0

    def __call__(self, item: CatalogueItem) -> float:
        if item.kind != "video":
            return _DWELL.swipe_s
        before = self._counted < self._windows.before
        self._counted += 1
        if self._passive or (before and self._windows.baseline == "passive"):
            return _DWELL.passive_s
        return _DWELL.stay_s if self._likes[item.number] else _DWELL.swipe_s

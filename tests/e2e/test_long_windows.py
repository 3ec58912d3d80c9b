"""Long windows on a listening feed: the sway is what its recommender alone gives in simulation."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import numpy as np
import pytest

from agent.benchmarks.exhibits import caption_of
from agent.playground.catalogue import CatalogueItem, load
from agent.playground.recommend import Shelf
from agent.playground.simulate import simulate
from store.runs.ledger import Ledger
from tests.e2e.commands import feedsway, ledgers

PERSONAS = 8
SIMULATED = 200
LIKED = 3
"""Themes that each viewer likes."""
CERTAIN = 3.3
"""A right program lies further off less than once in a thousand."""


def words_of(viewer: int) -> list[str]:
    """The hashtags that only this viewer's themes have: a rule that a run can follow too."""
    themes = np.random.default_rng(viewer).permutation(load().themes)[:LIKED].tolist()
    tags: dict[bool, set[str]] = {True: set(), False: set()}
    for item in load().items:
        tags[item.theme in themes].update(item.hashtags)
    return sorted(tags[True] - tags[False])


def delivered(ledger: Ledger, answer: str) -> list[float]:
    """Dwells in seconds of the videos that got this answer: longer than asked where it is busy."""
    steps = [step for step in ledger.steps if step.judgement.answer == answer]
    return [step.reaction.dwell_s for step in steps if step.reaction.dwell_s is not None]


def simulated(words: list[str], ledger: Ledger, before: int, after: int) -> np.ndarray:
    """Sway in pp of visitors who follow the rule with a run's dwells, ads and live cards aside."""
    shelf = Shelf(load())

    def likes(item: CatalogueItem) -> bool:
        return any(word in caption_of(item).casefold() for word in words)

    stay, swipe = delivered(ledger, "yes"), delivered(ledger, "no")
    videos = round(1.2 * (before + after)) + 24
    draw = random.Random(0)

    def dwell(item: CatalogueItem) -> float:
        return draw.choice(stay if item.kind == "video" and likes(item) else swipe)

    sways = []
    for seed in range(SIMULATED):
        served = simulate("listener", 1.0, dwell, videos, seed, shelf)
        said = [likes(item) for item in served if item.kind == "video"][: before + after]
        sways.append(100 * (np.mean(said[before:]) - np.mean(said[:before])))
    return np.array(sways)


@pytest.mark.drill
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(("before", "after"), [(100, 100), (50, 100)])
def test_the_sway_is_what_the_recommender_gives(tmp_path: Path, before: int, after: int) -> None:
    off, spread = [], []
    for viewer in range(before, before + PERSONAS):  # others than the other windows' viewers
        words, data = words_of(viewer), tmp_path / str(viewer)
        done = feedsway(
            "run",
            "--persona",
            "p12",
            "--model",
            f"scripted/keywords?words={','.join(words)}",
            "--before",
            str(before),
            "--after",
            str(after),
            "--seed",
            str(1000 + viewer),
            "--no-index",
            "--data",
            str(data),
            "--json",
            timeout=3600,
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        (ledger,) = ledgers(data)
        expected = simulated(words, ledger, before, after)
        off.append(told["sway"]["value"] - expected.mean())
        spread.append(expected.std())
        assert sum(step.eligible for step in ledger.steps) == before + after
        assert not any(step.repeat for step in ledger.steps), "300 videos a theme are enough"
    error = math.sqrt(sum(sd**2 for sd in spread)) / PERSONAS
    print(f"{np.mean(off):+.1f} ± {error:.1f} pp off the simulation: {off}")  # noqa: T201 - figures
    assert abs(np.mean(off)) < CERTAIN * error, (off, spread)

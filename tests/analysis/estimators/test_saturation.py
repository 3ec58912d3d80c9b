"""Made-up curves with known saturation: does the interval hold it, and is it of use?"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.estimators.learning_curve import PLATEAU, find_rung, saturation
from analysis.simulation.calibration import rate
from analysis.statistics.intervals import crossed

Floats = NDArray[np.float64]
SIZES = (0, 16, 32, 64, 128, 256, 512)
MARGIN = 5.0
LEAST = 0.93
STUDIES = 300


def exponential(half: float) -> Floats:
    return 90 - 70 * np.exp2(-np.array(SIZES) / half)


def near_the_margin() -> Floats:
    """One rung just within the margin, and the one below it well outside."""
    curve = exponential(12)
    curve[2] = curve[-PLATEAU:].mean() - MARGIN + 1e-9
    return curve


def straddling() -> Floats:
    """Two neighbours on the two sides of the margin, closer together than any noise."""
    return np.array([20, 84.5, 85.5, 90, 90, 90, 90])


def ceiling() -> Floats:
    return np.array([10, 95, 99, 99, 99, 99, 99.0])


def graded(curve: Floats, seeds: int, videos: int, rng: np.random.Generator) -> Floats:
    """Scores whose trainings, videos and residue all vary; without training, once for all."""
    rungs = len(curve)
    scores: Floats = (
        curve[:, None, None]
        + rng.normal(0, 10, (1, 1, videos))
        + rng.normal(0, 2, (rungs, seeds, 1))
        + rng.normal(0, 8, (rungs, 1, videos))
        + rng.normal(0, 15, (rungs, seeds, videos))
    )
    scores[0] = scores[0, 0]
    return scores


def yes_or_no(curve: Floats, seeds: int, videos: int, rng: np.random.Generator) -> Floats:
    """Scores of 0 and 100 alone, drawn by each video's own inclination."""
    leaning = rng.normal(0, 8, (1, 1, videos)) * (curve * (100 - curve) / 2500)[:, None, None]
    chance = np.clip(curve[:, None, None] + leaning - leaning.mean(), 0, 100)
    scores: Floats = 100.0 * (100 * rng.random((len(curve), seeds, videos)) < chance)
    scores[0] = scores[0, 0]
    return scores


CURVES: dict[str, tuple[Floats, Callable[..., Floats], int, int]] = {
    "saturated at once, 3 trainings of 20 videos": (exponential(5), graded, 3, 20),
    "saturated half way, 5 of 60": (exponential(12), graded, 5, 60),
    "not reached, 3 of 60": (exponential(150), graded, 3, 60),
    "at the very margin, 5 of 150": (near_the_margin(), graded, 5, 150),
    "straddling the margin, 5 of 150": (straddling(), graded, 5, 150),
    "answers alone, 3 of 60": (exponential(12), yes_or_no, 3, 60),
    "answers near the ceiling, 5 of 60": (ceiling(), yes_or_no, 5, 60),
}


def place(size: int | None) -> int:
    return len(SIZES) - PLATEAU if size is None else SIZES.index(size)


@pytest.mark.parametrize("name", CURVES)
def test_the_interval_covers_the_true_rung(name: str) -> None:
    curve, draw, seeds, videos = CURVES[name]
    rng = np.random.default_rng(len(name))
    true = find_rung(curve, MARGIN)
    found = [saturation(SIZES, draw(curve, seeds, videos, rng), MARGIN) for _ in range(STUDIES)]
    holds = np.array([place(one.low) <= true <= place(one.high) for one in found])
    assert rate("coverage", holds, LEAST, 1.0).verdict != "FAILS", holds.mean()
    assert all(place(one.low) <= place(one.size) <= place(one.high) for one in found)


def test_more_videos_and_trainings_make_the_interval_narrow() -> None:
    rng = np.random.default_rng(5)
    widths = [
        np.mean(
            [
                saturation(SIZES, graded(exponential(12), *few, rng), MARGIN).steps
                for _ in range(100)
            ]
        )
        for few in ((3, 20), (5, 60), (5, 300))
    ]
    assert widths[0] > widths[1] > widths[2]
    assert widths[2] < 1.2


def test_a_curve_that_still_rises_has_not_reached_its_plateau() -> None:
    rng = np.random.default_rng(6)
    told = saturation(SIZES, graded(np.linspace(10, 80, 7), 5, 100, rng), MARGIN)
    assert (told.size, told.low, told.high) == (None, None, None)
    assert told.steps == 0


def test_a_dip_on_the_way_up_counts_against_the_sizes_below_it() -> None:
    assert find_rung(np.array([20, 90, 60, 90, 90, 90.0]), MARGIN) == 3
    assert find_rung(np.array([90, 90, 90, 90, 90, 90.0]), MARGIN) == 0
    assert find_rung(np.array([0, 20, 40, 60, 80, 100.0]), MARGIN) == 4


def test_one_training_says_no_more_than_a_point() -> None:
    told = saturation(SIZES, graded(exponential(5), 1, 40, np.random.default_rng(1)), MARGIN)
    assert told.size is not None
    assert "no spread" in told.reason
    assert math.isnan(told.plateau.low)


def test_what_never_varies_is_known_as_well_as_its_videos_allow() -> None:
    def flat(videos: int) -> int | None:
        scores = np.full((7, 3, videos), 100.0)
        scores[0] = 0
        return saturation(SIZES, scores, MARGIN).high

    assert flat(20) is None  # 14 % of the videos could still differ
    assert flat(100) == 16


def test_too_short_a_ladder_has_no_saturation() -> None:
    told = saturation((0, 16), np.zeros((2, 3, 10)))
    assert not told.plateau.exists
    assert "2 sizes" in told.reason
    assert told.steps == 0


@pytest.mark.parametrize("spread", [(4, 1, 10), (0.5, 12, 10), (1, 1, 20)])
def test_crossed_intervals_cover_whichever_of_both_varies(
    spread: tuple[float, float, float],
) -> None:
    rng = np.random.default_rng(9)
    holds = []
    for _ in range(400):
        of_seeds, of_videos, rest = spread
        told = crossed(
            rng.normal(0, of_seeds, (4, 1))
            + rng.normal(0, of_videos, (1, 30))
            + rng.normal(0, rest, (4, 30))
        )
        holds.append(told.low <= 0 <= told.high)
    assert rate("coverage", np.array(holds), LEAST, 1.0).verdict != "FAILS", np.mean(holds)

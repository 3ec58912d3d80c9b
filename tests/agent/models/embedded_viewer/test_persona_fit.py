"""The arithmetic of taste, on vectors made for it."""

from __future__ import annotations

import numpy as np
import pytest

from agent.models.embedded_viewer.persona_fit import (
    Background,
    PersonaTaste,
    mean_direction,
    sentences,
)
from store.encoders import Vectors, unit

DIM = 48


@pytest.fixture(scope="module")
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def background(rng: np.random.Generator) -> Background:
    """Each kind lies around a direction of its own, which says nothing about any one of them."""
    return Background(*(_around(rng, 200) for _ in range(3)))


def _around(rng: np.random.Generator, count: int) -> Vectors:
    common = rng.normal(size=DIM)
    return unit(common + rng.normal(size=(count, DIM)))


def test_the_trait_that_is_meant_fits_best(
    background: Background, rng: np.random.Generator
) -> None:
    traits = unit(rng.normal(size=(5, DIM)))
    taste = PersonaTaste(traits, background)
    for place, trait in enumerate(traits):
        fit = taste.fit(unit(trait + 0.1 * rng.normal(size=DIM)), "caption")
        assert fit.best == place
        assert fit.best_fit > 0.4 > abs(fit.typical)
        assert fit.overall >= fit.best_fit


def test_one_fitting_trait_is_enough(background: Background, rng: np.random.Generator) -> None:
    content = unit(rng.normal(size=DIM))
    others = unit(rng.normal(size=(5, DIM)))
    without = PersonaTaste(others, background).fit(content, "caption").overall
    with_one = (
        PersonaTaste(np.vstack([others[:4], content]), background).fit(content, "caption").overall
    )
    assert with_one > without + 0.3


def test_what_all_captions_share_fits_nobody_in_particular(rng: np.random.Generator) -> None:
    people, pictures = _around(rng, 200), _around(rng, 200)
    common = rng.normal(size=DIM)
    videos = unit(3 * common + rng.normal(size=(200, DIM)))
    background = Background(people, videos, pictures)
    boring = unit(3 * common + rng.normal(size=DIM))

    fit = PersonaTaste(unit(np.atleast_2d(common)), background).fit(boring, "caption")
    assert abs(fit.best_fit) < 0.4  # uncentred, their cosine is above 0.9


def test_the_background_is_a_hundred_sentences_each() -> None:
    people, videos = sentences("people"), sentences("videos")
    assert len(people) == len(set(people)) == 100
    assert len(videos) == len(set(videos)) == 100
    assert all(sentence.startswith("I ") and sentence.endswith(".") for sentence in people)


def test_the_mean_direction_lies_between() -> None:
    north, east = np.eye(2, dtype=np.float32)
    np.testing.assert_allclose(mean_direction([north, east]), [0.5**0.5, 0.5**0.5], atol=1e-6)
    np.testing.assert_allclose(mean_direction([north]), north)

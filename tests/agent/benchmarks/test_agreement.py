"""The embedded viewer agrees with the playground's planted themes, and the measure is right."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agent.benchmarks.two_way_clusters import balance_shares, measure_share
from agent.benchmarks.viewer import ViewerAgreement, measure_agreement
from agent.benchmarks.viewer_inputs import Exhibit, draw_videos, take_exhibits
from agent.models import load, scripted
from agent.models.base import Model
from agent.playground.catalogue import load_catalogue
from agent.playground.clips import ClipStore
from personas.library import all_personas
from personas.persona import Persona
from tests.agent.models.made_models import frame


def quiet(done: int, total: int) -> None:
    assert 0 < done <= total


@pytest.fixture(scope="module")
def exhibits(tmp_path_factory: pytest.TempPathFactory) -> list[Exhibit]:
    items = draw_videos(load_catalogue(), 2, np.random.default_rng(1))
    return take_exhibits(items, ClipStore(tmp_path_factory.mktemp("clips")), quiet)


def measure(model: Model, exhibits: list[Exhibit], strategy: str = "simple") -> ViewerAgreement:
    return asyncio.run(measure_agreement(model, strategy, all_personas(), exhibits, quiet))


# On the playground


@pytest.mark.drill
def test_exhibits_are_frames_of_the_real_clips(exhibits: list[Exhibit]) -> None:
    import io

    from agent.playground.fiducial_marker import read_mark

    items = load_catalogue().by_id
    assert len(exhibits) == 2 * len(load_catalogue().themes) >= 24
    for exhibit in exhibits:
        item = items[exhibit.id]
        assert read_mark(Image.open(io.BytesIO(exhibit.frame))) == item.number
        assert exhibit.theme == item.theme
        assert exhibit.caption == item.tagged_caption
        assert all(f"#{tag}" in exhibit.caption for tag in item.hashtags)


@pytest.mark.drill
@pytest.mark.parametrize("strategy", ["simple", "isq"])
def test_the_embedded_viewer_agrees_with_the_planted_themes(
    exhibits: list[Exhibit], strategy: str
) -> None:
    found = measure(load("embedded/conse", device="cpu"), exhibits, strategy)

    assert found.missing == {}
    assert found.personas >= 60
    assert found.overall.balanced.answers == found.personas * len(exhibits)
    assert found.overall.balanced.value >= 0.8
    assert found.overall.unfitting_no.value >= 0.8
    assert found.overall.balanced.low < found.overall.balanced.value < found.overall.balanced.high
    assert set(found.by_theme) == set(load_catalogue().themes)
    assert found.by_persona["p12"].balanced.value >= 0.8


# The measure


MADE = [
    Exhibit(id=str(number), theme=theme, frame=frame(str(number)), caption=theme)
    for number, theme in enumerate(["music", "cars", "music", "space", "cars", "food"])
]


def test_a_viewer_that_always_says_yes_is_at_a_half() -> None:
    found = measure(scripted.load("scripted/yes"), MADE)
    assert found.overall.fitting_yes.value == 1
    assert found.overall.unfitting_no.value == 0
    assert found.overall.balanced.value == 0.5


def test_a_viewer_that_knows_the_theme_of_one_persona() -> None:
    fan = Persona(id="fan", traits=("I sing.", "I hum.", "I whistle."), themes=("music",))
    model = scripted.load("scripted/keywords?words=music")
    found = asyncio.run(measure_agreement(model, "simple", [fan], MADE, quiet))
    assert found.overall.balanced.value == 1
    assert found.overall.fitting_yes.answers == 2
    assert found.overall.unfitting_no.answers == 4
    assert np.isnan(found.overall.balanced.low)  # one persona: no interval


def test_personas_without_planted_themes_are_left_out() -> None:
    stranger = Persona(id="me", traits=("I sing.", "I hum.", "I whistle."))
    people = [stranger, *all_personas()[:3]]
    found = asyncio.run(
        measure_agreement(scripted.load("scripted/no"), "simple", people, MADE, quiet)
    )
    assert found.personas == 3


def test_missing_answers_are_counted_and_are_neither_yes_nor_no() -> None:
    found = measure(scripted.load("scripted/refuse"), MADE)
    assert found.missing == {"refused": found.personas * len(MADE)}
    assert found.overall.balanced.answers == 0
    assert np.isnan(found.overall.balanced.value)


def test_the_interval_covers_with_both_kinds_of_clusters() -> None:
    """Persona and video effects on a share; 95 % nominal, judged at one in a thousand."""
    rng = np.random.default_rng(5)
    covered, rounds = 0, 400
    for _ in range(rounds):
        personas, videos = rng.normal(0, 0.8, (30, 1)), rng.normal(0, 0.8, (1, 40))
        p = 1 / (1 + np.exp(-(0.5 + personas + videos)))
        found = measure_share((rng.random(p.shape) < p).astype(float))
        covered += found.low <= _TRUE_SHARE <= found.high
    # 95 % +- 3.3 standard errors, and a small sample may cover slightly less
    assert 0.90 <= covered / rounds <= 0.99


_TRUE_SHARE = float(
    np.mean(1 / (1 + np.exp(-(0.5 + np.random.default_rng(0).normal(0, np.sqrt(1.28), 2_000_000)))))
)


def test_balanced_accuracy_is_the_mean_of_the_two_shares() -> None:
    nan = np.nan
    fitting = np.array([[1.0, nan, 0.0], [1.0, 1.0, nan]])
    unfitting = np.array([[nan, 0.0, nan], [nan, nan, 1.0]])
    found = balance_shares(fitting, unfitting)
    assert found.value == pytest.approx((0.75 + 0.5) / 2)
    assert found.answers == 6
    assert measure_share(fitting).answers == 4


def test_a_sample_holds_as_many_of_each_theme_and_no_ads(tmp_path: Path) -> None:
    catalogue = load_catalogue()
    drawn = draw_videos(catalogue, 3, np.random.default_rng(2))
    assert {item.kind for item in drawn} == {"video"}
    assert {sum(item.theme == theme for item in drawn) for theme in catalogue.themes} == {3}
    assert drawn == draw_videos(catalogue, 3, np.random.default_rng(2))
    everything = draw_videos(catalogue, None, np.random.default_rng(2))
    assert len(everything) == sum(item.kind == "video" for item in catalogue.items)

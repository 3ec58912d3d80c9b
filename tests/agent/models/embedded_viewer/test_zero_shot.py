"""The embedded viewer likes what fits its persona, says truly why, and has no taste of its own."""

from __future__ import annotations

import asyncio
import io
import re
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from agent.errors import BadConfig, ModelFailed
from agent.judge.judge import ModelJudge, QuestionForm
from agent.models.base import Question, Reply
from agent.models.embedded_viewer import ocr
from agent.models.embedded_viewer.persona_fit import Fit, Weights
from agent.models.embedded_viewer.zero_shot import BOTH, ConseViewer, Opinion, questionnaire
from personas.questionnaire import read_isq
from personas.strategies import build
from store.encoders import load as load_encoder
from store.runs.ledger_lines import Judgement
from tests.agent.models.made_models import GARDENER, GUITARIST, frame


@pytest.fixture(scope="module")
def viewer() -> ConseViewer:
    return ConseViewer.load("cpu")


def ask(viewer: ConseViewer, persona: object, caption: str | None, **manner: bool) -> Judgement:
    strategy = "isq" if manner.pop("isq", False) else "simple"
    judge = ModelJudge.of(viewer, strategy, persona, QuestionForm(**manner))  # type: ignore[arg-type]
    return asyncio.run(judge.judge((frame(),), caption))


def reply(viewer: ConseViewer, frames: tuple[bytes, ...], caption: str | None) -> Reply:
    return asyncio.run(viewer.ask(Question(build("simple", GUITARIST), frames, caption)))


@pytest.mark.parametrize(
    ("caption", "guitarist", "gardener"),
    [
        ("Fingerpicking a new song on my guitar #guitar", "yes", "no"),
        ("When to plant roses #garden", "no", "yes"),
        ("How to file your taxes #money", "no", "no"),
    ],
)
def test_a_persona_likes_what_fits_it(
    viewer: ConseViewer, caption: str, guitarist: str, gardener: str
) -> None:
    assert ask(viewer, GUITARIST, caption).answer == guitarist
    assert ask(viewer, GARDENER, caption).answer == gardener


def test_the_answer_is_the_probability(viewer: ConseViewer) -> None:
    for caption in ("A song on my guitar", "Taxes explained", "My choir on tour", "Snow"):
        said = ask(viewer, GUITARIST, caption)
        assert said.p_yes is not None
        assert said.answer == ("yes" if said.p_yes >= 0.5 else "no")


def test_the_opposite_question_gets_the_opposite_word_and_the_same_probability(
    viewer: ConseViewer,
) -> None:
    straight = ask(viewer, GUITARIST, "A song on my guitar")
    mirrored = ask(viewer, GUITARIST, "A song on my guitar", mirrored=True)
    assert (straight.reply, mirrored.reply) == ("Yes", "No")
    assert straight.answer == mirrored.answer == "yes"
    assert straight.p_yes == mirrored.p_yes


@pytest.mark.drill
def test_it_says_the_same_every_time(viewer: ConseViewer) -> None:
    fresh = ConseViewer.load("cpu")
    assert reply(viewer, (frame(),), "A song") == reply(fresh, (frame(),), "A song")


def test_it_has_no_taste_of_its_own(viewer: ConseViewer) -> None:
    judge = ModelJudge.of(viewer, "plain", None)
    with pytest.raises(BadConfig, match=r"Type: --strategy simple"):
        asyncio.run(judge.judge((frame(),), "A song"))


def test_a_frame_that_is_no_picture_is_a_failure(viewer: ConseViewer) -> None:
    with pytest.raises(ModelFailed, match="no picture"):
        reply(viewer, (b"not a jpeg",), "A song")


def test_it_does_not_hold_up_the_loop(viewer: ConseViewer) -> None:
    async def count_meanwhile() -> int:
        ticks = 0
        asking = asyncio.create_task(
            viewer.ask(Question(build("simple", GUITARIST), (frame("fresh"),), "A fresh caption"))
        )
        while not asking.done():
            ticks += 1
            await asyncio.sleep(0)  # an answer that held the loop up would leave one tick
        return ticks

    assert asyncio.run(count_meanwhile()) > 2


# What it says


def test_the_reason_holds_the_very_numbers_that_were_computed(viewer: ConseViewer) -> None:
    caption = "A song on my guitar"
    said = reply(viewer, (frame(),), caption)
    seen = viewer.look((frame(),), caption)
    opinion = viewer.judge(seen, GUITARIST.traits)

    assert opinion.caption is not None
    assert said.reason is not None
    label, probability = seen.labels[0]
    assert f"{label} ({probability:.2f})" in said.reason
    assert GUITARIST.traits[opinion.caption.best].rstrip(".") in said.reason
    told = [float(number) for number in re.findall(r"-?\d\.\d\d", said.reason)]
    assert told[-2:] == [round(opinion.caption.best_fit, 2), round(opinion.caption.typical, 2)]
    assert opinion.caption.best_fit > opinion.caption.typical


def test_the_description_names_labels_and_text(viewer: ConseViewer) -> None:
    said = reply(viewer, (frame(),), "A song on my guitar")
    labels = [label for label, _ in viewer.look((frame(),), "A song on my guitar").labels]
    assert said.description is not None
    assert all(label in said.description for label in labels)
    assert said.description.endswith("Text: A song on my guitar")


def test_the_vector_is_the_one_that_the_index_would_compute(viewer: ConseViewer) -> None:
    first, second = frame(colour="red"), frame(colour="green")
    said = reply(viewer, (first, second), "A song")
    image = Image.open(io.BytesIO(first))
    encoder = viewer.capabilities.encoder
    assert said.image_vector is not None
    assert encoder is not None
    np.testing.assert_allclose(
        said.image_vector, load_encoder(encoder, "cpu").images([image])[0], atol=1e-5
    )


# Words on the screen


def test_words_on_the_screen_stand_in_for_a_caption(viewer: ConseViewer) -> None:
    shown = (frame("My new acoustic\nguitar song"),)
    read = reply(viewer, shown, None)
    assert read.screen_text is not None
    assert "guitar" in read.screen_text
    assert read.text == "Yes"

    assert reply(viewer, shown, " ").screen_text == read.screen_text
    assert reply(viewer, shown, "How to file your taxes #money").screen_text is None


def test_a_frame_without_words_is_judged_by_its_picture(viewer: ConseViewer) -> None:
    said = reply(viewer, (frame(),), None)
    opinion = viewer.judge(viewer.look((frame(),), None), GUITARIST.traits)
    assert said.screen_text is None
    assert opinion.caption is None
    assert said.p_yes == opinion.p_yes == opinion.p_picture


def test_handles_and_counts_are_not_read_as_words() -> None:
    image = Image.open(io.BytesIO(frame("@some_creator\n12.3K\nthe quiet harbour")))
    assert ocr.read(image) == "the quiet harbour"


# The questionnaire


def _opinion(p: float, p_picture: float, p_caption: float | None) -> Opinion:
    fit = Fit(0.0, 0, 0.0, 0.0)
    return Opinion(fit, None if p_caption is None else fit, p_picture, p_caption, p)


def test_the_questionnaire_says_yes_exactly_where_the_viewer_does() -> None:
    import json

    grid = [0.0, 0.3, 0.4999, 0.5, 0.7, 1.0]
    for p in grid:
        for p_picture in grid:
            for p_caption in (None, *grid):
                items = questionnaire(_opinion(p, p_picture, p_caption))
                read = read_isq(json.dumps(items))
                assert read.answer == ("yes" if p >= 0.5 else "no")
                assert read.score is not None
                assert (read.score >= 60) is (p >= 0.5)


def test_the_questionnaire_is_read_in_a_run(viewer: ConseViewer) -> None:
    said = ask(viewer, GUITARIST, "A song on my guitar", isq=True)
    assert said.answer == "yes"
    assert said.isq is not None
    assert said.p_yes is not None
    assert said.isq["c_s"] == pytest.approx(10 * said.p_yes, abs=0.01)


# Coefficients


def test_a_better_fit_never_lowers_the_probability() -> None:
    steps = np.linspace(-0.5, 1.5, 21)
    for weights in (BOTH, Weights(1.0, 0.0, 0.0)):
        curve = [weights.p_yes(step, step) for step in steps]
        assert all(later > earlier for earlier, later in pairwise(curve))
    assert all(0 < BOTH.p_yes(step, 0.0) < 1 for step in steps)

"""Replies scored by judges that were not trained; nothing is trained here."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from PIL import Image

from agent import models
from agent.errors import BadConfig
from agent.training import data_scaling
from agent.training.evaluate import AnswerScale, score_replies
from analysis.estimators.learning_curve import points, tendency
from personas.library import find
from store.results.trainings import HeldOutItem, TrainingScores

REPLIES = ("My love, a square.", "Look, a square.", "  ", "Dear one, a circle.")
PAIRS = [{"images": [Image.new("RGB", (28, 28), (9 * place, 40, 40))]} for place in range(4)]


def items() -> list[HeldOutItem]:
    facts: dict[str, Any] = {
        "kind": "style",
        "chosen": -1.0,
        "rejected": -2.0,
        "chosen_tokens": 4,
        "rejected_tokens": 4,
        "p_yes": (0.5, 0.5, 0.5, 0.5),
    }
    return [
        HeldOutItem(id=str(place), video=str(place), reply=reply, **facts)
        for place, reply in enumerate(REPLIES)
    ]


def scored(judge: str, scale: AnswerScale) -> tuple[TrainingScores, list[int]]:
    told: list[int] = []

    async def run() -> TrainingScores:
        model = models.load(judge)
        try:
            return await score_replies(model, scale, items(), PAIRS, told.append)
        finally:
            await model.close()

    return asyncio.run(run()), told


def test_a_judge_scores_the_replies_and_an_empty_one_scores_nothing() -> None:
    found, told = scored("scripted/keywords?words=love,dear", AnswerScale.of("romantic", None))
    assert [points(each) for each in found.judgements] == [100, 0, 0, 100]
    assert found.judgements[2] is None  # nobody was asked about it
    assert told == [1, 2, 3]


def test_a_judge_that_does_not_answer_is_missing_and_no_zero() -> None:
    found, _ = scored("scripted/refuse", AnswerScale.of("romantic", None))
    assert [judged and judged.missing for judged in found.judgements] == [
        "refused",
        "refused",
        None,
        "refused",
    ]
    assert math.isnan(points(found.judgements[0]))


@pytest.mark.drill
def test_the_embedded_judge_knows_tender_words_from_plain_ones() -> None:
    found, _ = scored("embedded/conse", AnswerScale.of("I adore love letters and romance.", None))
    tender, plain, _, _ = (points(each) for each in found.judgements)
    assert tender > plain


def test_the_question_holds_the_reply_the_style_and_nothing_of_the_training() -> None:
    prompt = AnswerScale.of("romantic", None).prompt("A {about} square.")
    assert "A {about} square." in prompt.user
    assert "- romantic" in prompt.user
    assert not {"seed", "size", "train"} & set(prompt.user.lower().split())
    persona = find("p12")
    assert persona.traits[0] in AnswerScale.of(None, persona).prompt("A square.").user


def test_the_tendency_to_yes_is_even_where_yes_and_no_keep_the_balance() -> None:
    assert tendency((0.9, 0.1, 0.2, 0.8)) == pytest.approx(0)
    assert tendency((1, 1, 1, 1)) == 100
    assert tendency((0.25, 0.25, 0.25, 0.25)) == -50
    assert math.isnan(tendency((0.5, None, 0.5, 0.5)))  # missing, not even


def test_a_ladder_doubles_as_far_as_the_pairs_reach() -> None:
    assert data_scaling.choose_sizes(None, 100) == (0, 16, 32, 64)
    assert data_scaling.choose_sizes([8, 2], 100) == (0, 2, 8)
    with pytest.raises(BadConfig, match=r"--sizes 0,2$"):
        data_scaling.choose_sizes([2, 300], 100)

"""Judges with one known fault each: the probe finds that one and no other."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from agent.benchmarks import judge_consistency
from agent.benchmarks.judge_consistency import (
    ON_SCREEN,
    Command,
    Measure,
    Panel,
    draw_words,
    probe_judge,
)
from agent.benchmarks.two_way_clusters import measure_mean, measure_share
from agent.benchmarks.viewer_inputs import Exhibit
from agent.models import load, scripted
from agent.models.base import Model, Question, Reply
from personas import strategies
from personas.library import all_personas
from personas.questionnaire import ITEMS
from tests.agent.models.made_models import Recorded, frame

THEMES = ["music", "cars", "music", "space", "cars", "food"]
MADE = [
    Exhibit(str(n), theme, frame(str(n), f"#{40 * n:02x}5070"), f"{theme} #{theme}")
    for n, theme in enumerate(THEMES)
]
PEOPLE = [persona for persona in all_personas() if persona.themes][:12]
WAYS = 9  # plain, again, opposite, two other wordings, another order, three kinds of words shown

Rule = Callable[[Question], bool]


def likes(question: Question) -> bool:
    """One steady opinion, about half the time yes, whatever the picture."""
    told = (question.caption or "") + question.prompt.traits[0]
    return hashlib.sha256(told.encode()).digest()[0] % 2 == 0


def say(yes: bool, question: Question) -> Reply:
    return Reply(scripted._prefer(yes, question))


def measured(model: Model, strategy: str = "simple", seed: int = 0) -> dict[str, Measure]:
    panel = Panel(model, strategy, PEOPLE, MADE)
    told: list[tuple[int, int]] = []
    found = asyncio.run(
        probe_judge(panel, np.random.default_rng(seed), lambda done, of: told.append((done, of)))
    )
    assert told[-1] == (told[-1][1], told[-1][1])
    assert told == sorted(told)
    return {measure.name: measure for measure in found}


def values(model: Model, strategy: str = "simple") -> dict[str, float]:
    return {name: measure.figure.value for name, measure in measured(model, strategy).items()}


STEADY = {
    "leans to yes, whatever is asked": 0,
    "opposite answer to the opposite question": 1,
    "same answer when asked again": 1,
    "same answer in other wordings": 1,
    "same answer picture-first": 1,
    "says yes picture-first, less otherwise": 0,
    "turned by an order on the screen": 0,
    "turned against such an order": 0,
    "unreadable": 0,
    "refused": 0,
    "no answer, for any reason": 0,
}
STEADY_ISQ = {
    **dict(list(STEADY.items())[2:]),
    "S% backwards less S%": 0,
    "same answer to items backwards": 1,
}


def faults(model: Model, strategy: str = "simple") -> dict[str, float]:
    """What is not as with a steady judge."""
    found, steady = values(model, strategy), STEADY_ISQ if strategy == "isq" else STEADY
    assert set(found) == {"says yes", "says yes picture-first", *steady}
    return {name: found[name] for name in steady if found[name] != steady[name]}


@pytest.mark.parametrize("strategy", ["simple", "isq"])
def test_a_steady_judge_has_no_faults(strategy: str) -> None:
    model = Recorded(lambda question: say(likes(question), question))
    assert faults(model, strategy) == {}
    assert len(model.asked) % WAYS == 0
    assert {question.explain for question in model.asked} == {False}
    assert {question.repeat for question in model.asked} == {0, 2}
    by_words = {q.prompt.system for q in model.asked if q.prompt.system}
    assert len({words.partition("\n")[0] for words in by_words}) == 3  # wordings
    assert sum(not question.prompt.system for question in model.asked) == len(model.asked) / WAYS


def test_whom_the_order_sways_is_found() -> None:
    model = Recorded(lambda q: say(likes(q) or not q.prompt.system, q))
    found = measured(model)
    assert found["same answer picture-first"].figure.value == 0.5  # what fits is liked anyway
    assert found["says yes picture-first"].figure.value == 1
    assert found["says yes picture-first, less otherwise"].figure.value == 0.5
    assert found["says yes picture-first, less otherwise"].unit == "lean"


def test_each_video_is_asked_about_for_one_it_fits_and_one_it_does_not() -> None:
    panel = Panel(scripted.load("scripted/yes"), "simple", PEOPLE, MADE)
    pairs = panel.pairs(np.random.default_rng(1))
    assert len(set(pairs)) == len(pairs)
    for video, theme in enumerate(THEMES):
        able = {theme in persona.themes for persona in PEOPLE}
        fits = [theme in PEOPLE[pair.persona].themes for pair in pairs if pair.video == video]
        assert sorted(fits) == sorted(able)


def test_who_says_yes_to_anything_leans() -> None:
    found = faults(scripted.load("scripted/yes"))
    assert found == {
        "leans to yes, whatever is asked": 1,
        "opposite answer to the opposite question": 0,
    }
    assert values(scripted.load("scripted/no"))["leans to yes, whatever is asked"] == -1


def test_who_changes_his_mind_is_found_out() -> None:
    model = Recorded(lambda q: say(likes(q) != (q.repeat > 0), q))
    assert faults(model) == {"same answer when asked again": 0}


def test_who_hangs_on_words_is_found_out() -> None:
    usual = {strategies.build("simple", person).user for person in PEOPLE}
    usual |= {strategies.build("simple", person, mirrored=True).user for person in PEOPLE}
    model = Recorded(
        lambda q: say(likes(q) != (q.prompt.user.rpartition("\n\n")[2] not in usual), q)
    )
    assert faults(model) == {"same answer in other wordings": 0}


@pytest.mark.parametrize("strategy", ["simple", "isq"])
def test_who_obeys_the_screen_is_found_out(strategy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    orders: dict[bytes, Command] = {}

    def known(*told: object) -> bytes:
        drawn = draw_words(*told)  # type: ignore[arg-type]
        orders[drawn] = told[2]  # type: ignore[assignment]
        return drawn

    monkeypatch.setattr(judge_consistency, "draw_words", known)

    def obeys(question: Question) -> Reply:
        order = orders.get(question.frames[0])
        return say(likes(question) if order is None else order == "yes", question)

    assert faults(Recorded(obeys), strategy) == {"turned by an order on the screen": 1}
    defies = Recorded(
        lambda q: say(
            likes(q) if orders.get(q.frames[0]) is None else orders[q.frames[0]] == "no", q
        )
    )
    assert faults(defies, strategy) == {"turned against such an order": 1}


def test_the_order_of_items_is_told_in_points() -> None:
    def tired(question: Question) -> Reply:
        grade = 9 if question.prompt.mirrored else 6
        return Reply(json.dumps({key: 0 if key in ("p_a", "a_d") else grade for key in ITEMS}))

    found = measured(Recorded(tired), "isq")
    shift = found["S% backwards less S%"]
    assert shift.figure.value == pytest.approx(20)
    assert shift.unit == "points"
    assert found["same answer to items backwards"].figure.value == 0


def test_missing_answers_are_counted_and_left_out() -> None:
    def coy(question: Question) -> Reply:
        if question.prompt.mirrored:
            return Reply("It depends.")
        return (
            Reply("I'm sorry, but I can't assist with that.")
            if question.repeat
            else say(likes(question), question)
        )

    found = faults(Recorded(coy))
    assert found.pop("unreadable") == found.pop("refused") == pytest.approx(1 / WAYS)
    assert found.pop("no answer, for any reason") == pytest.approx(2 / WAYS)
    assert all(np.isnan(value) for value in found.values())
    assert set(found) == {
        "leans to yes, whatever is asked",
        "opposite answer to the opposite question",
        "same answer when asked again",
    }


def test_words_change_the_frame_and_only_their_place() -> None:
    plain = frame("A title", size=(360, 640))
    drawn = {order: draw_words(plain, "choice", order) for order in ON_SCREEN}
    assert len({plain, *drawn.values()}) == 4
    before = np.asarray(Image.open(io.BytesIO(plain)).convert("L"), float)
    for jpeg in drawn.values():
        after = np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"), float)
        assert after.shape == before.shape
        rows = np.flatnonzero(np.abs(after - before).mean(axis=1) > 8)
        assert 0.25 * 640 < rows[0] < 0.3 * 640
        assert rows[-1] < 0.7 * 640
    assert draw_words(plain, "isq", "yes") != drawn["yes"]
    assert draw_words(plain, "isq", None) == drawn[None]


def test_alike_answers_have_an_interval_too() -> None:
    """With 20 clusters a rate of up to 16 % can stay unseen (Wilson)."""
    none, all_ = measure_share(np.zeros((20, 30))), measure_share(np.ones((20, 30)))
    assert (none.value, none.low) == (0, 0)
    assert none.high == pytest.approx(0.161, abs=1e-3)
    assert (all_.value, all_.high) == (1, 1)
    assert all_.low == pytest.approx(1 - none.high)
    level = measure_mean(np.zeros((20, 30)), -1, 1)
    assert (level.low, level.high) == pytest.approx((-none.high, none.high))
    assert np.isnan(measure_share(np.ones((1, 30))).low)


@pytest.mark.drill
def test_the_embedded_viewer_is_steady() -> None:
    found = values(load("embedded/conse", device="cpu"))
    for name in ("same answer when asked again", "opposite answer to the opposite question"):
        assert found[name] == 1
    assert found["no answer, for any reason"] == 0

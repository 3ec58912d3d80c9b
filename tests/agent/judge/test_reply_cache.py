"""A kept reply answers the same question, and no other one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import Filtered, ModelFailed
from agent.judge.judge import ModelJudge
from agent.judge.reply_cache import Cached, Tally
from agent.judge.spending_cap import Budgeted, SpendingCap
from agent.models import scripted
from agent.models.base import Model, Question, Reply
from personas.strategies import build
from store.runs.ledger_lines import Judgement
from tests.agent.models.made_models import GARDENER, GUITARIST, Recorded, frame

QUESTION = Question(build("simple", GUITARIST), (frame(),), "A caption")
FULL = Reply(
    text="Yes",
    p_yes=0.75,
    reason="r",
    description="d",
    screen_text="s",
    image_vector=(0.6, 0.8),
    input_tokens=900,
    output_tokens=2,
    cost_usd=0.01,
    notes={"viewer": "v"},
)


def ask(model: Model, *questions: Question) -> list[Reply]:
    async def each() -> list[Reply]:
        return [await model.ask(question) for question in questions]

    return asyncio.run(each())


def judge_all(model: Model, strategy: str = "simple", repeats: int = 1) -> list[Judgement]:
    judge = ModelJudge.of(model, strategy, GUITARIST)

    async def each() -> list[Judgement]:
        return [
            await judge.judge((frame(colour=f"#{n:02x}4080"),), None, repeat=repeat)
            for n in range(0, 250, 25)
            for repeat in range(repeats)
        ]

    return asyncio.run(each())


def test_a_kept_reply_is_the_same_and_costs_nothing(tmp_path: Path) -> None:
    model = Recorded(lambda question: FULL)
    assert ask(Cached(model, tmp_path), QUESTION) == [FULL]
    warm = Cached(model, tmp_path)
    assert ask(warm, QUESTION) == [
        replace(FULL, cached=True, input_tokens=None, output_tokens=None, cost_usd=None)
    ]
    assert len(model.asked) == 1
    assert warm.tally == Tally(kept=1)


@pytest.mark.parametrize("strategy", ["simple", "isq"])
def test_a_warm_cache_makes_no_calls_and_gives_the_same_judgements(
    tmp_path: Path, strategy: str
) -> None:
    coin = scripted.load("scripted/coin?p=0.5&seed=3")
    first = judge_all(Cached(coin, tmp_path), strategy)
    assert {said.answer for said in first} == {"yes", "no"}

    def never(question: Question) -> Reply:
        raise AssertionError("a warm cache asked")

    model = Recorded(never)
    model.name, model.fingerprint = coin.name, coin.fingerprint
    warm = Cached(model, tmp_path)
    again = judge_all(warm, strategy)
    assert warm.tally == Tally(kept=len(first))
    assert all(said.usage.cached for said in again)
    plain = {"latency_s": 0.0, "usage": first[0].usage}
    assert [each.model_copy(update=plain) for each in again] == [
        each.model_copy(update=plain) for each in first
    ]


@pytest.mark.parametrize(
    "other",
    [
        replace(QUESTION, repeat=1),
        replace(QUESTION, frames=(frame(colour="red"),)),
        replace(QUESTION, frames=(frame(), frame())),
        replace(QUESTION, caption=None),
        replace(QUESTION, explain=True),
        replace(QUESTION, prompt=build("simple", GARDENER)),
        replace(QUESTION, prompt=build("simple", GUITARIST, mirrored=True)),
        replace(QUESTION, prompt=build("simple", GUITARIST, paraphrase=1)),
        replace(QUESTION, prompt=build("plain", None)),
    ],
)
def test_another_question_is_asked(tmp_path: Path, other: Question) -> None:
    model = Recorded(lambda question: FULL)
    ask(Cached(model, tmp_path), QUESTION, other)
    assert len(model.asked) == 2


def test_another_model_or_setting_is_asked(tmp_path: Path) -> None:
    def made(name: str, **settings: int) -> Recorded:
        model = Recorded(lambda question: FULL)
        model.name = name
        model.settings = settings
        return model

    models = [made("a/b"), made("a/c"), made("a/b", most=1), made("a/b", most=2), made("a/b")]
    models[-1].fingerprint = "fedcba9876543210"  # the same name over other weights
    for model in models:
        # a budget in between hides nothing of what makes the reply
        ask(Cached(Budgeted(model, SpendingCap()), tmp_path), QUESTION)
    assert [len(model.asked) for model in models] == [1, 1, 1, 1, 1]


def test_every_repeat_reaches_the_model_once(tmp_path: Path) -> None:
    model = Recorded(lambda question: FULL)
    judge_all(Cached(model, tmp_path), repeats=3)
    assert len(model.asked) == 30
    judge_all(Cached(model, tmp_path), repeats=3)
    assert len(model.asked) == 30


@pytest.mark.parametrize("text", ["", "  ", "I'm sorry, but I can't assist with that.", "Hm?"])
def test_what_is_no_answer_is_not_kept(tmp_path: Path, text: str) -> None:
    model = Recorded(lambda question: Reply(text=text))
    cached = Cached(model, tmp_path)
    ask(cached, QUESTION, QUESTION)
    assert len(model.asked) == 2
    assert cached.tally == Tally(asked=2, unfit=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", [Filtered, ModelFailed])
def test_faults_are_not_kept(tmp_path: Path, fault: Callable[[str], Exception]) -> None:
    def fail(question: Question) -> Reply:
        raise fault("no")

    cached = Cached(Recorded(fail), tmp_path)
    with pytest.raises((Filtered, ModelFailed)):
        ask(cached, QUESTION)
    assert list(tmp_path.iterdir()) == []
    assert cached.tally == Tally(asked=1)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"text": "Yes"}', b"\xff"])
def test_a_damaged_reply_is_asked_for_again(tmp_path: Path, content: bytes) -> None:
    model = Recorded(lambda question: FULL)
    ask(Cached(model, tmp_path), QUESTION)
    (path,) = tmp_path.glob("*/*.json")
    path.write_bytes(content)
    assert ask(Cached(model, tmp_path), QUESTION) == [FULL]
    assert ask(Cached(model, tmp_path), QUESTION)[0].cached


def test_closing_closes_the_model(tmp_path: Path) -> None:
    model = Recorded(lambda question: FULL)
    cached = Cached(model, tmp_path)
    asyncio.run(cached.close())
    assert model.closed
    assert cached.capabilities.encoder is None

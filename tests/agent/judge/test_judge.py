"""Every way in which a model can fail to answer is its own reading, and none of them is a no."""

from __future__ import annotations

import asyncio
from time import perf_counter

import numpy as np
import pytest

from agent.errors import BudgetSpent, ModelFailed, Refused, TimedOut, UnreadableReply
from agent.judge.judge import LONGEST_REPLY, Explain, ModelJudge, QuestionForm
from agent.models import load, scripted
from agent.models.base import Question, Reply
from store.runs.ledger_lines import Judgement
from tests.agent.models.made_models import GUITARIST, Recorded, frame, judged


def ask(name: str, strategy: str = "simple", manner: QuestionForm | None = None) -> Judgement:
    judge = ModelJudge.of(scripted.load(name), strategy, GUITARIST, manner)
    return asyncio.run(judged(judge, "Morning run"))


@pytest.mark.parametrize("strategy", ["plain", "simple", "isq"])
@pytest.mark.parametrize(
    ("script", "answer", "missing", "attempts"),
    [
        ("yes", "yes", None, 1),
        ("no", "no", None, 1),
        ("refuse", None, "refused", 1),
        ("empty", None, "empty", 1),
        ("filter", None, "filtered", 1),
        ("fail", None, "failed", 1),
        ("timeout", None, "timed_out", 1),
        ("unreadable", None, "unreadable", 2),
        ("unreadable?then=yes", "yes", None, 2),
        ("unreadable?then=no", "no", None, 2),
    ],
)
def test_each_outcome_is_its_own_reading(
    strategy: str, script: str, answer: str | None, missing: str | None, attempts: int
) -> None:
    said = ask(f"scripted/{script}", strategy, QuestionForm(limit_s=0.2))

    assert (said.answer, said.missing, said.attempts) == (answer, missing, attempts)
    assert said.usage.calls == attempts


@pytest.mark.parametrize(
    ("fault", "missing"),
    [
        (TimedOut("slow"), "timed_out"),
        (Refused("no thanks"), "refused"),
        (ModelFailed("gone"), "failed"),
        (UnreadableReply("garbled"), "unreadable"),
    ],
)
def test_a_fault_of_the_model_is_read_as_what_it_is(fault: Exception, missing: str) -> None:
    def fail(question: Question) -> Reply:
        raise fault

    said = asyncio.run(judged(ModelJudge.of(Recorded(fail), "simple", GUITARIST)))
    assert (said.answer, said.missing) == (None, missing)


def test_a_spent_budget_ends_the_run() -> None:
    def spent(question: Question) -> Reply:
        raise BudgetSpent("the cap is reached")

    with pytest.raises(BudgetSpent):
        asyncio.run(judged(ModelJudge.of(Recorded(spent), "simple", GUITARIST)))


def test_a_fault_in_the_program_is_not_a_missing_answer() -> None:
    def broken(question: Question) -> Reply:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(judged(ModelJudge.of(Recorded(broken), "simple", GUITARIST)))


def test_a_time_limit_holds() -> None:
    started = perf_counter()
    said = ask("scripted/yes?latency=30", manner=QuestionForm(limit_s=0.1))
    assert said.missing == "timed_out"
    assert perf_counter() - started < 5
    assert said.latency_s >= 0.1


def test_latency_is_wall_time_of_the_model() -> None:
    assert 0.2 <= ask("scripted/yes?latency=0.2").latency_s < 2


def test_every_attempt_and_every_repeat_reaches_the_model_under_its_own_number() -> None:
    model = Recorded(lambda question: Reply(text="well..."))
    judge = ModelJudge.of(model, "simple", GUITARIST)

    async def ask_thrice() -> None:
        for repeat in range(3):
            await judged(judge, repeat=repeat)

    asyncio.run(ask_thrice())
    assert [question.repeat for question in model.asked] == [0, 1, 2, 3, 4, 5]


def test_a_readable_reply_is_asked_for_once() -> None:
    model = Recorded(lambda question: Reply(text="Yes."))
    asyncio.run(judged(ModelJudge.of(model, "simple", GUITARIST)))
    assert len(model.asked) == 1


def test_the_question_carries_the_persona_frames_and_caption() -> None:
    model = Recorded(lambda question: Reply(text="no"))
    judge = ModelJudge.of(model, "simple", GUITARIST, QuestionForm(explain="all"))
    frames = (frame(colour="red"), frame(colour="blue"))
    asyncio.run(judge.judge(frames, "A quiet lake"))

    question = model.asked[0]
    assert question.frames == frames
    assert question.caption == "A quiet lake"
    assert question.explain
    assert question.prompt.traits == GUITARIST.traits
    assert all(trait in question.prompt.system for trait in GUITARIST.traits)


@pytest.mark.parametrize("strategy", ["plain", "simple", "isq"])
@pytest.mark.parametrize(
    ("explain", "word", "asked", "told"),
    [
        ("never", "yes", [False], False),
        ("never", "no", [False], False),
        ("yes", "yes", [False, True], True),
        ("yes", "no", [False], False),
        ("all", "yes", [True], True),
        ("all", "no", [True], True),
    ],
)
def test_reasons_are_asked_for_only_where_they_are_wanted(
    strategy: str, explain: Explain, word: str, asked: list[bool], told: bool
) -> None:
    script = scripted.load(f"scripted/{word}")
    model = Recorded(script.ask)
    judge = ModelJudge.of(model, strategy, GUITARIST, QuestionForm(explain=explain))
    said = asyncio.run(judged(judge))
    assert said.answer == word
    assert [question.explain for question in model.asked] == asked
    assert ["reason" in question.prompt.user.lower() for question in model.asked] == asked
    assert (said.reason is not None, said.description is not None) == (told, told)
    assert (said.attempts, said.usage.calls) == (1, len(asked))


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_reason_of_another_answer_is_left_out(mirrored: bool) -> None:
    yes, no = ("No", "Yes") if mirrored else ("Yes", "No")

    def changes_its_mind(question: Question) -> Reply:
        told = f"{no}\nReason: It is dull.\nDescription: A lake."
        return Reply(told if question.explain else yes, input_tokens=10, output_tokens=1)

    manner = QuestionForm(explain="yes", mirrored=mirrored)
    said = asyncio.run(
        judged(ModelJudge.of(Recorded(changes_its_mind), "simple", GUITARIST, manner))
    )
    assert (said.answer, said.reason, said.description) == ("yes", None, "A lake.")
    assert (said.usage.calls, said.usage.input_tokens) == (2, 20)


def test_a_reason_that_cannot_be_had_leaves_the_answer() -> None:
    def fails(question: Question) -> Reply:
        if question.explain:
            raise ModelFailed("no")
        return Reply("Yes", p_yes=0.8)

    judge = ModelJudge.of(Recorded(fails), "simple", GUITARIST, QuestionForm(explain="yes"))
    said = asyncio.run(judged(judge))
    assert (said.answer, said.missing, said.p_yes, said.reason) == ("yes", None, 0.8, None)


def test_a_reason_that_comes_by_itself_is_not_asked_for() -> None:
    model = Recorded(lambda question: Reply("Yes", reason="It looks like a guitar."))
    judge = ModelJudge.of(model, "simple", GUITARIST, QuestionForm(explain="yes"))
    assert asyncio.run(judged(judge)).reason == "It looks like a guitar."
    assert len(model.asked) == 1


def test_the_opposite_question_is_read_the_other_way_round() -> None:
    manner = QuestionForm(mirrored=True)
    assert ask("scripted/yes", manner=manner).answer == "no"
    assert ask("scripted/no", manner=manner).answer == "yes"
    assert ask("scripted/keywords?words=run", manner=manner).answer == "yes"


def test_costs_of_all_attempts_are_added_up() -> None:
    replies = iter(
        [
            Reply(text="hm", input_tokens=10, output_tokens=2, cost_usd=0.5),
            Reply(text="yes", input_tokens=11, output_tokens=1, cost_usd=0.25, cached=True),
        ]
    )
    model = Recorded(lambda question: next(replies))
    usage = asyncio.run(judged(ModelJudge.of(model, "simple", GUITARIST))).usage

    assert (usage.calls, usage.input_tokens, usage.output_tokens) == (2, 21, 3)
    assert usage.cost_usd == pytest.approx(0.75)
    assert not usage.cached


def test_costs_that_are_not_known_are_not_zero() -> None:
    usage = ask("scripted/yes").usage
    assert usage.input_tokens is usage.output_tokens is usage.cost_usd is None


def test_a_missing_answer_has_no_probability() -> None:
    model = Recorded(lambda question: Reply(text="perhaps", p_yes=0.9))
    said = asyncio.run(judged(ModelJudge.of(model, "simple", GUITARIST)))
    assert said.missing == "unreadable"
    assert said.p_yes is None


def test_a_long_reply_is_cut_and_kept() -> None:
    model = Recorded(lambda question: Reply(text="Yes. " + "la " * 3000))
    said = asyncio.run(judged(ModelJudge.of(model, "simple", GUITARIST)))
    assert said.answer == "yes"
    assert len(said.reply) == LONGEST_REPLY


def test_vectors_of_frames_judged_lately_can_be_had() -> None:
    model = Recorded(lambda question: Reply(text="yes", image_vector=(0.6, 0.8)))
    judge = ModelJudge.of(model, "simple", GUITARIST)
    seen, unseen = frame(colour="red"), frame(colour="blue")
    asyncio.run(judge.judge((seen,), None))

    vector = judge.vector_of(seen)
    assert vector is not None
    np.testing.assert_allclose(vector, [0.6, 0.8])
    assert judge.vector_of(unseen) is None
    assert judge.encoder is None


def test_closing_closes_the_model() -> None:
    model = Recorded(lambda question: Reply(text="yes"))
    asyncio.run(ModelJudge.of(model, "simple", GUITARIST).close())
    assert model.closed


def test_a_judge_is_loaded_by_names() -> None:
    async def ask_loaded() -> Judgement:
        return await judged(ModelJudge.of(load("scripted/yes"), "isq", GUITARIST))

    said = asyncio.run(ask_loaded())
    assert said.answer == "yes"
    assert said.score == 100

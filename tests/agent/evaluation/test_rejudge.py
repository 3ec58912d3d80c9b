"""Asking again: paid answers are kept, a cap holds across sittings, a failure ends the rest."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.cli.rejudge import rejudge as command
from agent.errors import BadConfig, BudgetSpent, ModelFailed, ModelSilent, SlowDown
from agent.evaluation import question_engine
from agent.evaluation.rejudge import RejudgeOutcome, SittingOpen, rejudge
from agent.evaluation.rejudged_sitting import OtherSitting, RejudgePlan
from agent.judge.reply_cache import Tally
from agent.judge.retry_limits import Patience
from agent.judge.spending_cap import SpendingCap
from agent.models.base import SEVERAL, Question, Reply
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter, read
from store.runs.ledger_lines import PersonaRecord, Phase
from store.runs.rejudgements import Judgements, RejudgedAnswer, judgement_files, read_judgements
from tests.agent.models.made_models import Recorded
from tests.store.samples import START, keep_run, started

NAME = "openai/gpt-4o"
VIDEOS = 40
ONE = 100  # tokens of a call


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path)
    keep_run(folder, "r1", ["red", "blue", "green", "purple"] * (VIDEOS // 4))
    return folder


def model_of(answer: Callable[[Question], str]) -> Recorded:
    """A model that takes a moment, and a hundred tokens a call."""

    async def after_a_moment(question: Question) -> Reply:
        await asyncio.sleep(0)
        text = answer(question)
        return Reply(text, input_tokens=ONE - 1, output_tokens=1, cost_usd=0.001)

    model = Recorded(after_a_moment)
    model.name = NAME
    return model


def ask(
    data: DataFolder, model: Recorded, monkeypatch: pytest.MonkeyPatch, **more: object
) -> RejudgeOutcome:
    monkeypatch.setattr(question_engine, "load_model", lambda *_: model)
    run = read(data.ledger_path("r1"))
    asking = RejudgePlan(NAME, **more)  # type: ignore[arg-type]
    return asyncio.run(rejudge([run], asking, data, START, lambda done, of: None))


def kept(data: DataFolder) -> tuple[RejudgedAnswer, ...]:
    (file,) = judgement_files(data.run_dir("r1"))
    return read_judgements(file).asked


def spent(data: DataFolder) -> int:
    usages = [line.judgement.usage for line in kept(data)]
    return sum((usage.input_tokens or 0) + (usage.output_tokens or 0) for usage in usages)


def test_a_cap_holds_across_sittings_and_nothing_paid_is_lost(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(lambda question: "Yes")
    for calls in (15, 15, 25):
        with pytest.raises(BudgetSpent, match="higher cap"):
            ask(data, model, monkeypatch, cap=SpendingCap(tokens=calls * ONE))
        assert len(model.asked) == len(kept(data)) == calls
        assert spent(data) == calls * ONE
    assert model.closed
    assert ask(data, model, monkeypatch).answered == VIDEOS - 25
    assert len(model.asked) == VIDEOS


def test_what_was_paid_for_no_answer_counts_too(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cap is reached between the two calls of each judgement that is under way."""
    model = model_of(lambda question: "Well.")
    for _ in range(5):  # nobody nibbles past the cap by trying again
        with pytest.raises(BudgetSpent):
            ask(data, model, monkeypatch, cap=SpendingCap(tokens=5 * ONE))
    assert len(model.asked) == 5
    assert spent(data) < 5 * ONE


def test_a_failure_ends_the_others_and_keeps_what_was_answered(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    waiting = asyncio.Event()

    async def answer(question: Question) -> Reply:
        number = len(model.asked)
        if number <= 5:
            return Reply("Yes")
        if number == 5 + SEVERAL:  # by now the others are under way
            raise BadConfig("The key is refused.")
        try:
            await waiting.wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return Reply("No")

    model = Recorded(answer)
    model.name = NAME
    with pytest.raises(BadConfig, match="refused"):
        ask(data, model, monkeypatch)
    assert len(ended) == SEVERAL - 1
    assert [line.judgement.answer for line in kept(data)] == ["yes"] * 5
    assert model.closed


def test_kept_replies_answer_a_repeated_sitting(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: Iterator[str] = iter(["I'm sorry, but I can't assist with that."] + ["Yes"] * 1000)
    model = model_of(lambda question: next(words))
    first = ask(data, model, monkeypatch, repeats=2)
    assert first.replies == Tally(asked=2 * VIDEOS, unfit=1)
    said = {line.key: line.judgement.answer for line in kept(data)}
    (file,) = judgement_files(data.run_dir("r1"))
    file.unlink()
    again = ask(data, model, monkeypatch, repeats=2)
    # the refusal too was paid for by this file, and a kill may have taken what was entered
    assert again.replies == Tally(kept=2 * VIDEOS)
    assert len(model.asked) == 2 * VIDEOS
    assert {line.key: line.judgement.answer for line in kept(data)} == said


def test_reasons_are_another_judges_answers(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(lambda q: "Yes\nReason: It is red." if q.explain else "Yes")
    ask(data, model, monkeypatch)
    assert {line.judgement.reason for line in kept(data)} == {None}
    assert ask(data, model, monkeypatch, explain="yes").answered == VIDEOS
    files = [read_judgements(file) for file in judgement_files(data.run_dir("r1"))]
    told = {file.judge.explain: {line.judgement.reason for line in file.asked} for file in files}
    assert told == {"never": {None}, "yes": {"It is red."}}
    # the answers were there already; only the reasons were asked for
    assert [question.explain for question in model.asked].count(False) == VIDEOS


def test_personas_with_one_id_are_each_asked_as_themselves(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = PersonaRecord(id="p12", traits=("I fish.", "I ski.", "I row."), source="x", licence="x")
    keep_run(data, "r2", ["red", "black"], persona=other)
    model = model_of(lambda question: "Yes" if "I fish." in question.prompt.system else "No")
    monkeypatch.setattr(question_engine, "load_model", lambda *_: model)
    runs = [read(data.ledger_path(name)) for name in ("r1", "r2")]
    for everyone, answers in ((False, {"r1": {"no"}, "r2": {"yes"}}), (True, {})):
        asking = RejudgePlan(NAME, everyone=everyone, seed=1 + everyone)
        asyncio.run(rejudge(runs, asking, data, START, lambda done, of: None))
        for run in runs:
            lines = [
                line
                for file in judgement_files(data.run_dir(run.started.run_id))
                for line in read_judgements(file).asked
                if read_judgements(file).judge.seed == asking.seed
            ]
            assert {line.persona for line in lines} == {"p12"}
            said = {(line.traits, line.judgement.answer) for line in lines}
            if everyone:
                ours, theirs = (one.started.persona.traits_hash for one in runs)
                assert said == {(ours, "no"), (theirs, "yes")}
            else:
                assert {answer for _, answer in said} == answers[run.started.run_id]


def failing(every: int, fault: type[ModelFailed | SlowDown] = ModelFailed) -> Recorded:
    """A model whose service fails at every so-manieth call."""

    async def answer(question: Question) -> Reply:
        number = len(model.asked)
        await asyncio.sleep(0)
        if number % every == 0:
            raise fault("no reply")
        return Reply("Yes")

    model = Recorded(answer)
    model.name = NAME
    return model


def lines(data: DataFolder) -> tuple[RejudgedAnswer, ...]:
    (file,) = judgement_files(data.run_dir("r1"))
    return read_judgements(file).lines


@pytest.mark.parametrize("fault", [ModelFailed, SlowDown])
def test_what_no_reply_came_to_is_asked_again_by_the_same_command(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch, fault: type[ModelFailed | SlowDown]
) -> None:
    some = failing(8, fault)
    did = ask(data, some, monkeypatch)
    lost = VIDEOS // 8
    assert (did.answered, did.open, did.given_up) == (VIDEOS - lost, lost, 0)
    well = model_of(lambda question: "No")
    did = ask(data, well, monkeypatch)
    assert (did.answered, did.open) == (lost, 0)
    assert len(well.asked) == lost
    assert len(lines(data)) == VIDEOS + lost, "every attempt is kept"
    assert sorted(str(line.judgement.answer) for line in kept(data)) == (
        ["no"] * lost + ["yes"] * (VIDEOS - lost)
    )
    assert ask(data, well, monkeypatch).answered == 0


def test_a_question_is_given_up_after_the_declared_attempts(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = Patience(attempts=2, in_a_row=0)
    down = failing(1)
    assert ask(data, down, monkeypatch, patience=patience).open == VIDEOS
    assert ask(data, down, monkeypatch, patience=patience).given_up == VIDEOS
    assert ask(data, down, monkeypatch, patience=patience).given_up == VIDEOS
    assert len(down.asked) == len(lines(data)) == 2 * VIDEOS
    well = model_of(lambda question: "Yes")
    did = ask(data, well, monkeypatch, patience=Patience(attempts=3))
    assert (did.answered, did.given_up) == (VIDEOS, 0)


def test_an_outage_ends_the_sitting_wears_nothing_out_and_goes_on(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = failing(1)
    for sitting in range(3):
        before = len(down.asked)
        with pytest.raises(ModelSilent, match=r"in a row.*type the same command"):
            ask(data, down, monkeypatch)
        asked = len(down.asked) - before
        # counted on over sittings: later ones end with what is under way at the first silence
        assert asked <= (10 if sitting == 0 else 1) + SEVERAL - 1
    tried = Counter(line.key for line in lines(data))
    assert set(tried.values()) == {1}, "no question is tried twice before all others"
    did = ask(data, model_of(lambda question: "Yes"), monkeypatch)
    assert (did.answered, did.open, did.given_up) == (VIDEOS, 0, 0)


def test_refusals_and_unreadable_replies_are_answers(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = iter(["I'm sorry, but I can't assist with that."] * VIDEOS + ["Hm."] * 1000)
    ask(data, model_of(lambda question: next(words)), monkeypatch)
    assert ask(data, failing(1), monkeypatch).answered == 0


def persona(name: str) -> PersonaRecord:
    return PersonaRecord(id=name, traits=("I fish.", "I ski.", name), source="x", licence="x")


def files_of(data: DataFolder, run_id: str, seed: int) -> list[Judgements]:
    found = [read_judgements(path) for path in judgement_files(data.run_dir(run_id))]
    return [file for file in found if file.judge.seed == seed]


def test_all_cells_of_a_run_come_from_one_sitting(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judged as itself first, a run cannot be judged as the others beside it under one seed."""
    keep_run(data, "r2", ["orange", "white"], persona=persona("p09"))
    model = model_of(lambda question: "Yes")
    monkeypatch.setattr(question_engine, "load_model", lambda *_: model)
    runs = [read(data.ledger_path(name)) for name in ("r1", "r2")]

    def ask_again(**more: object) -> RejudgeOutcome:
        asking = RejudgePlan(NAME, **more)  # type: ignore[arg-type]
        return asyncio.run(rejudge(runs, asking, data, START, lambda done, of: None))

    assert ask_again().answered == VIDEOS + 2
    with pytest.raises(OtherSitting, match=r"judged as p12 on 2025-03-01.*Type: .* --seed 2$"):
        ask_again(everyone=True)
    assert len(model.asked) == VIDEOS + 2
    second = ask_again(everyone=True, seed=2)
    # no reply of the first sitting stands in for a cell of the second
    assert second.replies == Tally(asked=2 * (VIDEOS + 2))
    (file,) = files_of(data, "r1", 2)
    assert file.judge.personas == tuple(sorted(run.started.persona.identity for run in runs))
    assert file.in_one_sitting
    order = [line.persona for line in file.lines]
    changes = sum(one != other for one, other in pairwise(order))
    assert changes > VIDEOS / 2  # the personas take turns at random
    assert ask_again(seed=2).answered == 0  # who was asked then needs no other sitting


def test_what_is_left_of_a_sitting_may_be_asked_later(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(lambda question: "Yes")
    with pytest.raises(BudgetSpent):
        ask(data, model, monkeypatch, cap=SpendingCap(tokens=15 * ONE))
    assert ask(data, model, monkeypatch).answered == VIDEOS - 15
    (file,) = files_of(data, "r1", 1)
    assert len(file.sittings) == 2
    assert file.in_one_sitting
    before = [one.model_copy(update={"personas": ()}) for one in file.sittings]
    assert not replace(file, sittings=tuple(before)).in_one_sitting
    assert replace(file, sittings=tuple(before[:1])).in_one_sitting


def test_what_is_left_of_a_sitting_is_asked_of_all_its_personas(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A matrix that was cut off does not have its diagonal answered later than the rest."""
    keep_run(data, "r2", ["orange", "white"], persona=persona("p09"))
    monkeypatch.setattr(question_engine, "load_model", lambda *_: model_of(lambda question: "Yes"))
    runs = [read(data.ledger_path(name)) for name in ("r1", "r2")]

    def ask_again(**more: object) -> RejudgeOutcome:
        asking = RejudgePlan(NAME, **more)  # type: ignore[arg-type]
        return asyncio.run(rejudge(runs, asking, data, START, lambda done, of: None))

    with pytest.raises(BudgetSpent):
        ask_again(everyone=True, cap=SpendingCap(tokens=15 * ONE))
    for more in ({}, {"repeats": 2}, {"mirrored": True}):
        with pytest.raises(SittingOpen, match=r"as p09, p12 in one .* type: the same with --seed"):
            ask_again(**more)
    assert sum(len(files_of(data, run, 1)[0].lines) for run in ("r1", "r2")) == 15
    assert ask_again(everyone=True).answered == 2 * (VIDEOS + 2) - 15
    assert ask_again(repeats=2).answered == VIDEOS + 2  # again, and no cell of the matrix


def test_each_draw_is_asked_as_its_own_personas(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study that is extended keeps its sittings: whom it had before is not asked anew."""
    draws = {"a1": ("p01", 1), "a2": ("p02", 1), "b1": ("p03", 2), "b2": ("p04", 2)}
    for run_id, (name, block) in draws.items():
        config = {"study": "s", "replicate": 1, "block": block}
        keep_run(data, run_id, ["red", "blue"], persona=persona(name), config=config)
    model = model_of(lambda question: "Yes")
    monkeypatch.setattr(question_engine, "load_model", lambda *_: model)
    for names, answered in ((("a1", "a2"), 8), (tuple(draws), 8)):
        runs = [read(data.ledger_path(name)) for name in names]
        asking = RejudgePlan(NAME, everyone=True)
        done = asyncio.run(rejudge(runs, asking, data, START, lambda done, of: None))
        assert done.answered == answered
    for run_id, (_, block) in draws.items():
        (file,) = files_of(data, run_id, 1)
        mates = {name for name, other in draws.values() if other == block}
        assert {line.persona for line in file.asked} == mates


def test_another_checkpoint_of_the_same_name_is_another_judge(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = model_of(lambda question: "Yes"), model_of(lambda question: "No")
    second.fingerprint = "fedcba9876543210"
    assert ask(data, first, monkeypatch).others == 0
    did = ask(data, second, monkeypatch)
    assert (did.answered, did.others) == (VIDEOS, 1)
    assert len(second.asked) == VIDEOS, "no answer and no kept reply of the first one is taken"
    files = [read_judgements(file) for file in judgement_files(data.run_dir("r1"))]
    assert {file.judge.fingerprint: file.asked[0].judgement.answer for file in files} == {
        first.fingerprint: "yes",
        second.fingerprint: "no",
    }
    assert ask(data, first, monkeypatch).answered == 0


@pytest.mark.parametrize("where", ["ledger", "own answers", "another judge's answers"])
def test_a_line_that_cannot_be_read_stops_no_other_run(data: DataFolder, where: str) -> None:
    """Through the command: the study's other runs are asked, and the damaged file is named."""
    data.studies_dir.joinpath("s").mkdir(parents=True)
    shutil.rmtree(data.run_dir("r1"))
    for run_id in ("a", "b"):
        keep_run(data, run_id, ["red", "blue", "green"], config={"study": "s"})
    words = ["s", "--model", "scripted/coin?p=0.3", "--data", str(data.root)]
    if where != "ledger":
        assert CliRunner().invoke(command, words, catch_exceptions=False).exit_code == 0
        (path,) = judgement_files(data.run_dir("a"))
    else:
        path = data.ledger_path("a")
    if where == "another judge's answers":
        path = path.rename(path.with_name("another.jsonl"))
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace('"answer"', '"anser"')
    path.write_text("".join(f"{line}\n" for line in lines))
    done = CliRunner().invoke(command, [*words, "--repeats", "2"], catch_exceptions=False)
    (file,) = judgement_files(data.run_dir("b"))
    assert len(read_judgements(file).asked) == 6
    if where == "another judge's answers":
        assert (done.exit_code, done.stderr) == (0, "")
    else:
        assert f"Left out: {path}:2 is damaged" in done.stderr
        assert done.exit_code == 1


def test_nothing_is_asked_about_the_adapt_block(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not compared would only cost: here 20 of 60 calls."""
    phases: dict[int, Phase] = {
        **dict.fromkeys(range(15), "before"),
        **dict.fromkeys(range(15, 35), "adapt"),
    }
    path = data.ledger_path("r2")
    with LedgerWriter(path, fsync=False) as writer:
        writer.append(started("r2"))
        for one in read(data.ledger_path("r1")).steps:
            writer.append(one.model_copy(update={"phase": phases.get(one.position, "after")}))
    model = model_of(lambda question: "Yes")
    monkeypatch.setattr(question_engine, "load_model", lambda *_: model)
    asyncio.run(rejudge([read(path)], RejudgePlan(NAME), data, START, lambda done, of: None))
    (file,) = judgement_files(path.parent)
    asked = {line.position for line in read_judgements(file).asked}
    assert asked == {*range(15), *range(35, VIDEOS)}

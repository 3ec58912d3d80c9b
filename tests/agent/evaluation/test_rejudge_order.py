"""Re-judging with the picture first: what is named, refused, and in which order it is asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from agent.errors import BadConfig
from agent.evaluation import question_engine
from agent.evaluation.rejudge import rejudge
from agent.evaluation.rejudged_sitting import OtherOrder, RejudgePlan
from agent.models.base import Question, Reply
from personas.strategies import Order
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.runs.ledger_lines import PersonaRecord
from store.runs.rejudgements import RejudgementHeader, judgement_files, read_judgements
from tests.agent.models.made_models import Recorded
from tests.store.samples import START, keep_run

NAME = "openai/gpt-4o"
AT_ONCE = 8  # questions under way at the same time
COLOURS = ["red", "blue", "green", "purple"] * 3
ANGLER = PersonaRecord(id="p90", traits=("I fish.", "I ski.", "I row."), source="x", licence="x")


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path)
    keep_run(folder, "r1", COLOURS)
    keep_run(folder, "r2", COLOURS[::-1], persona=ANGLER)
    return folder


def ask(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch, order: Order | None, *names: str
) -> list[Question]:
    model = Recorded(lambda question: Reply("Yes"))
    model.name = NAME
    monkeypatch.setattr(question_engine, "load_model", lambda *_: model)
    runs = [read(data.ledger_path(name)) for name in names]
    plan = RejudgePlan(NAME, everyone=len(names) > 1, mirrored=True, order=order)
    asyncio.run(rejudge(runs, plan, data, START, lambda done, of: None))
    return model.asked


def headers(data: DataFolder, name: str) -> list[RejudgementHeader]:
    return [read_judgements(file).judge for file in judgement_files(data.run_dir(name))]


def test_the_order_is_kept_and_makes_another_judge(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = ask(data, monkeypatch, None, "r1")
    assert all(question.prompt.system for question in usual)
    first = ask(data, monkeypatch, "picture-first", "r1")
    assert not any(question.prompt.system for question in first)
    assert len(first) == len(usual) == 2 * len(COLOURS)
    assert {header.order for header in headers(data, "r1")} == {"persona-first", "picture-first"}


def test_what_is_asked_about_a_picture_is_asked_together_and_shuffled(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(data, monkeypatch, "picture-first", "r1", "r2")
    assert len(asked) == 2 * len(COLOURS) * 4, "two personas, each with its opposite"
    places: dict[tuple[bytes, ...], list[int]] = {}
    for place, question in enumerate(asked):
        places.setdefault(question.frames, []).append(place)
    assert len(places) == 2 * len(COLOURS)
    assert all(each[-1] - each[0] < 4 + AT_ONCE for each in places.values())
    firsts = [asked[each[0]].prompt for each in places.values()]
    assert len(Counter((each.traits, each.mirrored) for each in firsts)) == 4
    store = FrameStore(data.frames_dir)
    steps = read(data.ledger_path("r1")).steps
    own = {tuple(store.read(frame.sha256) for frame in step.frames) for step in steps}
    runs = [frames in own for frames in places]
    assert sum(a != b for a, b in pairwise(runs)) > 2, "runs come by turns"


def test_a_header_of_before_names_the_usual_order_and_the_same_file() -> None:
    old = {
        "run_id": "r1",
        "model": NAME,
        "strategy": "simple",
        "prompts": {},
        "seed": 1,
        "at": START,
        "code_version": "0",
    }
    before = RejudgementHeader.model_validate(old)
    assert before.order == "persona-first"
    other = before.model_copy(update={"order": "picture-first"})
    assert other.slug != before.slug


def test_a_study_keeps_to_its_order(data: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"study": "s", "order": "picture-first"}
    keep_run(data, "r3", COLOURS, config=config, model=NAME)
    with pytest.raises(OtherOrder, match=r"Type: the same with --order picture-first"):
        ask(data, monkeypatch, "persona-first", "r3")
    assert not any(question.prompt.system for question in ask(data, monkeypatch, None, "r3"))
    with pytest.raises(OtherOrder, match="was asked"):
        ask(data, monkeypatch, None, "r1", "r3")


def test_the_runs_own_model_is_asked_again_as_it_was_asked(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a study's matrix would be of another judge than its runs, and nobody would see it."""
    config = {"settings": {"temperature": 0.7, "max_tokens": None}}
    keep_run(data, "r3", COLOURS, config=config, model=NAME)
    ask(data, monkeypatch, None, "r3")
    assert [header.settings for header in headers(data, "r3")] == [{"temperature": 0.7}]
    ask(data, monkeypatch, None, "r1")
    assert [header.settings for header in headers(data, "r1")] == [{}], "another model's runs"
    keep_run(data, "r4", COLOURS, model=NAME)
    with pytest.raises(BadConfig, match=r"type: --model-setting temperature=0\.7"):
        ask(data, monkeypatch, None, "r3", "r4")

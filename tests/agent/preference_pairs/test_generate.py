"""Preference pairs from real frames to the export: made, checked, resumed, refused, loaded."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.benchmarks.viewer_inputs import Exhibit
from agent.cli import cli
from agent.errors import BudgetSpent
from agent.evaluation import question_engine
from agent.judge.retry_limits import Patience
from agent.judge.spending_cap import SpendingCap
from agent.models import scripted_scenes
from agent.models.base import Question, Reply
from agent.preference_pairs.generate import PairPlan, make_pairs
from store.privacy.forget_answers import ForgottenKeys, forget_answers, texts_about
from store.results.preference_pairs import ERRORS, ErrorKind, NoPairs, PreferencePairs, find_pairs
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger
from store.runs.ledger_lines import Judgement
from tests.agent.made_runs import exhibits, watch
from tests.agent.models.fault_server import Server, frames_of
from tests.agent.models.made_models import Recorded
from tests.store.samples import START

# inspect_ai calls tenacity in a way that tenacity 9.2 has deprecated; it is theirs to mend
pytestmark = pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning")

SPOILT = {
    "same": {"unchanged"},
    "two": {"several_errors", "off_target"},
    "long": {"length"},
    "style": {"style"},
    "true": {"not_contradicted"},
}
"""What each planted fault of the scripted editor is told as; two errors side by side are for the
checker to tell, and so off their target."""


@pytest.fixture(scope="module")
def shown() -> list[Exhibit]:
    return exhibits(1)


@pytest.fixture(scope="module")
def data(shown: list[Exhibit], tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    folder = DataFolder(tmp_path_factory.mktemp("data"))
    watch(folder, shown)
    return folder


@pytest.fixture(scope="module")
def run(data: DataFolder) -> Ledger:
    from store.runs.ledger import read

    return read(data.ledger_path("r1"))


def typed(data: DataFolder, *words: str) -> Result:
    return CliRunner().invoke(cli, ["pairs", "--data", str(data.root), *words])


def told(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output + repr(result.exception)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def made(
    data: DataFolder, run: Ledger, model: Recorded, monkeypatch: pytest.MonkeyPatch, **more: Any
) -> PreferencePairs:
    monkeypatch.setattr(question_engine, "load_model", lambda *_: model)
    making = PairPlan(model.name, **more)
    path = asyncio.run(make_pairs([run], making, data, START, lambda *_: None)).path
    return find_pairs(data, str(path))


def scripted(question: Question, spoil: str = "none") -> Reply:
    text = scripted_scenes.reply(
        question.prompt.user, bool(question.prompt.system), question.frames[0], {"spoil": spoil}
    )
    return Reply(text, input_tokens=90, output_tokens=10)


# What comes out


def test_every_kind_comes_out_and_every_pair_differs_in_one_place(
    data: DataFolder, tmp_path: Path
) -> None:
    result = told(typed(data, "--model", "scripted/editor", "--json"))
    assert result["counts"] == {error: {"counted": 16} for error in ERRORS}
    assert result["shortcut"]["separates"] is False
    assert result["shortcut"]["accuracy"]["low"] <= 50
    assert Path(result["figure"]).read_bytes().startswith(b"\x89PNG")
    found = find_pairs(data, result["file"])
    for pair in found.counted:
        assert pair.checks is not None
        assert (pair.checks.spans, pair.checks.style) == (1, ())
        assert abs(pair.checks.length) <= 0.15
        assert (pair.checks.accepted_holds, pair.checks.rejected_holds) == (True, False)
        assert pair.accepted != pair.rejected
        assert pair.accepted.replace(*pair.swapped) == pair.rejected
    said = Counter("would watch" in p.accepted for p in found.counted if p.error == "persona")
    assert said == {True: 8, False: 8}, "neither answer is the one that is accepted"


@pytest.mark.parametrize("spoil", sorted(SPOILT))
def test_planted_bad_edits_are_all_rejected_for_their_fault(data: DataFolder, spoil: str) -> None:
    result = told(typed(data, "--model", f"scripted/editor?spoil={spoil}", "--json"))
    assert result["pairs"] == 0
    for count in result["counts"].values():
        assert sum(count.values()) == 16
        assert set(count) <= SPOILT[spoil]
    pair = find_pairs(data, f"scripted-editor-spoil-{spoil}").pairs[0]
    assert pair.reason in SPOILT[spoil]
    assert pair.accepted, "a reject keeps its texts"


# How it is asked


def test_the_checker_is_never_told_which_text_was_accepted(
    data: DataFolder, run: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Recorded(scripted)
    model.name = "openai/blind"
    found = made(data, run, model, monkeypatch, errors=("relation",))
    asked = [question.prompt for question in model.asked if question.prompt.kind == "choice"]
    both = {text: place for pair in found.pairs for place, text in enumerate(pair.statements)}
    alone = [prompt.user.partition("Statement: ")[2].partition("\n")[0] for prompt in asked]
    assert Counter(both[text] for text in alone if text) == {0: 16, 1: 16}
    assert (
        len(
            {
                prompt.user.replace(text, "")
                for prompt, text in zip(asked, alone, strict=True)
                if text
            }
        )
        == 1
    )
    firsts = [p.user.partition("\n1: ")[2].partition("\n")[0] for p in asked if "\n1: " in p.user]
    assert {both[text] for text in firsts} == {0, 1}, "which comes first tells nothing"


def test_nothing_is_made_twice_and_a_cap_holds_over_sittings(
    data: DataFolder, run: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    kinds: tuple[ErrorKind, ...] = ("object", "count")
    for cap in (2_000, 2_500, 100_000, 100_000):
        model = Recorded(scripted)
        model.name = "openai/capped"
        try:
            found = made(data, run, model, monkeypatch, errors=kinds, cap=SpendingCap(tokens=cap))
        except BudgetSpent:
            assert cap < 100_000
        asked.append(len(model.asked))
    assert asked[:2] == [20, 5]
    texts, pairs, same = 16, 32, 16  # both kinds ask of a frame whether the same sentence holds
    assert texts + pairs * 4 - same <= sum(asked[:3]) <= texts + pairs * 4
    assert asked[3] == 0
    assert len(found.counted) == 32
    paid = sum(pair.usage.calls for pair in found.pairs)
    assert paid + sum(told.usage.calls for told in found.told.values()) >= sum(asked)


def test_a_service_that_failed_is_asked_again_in_the_next_sitting(
    data: DataFolder, run: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent.errors import ModelFailed

    def failing(question: Question) -> Reply:
        if "Kind of error" in question.prompt.user:
            raise ModelFailed("down", kind="x", status=500)
        return scripted(question)

    for answer, reasons in ((failing, {"unanswered"}), (scripted, {None})):
        model = Recorded(answer)
        model.name = "openai/failing"
        patience = Patience(in_a_row=0)
        found = made(data, run, model, monkeypatch, errors=("place",), frames=3, patience=patience)
        assert {pair.reason for pair in found.pairs} == reasons
        assert len(found.pairs) == 3


def test_a_service_that_stays_down_is_given_up_after_the_declared_attempts(
    data: DataFolder, run: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent.errors import ModelFailed, ModelSilent

    def fails(question: Question) -> Reply:
        raise ModelFailed("down", kind="x", status=500)

    down = Recorded(fails)
    down.name = "openai/down"
    with pytest.raises(ModelSilent):
        made(data, run, down, monkeypatch, errors=("place",), frames=3)
    assert len(down.asked) == 3
    for _ in range(3):
        patience = Patience(attempts=2, in_a_row=0)
        made(data, run, down, monkeypatch, errors=("place",), frames=3, patience=patience)
    assert len(down.asked) == 6
    well = Recorded(scripted)
    well.name = down.name
    found = made(data, run, well, monkeypatch, errors=("place",), frames=3)
    assert len(found.counted) == 3


def test_what_the_runs_own_model_wrote_is_accepted_as_it_is(
    data: DataFolder, run: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Two green kites stand behind an old piano."
    said = Judgement(answer="yes", description=f"“{text}”")
    steps = tuple(step.model_copy(update={"judgement": said}) for step in run.steps[:2])
    started = run.started.model_copy(update={"model": "openai/describes"})
    own = Ledger(**{**vars_of(run), "started": started, "steps": steps})
    model = Recorded(lambda question: Reply("NONE"))
    model.name = "openai/none"
    found = made(data, own, model, monkeypatch, errors=("count",))
    assert {line.accepted for line in found.told.values()} == {text}
    assert all(line.stored for line in found.told.values())
    assert {pair.reason for pair in found.pairs} == {"nothing_to_change"}
    assert len(model.asked) == 2, "nobody is asked for a description that is there"


def vars_of(run: Ledger) -> dict[str, Any]:
    return {name: getattr(run, name) for name in run.__dataclass_fields__}


def test_who_writes_nothing_is_refused(data: DataFolder) -> None:
    refused = typed(data, "--model", "embedded/conse")
    assert "writes no text" in refused.output
    nothing = typed(DataFolder(data.root / "none"), "--model", "scripted/editor")
    assert nothing.exit_code == 2
    assert "No frame is kept yet" in nothing.output


# Over HTTP


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A service that edits and checks, as the scripted editor would."""

    def answer(body: dict[str, Any]) -> tuple[str, int, int]:
        system = any(message["role"] == "system" for message in body["messages"])
        user = body["messages"][-1]["content"]
        words = "\n".join(part["text"] for part in user if part["type"] == "text")
        return scripted_scenes.reply(words, system, frames_of(body)[0], {}), 90, 10

    monkeypatch.setenv("LOOPBACK_API_KEY", "none")
    with Server(answer).running() as running:
        monkeypatch.setenv("LOOPBACK_BASE_URL", f"{running.url}/model/v1")
        yield running


SERVED = "openai-api/loopback/editor"


@pytest.mark.drill
def test_a_model_served_over_http_makes_every_kind(served: Server, data: DataFolder) -> None:
    result = told(typed(data, "--model", SERVED, "--frames", "2", "--json"))
    counts = result["counts"]
    assert {error: count["counted"] for error, count in counts.items() if error != "persona"} == (
        dict.fromkeys(ERRORS[:-1], 2)
    )
    (first, *_) = find_pairs(data, "openai-api-loopback").counted
    assert first.usage.calls == 4
    assert (first.usage.input_tokens, first.usage.output_tokens) == (360, 40)


@pytest.mark.drill
def test_two_hundred_frames_by_script_and_over_http(served: Server, tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    watch(data, exhibits(13))
    for model in ("scripted/editor", SERVED):
        words = ("--checker", "scripted/editor", "--frames", "200", "--json")
        out = tmp_path / model.replace("/", "-")
        result = told(typed(data, "--model", model, *words, "--export", str(out)))
        assert all(count["counted"] >= 180 for count in result["counts"].values())
        assert result["shortcut"]["accuracy"]["low"] <= 50
        assert sum(result["exported"]["rows"].values()) == result["pairs"] > 1300
    assert served.requests["model"] >= 1300


# The export


@pytest.mark.drill
def test_the_export_loads_as_trl_wants_it(data: DataFolder, tmp_path: Path) -> None:
    import datasets

    folder = tmp_path / "preferences"
    result = told(typed(data, "--model", "scripted/editor", "--export", str(folder), "--json"))
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == result["exported"]["rows"]
    videos = [set(rows["video"]) for rows in loaded.values()]
    assert sum(map(len, videos)) == len(set.union(*videos)) == 16, "no video is in two splits"
    assert all(video.startswith("video-") for video in set.union(*videos))
    rows = [row for split in loaded.values() for row in split]
    assert Counter(row["kind"] for row in rows) == dict.fromkeys(ERRORS, 16)
    few = told(
        typed(
            data,
            "--model",
            "scripted/editor",
            "--kind",
            "count",
            "--frames",
            "5",
            "--export",
            str(tmp_path / "few"),
            "--json",
        )
    )
    assert (few["pairs"], sum(few["exported"]["rows"].values())) == (5, 5), "what was asked for"
    for row in rows:
        assert [message["role"] for message in row["prompt"]][-1] == "user"
        assert [message["role"] for message in row["chosen"] + row["rejected"]] == ["assistant"] * 2
        assert row["chosen"] != row["rejected"]
        assert row["images"][0].size == (360, 640)
        assert ("system" in {message["role"] for message in row["prompt"]}) == bool(row["persona"])
    card = (folder / "README.md").read_text("utf-8")
    assert "50.0 % (95 % interval" in card
    assert "made up by a script" in card
    assert (folder / "figures" / "checks.png").is_file()
    again = typed(data, "--model", "scripted/editor", "--export", str(folder))
    assert (again.exit_code, "Type: python -m store export NEW_FOLDER" in again.output) == (2, True)


def test_a_shortcut_is_refused_unless_it_is_allowed_and_then_told(
    data: DataFolder, run: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(question_engine, "load_model", lambda *_: Recorded(_longer_objects))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")  # which nobody is sent
    words = ("--model", "openai/longer", "--kind", "object", "--export", str(tmp_path / "out"))
    refused = typed(data, *words)
    assert "would learn that instead of looking" in refused.output
    assert refused.output.endswith("type: --allow-shortcut\n")
    assert not (tmp_path / "out").exists()
    allowed = typed(data, *words, "--allow-shortcut")
    assert allowed.exit_code == 0, allowed.output
    assert "**This is a shortcut" in (tmp_path / "out" / "README.md").read_text("utf-8")


def _longer_objects(question: Question) -> Reply:
    """Put a longer word in the place of the object, and find whatever is asked right."""
    user = question.prompt.user
    if "\nText: " in user:
        text = user.partition("\nText: ")[2].partition("\n")[0]
        there = next(word for word in scripted_scenes.SLOTS["object"] if word in text)
        return Reply(text.replace(there, "saxophones"))
    if question.prompt.kind == "text":
        return scripted(question)
    return Reply("No" if "Statement: " in user and "saxophones" in user else "Yes")


# What is forgotten


def test_a_forgotten_frame_leaves_the_pairs(data: DataFolder) -> None:
    before = find_pairs(data, "scripted-editor-spoil-two")
    gone = before.pairs[0].source.frame
    forgotten = ForgottenKeys({gone}, ())
    assert before.pairs[0].rejected in texts_about(data.pairs_dir, forgotten)
    forget_answers(data.pairs_dir, forgotten, lambda text: text.replace("kite.flyer", "forgotten"))
    after = find_pairs(data, "scripted-editor-spoil-two")
    assert len(after.pairs) == len(before.pairs) - 7
    assert gone not in after.path.read_text("utf-8")
    assert {pair.source.author for pair in after.pairs} == {"forgotten"}


def test_without_pairs_it_is_said_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(NoPairs, match="python -m agent pairs"):
        find_pairs(DataFolder(tmp_path))

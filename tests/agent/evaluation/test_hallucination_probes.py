"""Hallucination probes: a planted confusion, a yes-sayer, reasons, examples, and inspect_ai."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageOps

from agent.cli import cli
from agent.errors import BudgetSpent, ModelFailed, ModelSilent
from agent.evaluation import question_engine
from agent.evaluation.hallucination_probes import ProbePlan, ask_probes, probed_pairs
from agent.judge.retry_limits import Patience
from agent.judge.spending_cap import SpendingCap
from agent.models import scripted_scenes
from agent.models.base import SEVERAL, Question, Reply
from agent.models.embedded_viewer import ocr
from agent.preference_pairs.generate import PairPlan, make_pairs
from store.cli.main import main as store_main
from store.results.hallucination_probes import PROBE_FORMAT, read_probes
from store.results.preference_pairs import LEVELS, find_pairs
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.runs.recorded_model_names import warn_made_up
from tests.agent.made_runs import exhibits, watch
from tests.agent.models.made_models import Recorded
from tests.store.samples import START

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    folder = DataFolder(tmp_path_factory.mktemp("data"))
    run = watch(folder, exhibits(1))
    asyncio.run(make_pairs([run], PairPlan("scripted/editor"), folder, START, lambda *_: None))
    return folder


def typed(data: DataFolder, *words: str) -> Result:
    return CliRunner().invoke(cli, ["probe", "--data", str(data.root), *words])


def told(result: Result, model: str) -> dict[str, Any]:
    assert result.exit_code == 0, result.output + repr(result.exception)
    found: dict[str, Any] = json.loads(result.stdout)["models"][model]
    return found


@pytest.mark.parametrize("confused", LEVELS)
def test_a_planted_confusion_is_found_at_its_level_and_at_no_other(
    data: DataFolder, confused: str
) -> None:
    model = f"scripted/witness?confuses={confused}"
    found = told(typed(data, "--model", model, "--json"), model)
    for level, rates in found["levels"].items():
        planted = level == confused
        assert rates["choice"]["value"] == 100 * planted
        assert rates["accepts"]["value"] == 100 * planted
        assert rates["statements"]["value"] == 50 * planted
        assert rates["invents"]["value"] == 100 * planted
        assert (rates["choice"]["low"] > 75) if planted else (rates["choice"]["high"] < 25)
        assert rates["pairs"] == 16
    assert found["yes"]["value"] == found["first"]["value"] == 50
    assert found["tendency"] == "even-handed"


@pytest.mark.parametrize("word", ["yes", "no"])
def test_who_always_says_the_same_is_told_as_such(data: DataFolder, word: str) -> None:
    model = f"scripted/{word}"
    result = typed(data, "--model", model)
    assert f"a {word}-sayer" in result.stdout
    found = told(typed(data, "--model", model, "--json"), model)
    assert found["yes"]["value"] == 100 * (word == "yes")
    for rates in found["levels"].values():
        assert rates["choice"]["value"] == rates["statements"]["value"] == 50, (
            "no better than chance"
        )


def test_the_sheets_show_what_was_wrong_and_nothing_else(data: DataFolder, tmp_path: Path) -> None:
    words = ("--model", "scripted/witness?confuses=attribute", "--model", "scripted/witness")
    result = typed(data, *words, "--out", str(tmp_path / "out"), "--json")
    names = sorted(Path(path).name for path in json.loads(result.stdout)["pictures"])
    assert names == ["examples-1-attribute.jpg", "rates.png"]
    with Image.open(tmp_path / "out" / "examples-1-attribute.jpg") as sheet:
        assert sheet.width > 1000
    assert (tmp_path / "out" / "rates.csv").read_text("utf-8").count("\n") == 1 + 2 * 3 * 4


def test_what_is_made_up_says_so_on_every_picture_and_in_words(
    data: DataFolder, tmp_path: Path
) -> None:
    own = DataFolder(tmp_path / "data")
    shutil.copytree(data.root, own.root)
    words = ("--model", "scripted/witness?confuses=attribute", "--out", str(tmp_path / "out"))
    warning = "MADE UP: scripted/editor and scripted/witness?confuses=attribute tell of a frame"
    assert warning in typed(own, *words).stdout
    for name, top in (("examples-1-attribute.jpg", True), ("rates.png", False)):
        with Image.open(tmp_path / "out" / name) as picture:
            start = 0 if top else picture.height - 60
            strip = picture.crop((0, start, picture.width, start + 60))
            assert "MADEUP" in words_of(strip), name
    made = CliRunner().invoke(cli, ["pairs", "--model", "scripted/editor", "--data", str(own.root)])
    assert "MADE UP: scripted/editor tells of a frame without a look at it." in made.stdout
    with Image.open(find_pairs(own).path.with_suffix(".png")) as picture:
        assert "MADEUP" in words_of(picture.crop((300, 0, 900, 30)))


def words_of(strip: Image.Image) -> str:
    """What stands on a strip of a picture, large and with a margin, without spaces."""
    large = ImageOps.scale(ImageOps.expand(strip.convert("RGB"), 20, "white"), 2)
    return (ocr.read(large) or "").replace(" ", "")


def test_what_a_model_that_looks_tells_is_not_called_made_up() -> None:
    assert warn_made_up("openai/gpt-4o", "hfvlm/x", "embedded/conse", "mine/x") == ""
    assert (
        warn_made_up("scripted/editor", "openai/gpt-4o", "scripted/editor").count("scripted") == 1
    )


def test_sheets_of_a_forgotten_video_go_or_are_named(data: DataFolder, tmp_path: Path) -> None:
    own = DataFolder(tmp_path / "data")
    shutil.copytree(data.root, own.root)
    for made in (own.derived_dir, own.probes_dir):  # of other tests
        shutil.rmtree(made, ignore_errors=True)
    folders = []
    for level, out in (("object", ("--out", str(tmp_path / "out"))), ("attribute", ())):
        result = typed(own, "--model", f"scripted/witness?confuses={level}", *out, "--json")
        folders.append(Path(json.loads(result.stdout)["pictures"][0]).parent)
    assert all(folder.is_dir() for folder in folders)
    video = find_pairs(own).pairs[0].source.video
    kept = CliRunner().invoke(store_main, ["verify", "--data", str(own.root)])
    assert kept.exit_code == 0, kept.output
    words = ("forget", "--video", video, "--yes", "--data", str(own.root))
    refused = CliRunner().invoke(store_main, words)
    assert (refused.exit_code, f"rm -r {folders[0]}" in refused.output) == (2, True)
    shutil.rmtree(folders[0])
    done = CliRunner().invoke(store_main, words)
    assert done.exit_code == 0, done.output + repr(done.exception)
    assert [folder for folder in folders if folder.exists()] == []
    assert not list(own.pairs_dir.glob("*.png"))


def recorded(data: DataFolder, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Recorded:
    def answer(question: Question) -> Reply:
        text = scripted_scenes.reply(question.prompt.user, False, question.frames[0], {})
        return Reply(text, input_tokens=99, output_tokens=1)

    model = Recorded(answer)
    model.name = "openai/a"
    monkeypatch.setattr(question_engine, "load_model", lambda *_: model)
    try:
        plan = ProbePlan(model.name, **more)
        asyncio.run(ask_probes(find_pairs(data), plan, data, START, _quiet))
    except BudgetSpent:
        assert "cap" in more
    return model


def _quiet(*_: int) -> None:
    return None


def test_nothing_is_asked_twice_and_a_cap_holds_over_sittings(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = probed_pairs(find_pairs(data))
    truths = {(pair.source.frame, pair.statements[0]) for pair in pairs}
    due = 2 * len(pairs) + 2 * len(pairs) + 2 * len(truths)
    first = recorded(data, monkeypatch, reasons=False, cap=SpendingCap(tokens=4000))
    again = recorded(data, monkeypatch, reasons=False, cap=SpendingCap(tokens=5000))
    assert (len(first.asked), len(again.asked)) == (40, 10)
    assert len(recorded(data, monkeypatch, reasons=False).asked) == due - 50
    assert not recorded(data, monkeypatch, reasons=False).asked
    reasons = recorded(data, monkeypatch).asked
    assert len(reasons) == len(pairs)
    assert all(question.explain for question in reasons)


def test_a_denial_invents_nothing() -> None:
    from analysis.preference_pairs.hallucination_rates import _mentioned

    assert _mentioned("The bikes stand there.", {"bike"}) == ["bike"]
    assert _mentioned("There are no bikes, but kites.", {"bike"}) == []
    assert _mentioned("Kites rather than green bikes.", {"bike"}) == []


def test_what_cannot_be_asked_is_said(data: DataFolder, tmp_path: Path) -> None:
    assert "reads no statements" in typed(data, "--model", "embedded/conse").output
    nothing = typed(DataFolder(tmp_path), "--model", "scripted/yes")
    assert nothing.exit_code == 2
    assert "Type: python -m agent pairs --model scripted/editor" in nothing.output


EVALUATED = """
import json, sys
from inspect_ai import eval
from inspect_ai.log import read_eval_log
from agent.evaluation.inspect_hallucination_probes import choice, statements

data, folder = sys.argv[1:]
for task in (choice, statements):
    asked = task(data=data, pairs="scripted-editor-spoil-none")
    model = "scripted/witness?confuses=relation"
    (log,) = eval(asked, model=model, log_dir=folder, display="none")
    log = read_eval_log(log.location)
    metrics = {name: each.value for name, each in log.results.scores[0].metrics.items()}
    print(json.dumps({"status": log.status, "metrics": metrics}))
"""


@pytest.mark.drill
def test_inspect_ai_runs_both_tasks(data: DataFolder, tmp_path: Path) -> None:
    few = PairPlan("scripted/editor?spoil=none", errors=LEVELS, frames=4)
    asyncio.run(make_pairs([read(data.ledger_path("r1"))], few, data, START, lambda *_: None))
    command = [sys.executable, "-c", EVALUATED, str(data.root), str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=240, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    choice, statements = (json.loads(line) for line in done.stdout.splitlines())
    for log, rate in ((choice, 1.0), (statements, 0.5)):
        assert log["status"] == "success"
        found = {level: log["metrics"][level] for level in LEVELS}
        assert found == {"object": 0, "attribute": 0, "relation": rate}


@pytest.mark.drill
def test_what_no_reply_came_to_is_asked_again_up_to_the_declared_number(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(question: Question) -> Reply:
        raise ModelFailed("no reply")

    down = Recorded(fails)
    down.name = "openai/b"
    monkeypatch.setattr(question_engine, "load_model", lambda *_: down)

    def put(patience: Patience) -> Path:
        probing = ProbePlan(down.name, reasons=False, patience=patience)
        return asyncio.run(ask_probes(find_pairs(data), probing, data, START, _quiet))

    with pytest.raises(ModelSilent):
        put(Patience())
    assert 10 <= len(down.asked) < 10 + SEVERAL
    path = put(Patience(attempts=2, in_a_row=0))
    often = len(down.asked)
    put(Patience(attempts=2, in_a_row=0))
    put(Patience(attempts=2, in_a_row=0))
    tried = Counter(line.question for line in PROBE_FORMAT.read(path)[1])
    assert set(tried.values()) == {2}
    assert len(down.asked) == 2 * len(tried) > often
    well = Recorded(lambda asked: Reply("A" if asked.prompt.kind == "pick" else "Yes"))
    well.name = down.name
    monkeypatch.setattr(question_engine, "load_model", lambda *_: well)
    put(Patience(attempts=3))
    said = read_probes(path).said
    assert len(well.asked) == len(said) == len(tried)
    assert {judgement.missing for judgement in said.values()} == {None}

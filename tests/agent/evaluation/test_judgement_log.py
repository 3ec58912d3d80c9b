"""Judgements as logs of inspect_ai hold what was kept, and go when that is forgotten."""

from __future__ import annotations

import base64
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from inspect_ai.log import EvalLog, EvalSample, read_eval_log
from PIL import Image

from agent.cli import cli
from agent.evaluation import question_engine
from agent.models.base import Reply
from personas import strategies
from store.cli.main import main as store
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter, read
from store.runs.ledger_lines import PersonaRecord
from store.runs.rejudgements import judgement_files, read_judgements
from tests.agent.models.made_models import Recorded
from tests.store.samples import COLOURS, frame, jpeg, keep_run, started, step

ANGLER = PersonaRecord(id="p90", traits=("I fish.", "I ski.", "I row."), source="x", licence="x")


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """A run of six videos, judged again plainly and the other way round."""
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", COLOURS[:6], prompts=strategies.hashes("simple"))
    typed(data, "rejudge", "r1", "--model", "scripted/coin?p=0.5", "--mirrored")
    return data


def typed(data: DataFolder, *words: str) -> Result:
    done = CliRunner().invoke(cli, [*words, "--data", str(data.root)])
    assert done.exit_code == 0, done.output
    return done


def logs_of(data: DataFolder) -> tuple[EvalLog, EvalLog]:
    """The log of the acting judge, and that of the one that was asked again."""
    folder = data.root / "eval-logs" / "r1"
    acting, later = sorted(folder.glob("*.eval"), key=lambda path: "acting" not in path.name)
    whole = True  # pictures in place, and not beside
    return read_eval_log(str(acting), resolve_attachments=whole), read_eval_log(
        str(later), resolve_attachments=whole
    )


def chat_of(sample: EvalSample) -> list[dict[str, Any]]:
    chat: list[dict[str, Any]] = sample.model_dump(mode="json")["input"]
    return chat


def test_the_logs_hold_every_judgement_as_it_was_kept(data: DataFolder) -> None:
    done = typed(data, "eval-log", "r1")
    assert "2 logs of 1 run" in done.output
    assert "inspect view --log-dir" in done.output
    acting, later = logs_of(data)
    steps = read(data.ledger_path("r1")).steps
    assert acting.samples is not None
    assert later.samples is not None
    said = [step.judgement.answer for step in steps]
    assert None in said
    for sample, each in zip(acting.samples, steps, strict=True):
        score = (sample.scores or {})["yes"]
        expected = {"yes": 1.0, "no": 0.0, None: math.nan}[each.judgement.answer]
        assert score.as_float() == pytest.approx(expected, nan_ok=True)
        assert sample.metadata["frames"] == [frame.sha256 for frame in each.frames]
    (path,) = judgement_files(data.run_dir("r1"))
    kept = sorted(
        (line.position, line.mirrored, line.judgement.answer)
        for line in read_judgements(path).asked
    )
    told = sorted(
        (
            sample.metadata["position"],
            "opposite" in str(sample.id),
            (sample.scores or {})["yes"].answer,
        )
        for sample in later.samples
    )
    assert told == kept
    assert len(told) == 12
    assert later.results is not None
    shares = {name: metric.value for name, metric in later.results.scores[0].metrics.items()}
    said_yes = {step.phase: [] for step in steps}  # type: dict[str, list[bool]]
    for position, mirrored, answer in kept:
        if not mirrored:
            said_yes[steps[position].phase].append(answer == "yes")
    assert shares == {name: pytest.approx(sum(each) / len(each)) for name, each in said_yes.items()}


def test_the_chat_shows_the_words_and_the_pictures(data: DataFolder) -> None:
    typed(data, "eval-log", "r1")
    first = (logs_of(data)[1].samples or [])[0]
    system, user = chat_of(first)
    traits = read(data.ledger_path("r1")).started.persona.traits
    assert all(trait in system["content"] for trait in traits)
    picture, text = user["content"]
    head, _, body = picture["image"].partition(",")
    assert head == "data:image/jpeg;base64"
    assert base64.b64decode(body).startswith(b"\xff\xd8")
    assert text["text"].strip()


def test_words_that_this_version_no_longer_has_are_not_made_up(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", COLOURS[:3], prompts={"simple.toml": "0" * 64})
    typed(data, "eval-log", "r1")
    (path,) = (data.root / "eval-logs" / "r1").glob("*.eval")
    log = read_eval_log(str(path))
    text = json.dumps([sample.model_dump(mode="json") for sample in log.samples or []])
    assert "the wording of that day is not this version's" in text
    assert log.eval.metadata is not None
    assert log.eval.metadata["prompts"] == {"simple.toml": "0" * 64}


def test_a_lost_frame_is_no_picture_and_no_fault(data: DataFolder) -> None:
    frames = FrameStore(data.frames_dir)
    frames.remove(read(data.ledger_path("r1")).steps[0].frames[0].sha256)
    typed(data, "eval-log", "r1")
    first = (logs_of(data)[0].samples or [])[0]
    assert len(chat_of(first)[-1]["content"]) == 1, "the text alone"


def test_logs_go_when_a_video_of_theirs_is_forgotten(data: DataFolder) -> None:
    typed(data, "eval-log", "r1")
    words = ["forget", "--video", "r1-1", "--yes", "--data", str(data.root)]
    assert CliRunner().invoke(store, words).exit_code == 0
    assert not (data.root / "eval-logs" / "r1").exists()


def first_chats(data: DataFolder, run: str) -> list[list[dict[str, Any]]]:
    """What the first question of each log of a run holds: messages of its chat."""
    paths = sorted((data.root / "eval-logs").rglob(f"{run}-*.eval"))
    logs = [read_eval_log(str(path), resolve_attachments=True) for path in paths]
    return [chat_of((log.samples or [])[0]) for log in logs]


def test_a_picture_that_came_first_is_shown_first(tmp_path: Path) -> None:
    data, config = DataFolder(tmp_path / "data"), {"order": "picture-first"}
    keep_run(data, "r1", COLOURS[:3], prompts=strategies.hashes("simple"), config=config)
    typed(data, "rejudge", "r1", "--model", "scripted/coin?p=0.5")
    typed(data, "eval-log", "r1")
    chats = first_chats(data, "r1")
    assert len(chats) == 2
    for chat in chats:
        (user,) = chat
        picture, text = user["content"]
        assert (user["role"], picture["type"]) == ("user", "image")
        assert "I surf." in text["text"]


def test_a_share_of_yes_is_of_the_run_s_own_persona(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others' answers about its videos are in the log, and in no share."""
    data, prompts = DataFolder(tmp_path / "data"), strategies.hashes("simple")
    keep_run(data, "r1", COLOURS[:6], prompts=prompts)
    keep_run(data, "r2", COLOURS[:6], prompts=prompts, persona=ANGLER)
    surfer = Recorded(lambda each: Reply("Yes" if "I surf." in each.prompt.system else "No"))
    surfer.name = "scripted/yes"
    monkeypatch.setattr(question_engine, "load_model", lambda *_: surfer)
    typed(data, "rejudge", "r1", "r2", "--everyone", "--model", surfer.name)
    typed(data, "eval-log", "r1")
    later = logs_of(data)[1]
    assert later.results is not None
    assert len(later.samples or []) == 12
    shares = {name: metric.value for name, metric in later.results.scores[0].metrics.items()}
    assert shares == {"before": 1, "after": 1}


def test_a_persona_of_another_run_is_no_changed_wording(tmp_path: Path) -> None:
    data, prompts = DataFolder(tmp_path / "data"), strategies.hashes("simple")
    keep_run(data, "r1", COLOURS[:3], prompts=prompts)
    keep_run(data, "r2", COLOURS[:3], prompts=prompts, persona=ANGLER)
    typed(data, "rejudge", "r1", "r2", "--everyone", "--model", "scripted/coin?p=0.5")
    typed(data, "eval-log", "r1")
    (strange,) = {
        text["text"]
        for sample in logs_of(data)[1].samples or []
        if "p90" in str(sample.id)
        for text in chat_of(sample)[-1]["content"]
        if text["type"] == "text"
    }
    assert "name its own run as well" in strange
    typed(data, "eval-log", "r1", "r2")
    for path in (data.root / "eval-logs" / "r1").glob("*.eval"):
        log = read_eval_log(str(path))
        assert log.samples
        assert "name its own run as well" not in str(log.samples)


def test_frames_that_were_put_on_one_sheet_are_shown_so(tmp_path: Path) -> None:
    data, pictures = DataFolder(tmp_path / "data"), [jpeg("red", 1), jpeg("blue", 2)]
    for picture in pictures:
        FrameStore(data.frames_dir).put(picture, sync=False)
    with LedgerWriter(data.ledger_path("r1"), fsync=False) as writer:
        config = {"frames": {"count": 2, "sheet": True}}
        writer.append(started("r1", prompts=strategies.hashes("simple"), config=config))
        writer.append(step(0, *map(frame, pictures)))
    typed(data, "eval-log", "r1")
    (chat,) = first_chats(data, "r1")
    (shown,) = [part for part in chat[-1]["content"] if part["type"] == "image"]
    image = Image.open(io.BytesIO(base64.b64decode(shown["image"].partition(",")[2])))
    assert image.width > image.height, "two upright frames side by side"

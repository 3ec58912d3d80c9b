"""Judgements as logs of inspect_ai hold what was kept, and go when that is forgotten."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from inspect_ai.log import EvalLog, EvalSample, read_eval_log

from agent.cli import cli
from personas import strategies
from store.cli.main import main as store
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.runs.rejudgements import judgement_files, read_judgements
from tests.store.samples import COLOURS, keep_run


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
    for sample, step in zip(acting.samples, steps, strict=True):
        score = (sample.scores or {})["yes"]
        expected = {"yes": 1.0, "no": 0.0, None: math.nan}[step.judgement.answer]
        assert score.as_float() == pytest.approx(expected, nan_ok=True)
        assert sample.metadata["frames"] == [frame.sha256 for frame in step.frames]
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

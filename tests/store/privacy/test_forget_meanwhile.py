"""Runs and judges that go on while something is forgotten: nothing of it stays, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from store.errors import RunLocked
from store.privacy import redaction
from store.privacy.forget import forget, pending
from store.privacy.forget_plan import Request
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.runs.rejudgements import (
    JudgementWriter,
    RejudgedAnswer,
    RejudgementHeader,
    judgement_files,
    read_judgements,
)
from tests.store.samples import START, keep_run

REQUEST = Request(asked="video", value="r1-0", at=datetime(2025, 4, 1, tzinfo=UTC))


def judge_of(run_id: str) -> RejudgementHeader:
    return RejudgementHeader(
        run_id=run_id,
        model="scripted/yes",
        strategy="simple",
        prompts={},
        seed=1,
        at=START,
        code_version="0.1.0",
    )


def answer_about(data: DataFolder, position: int) -> RejudgedAnswer:
    step = read(data.ledger_path("r1")).steps[position]
    return RejudgedAnswer(
        persona="p12", position=position, frame=step.frames[0].sha256, judgement=step.judgement
    )


def test_what_a_run_watches_while_a_person_thinks_is_forgotten_too(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", ["red", "blue"])
    held = REQUEST.model_copy(update={"asked": "before", "value": "2100-01-01T00:00:00+00:00"})
    done = forget(data, held, lambda _: keep_run(data, "r2", ["green"]))
    assert (done.runs, done.steps) == (2, 3)
    assert [step.frames for step in read(data.ledger_path("r2")).steps] == [()]


@pytest.mark.parametrize("begun", [True, False])
def test_a_judge_that_begins_meanwhile_loses_no_answer_and_keeps_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", ["red", "blue"])
    path = judge_of("r1").path(data.run_dir("r1"))
    if begun:
        with JudgementWriter(path, judge_of("r1"), data.answers_lock) as writer:
            writer.append([answer_about(data, 1)])
    writers = []
    replies: Callable[..., int] = redaction.forget_replies

    def begin_to_judge(*given: Any) -> int:
        answers = [answer_about(data, 0)] if begun else [answer_about(data, at) for at in (0, 1)]
        writers.append(JudgementWriter(path, judge_of("r1"), data.answers_lock))
        writers[0].append(answers[:1])
        return replies(*given)

    with monkeypatch.context() as patch:
        patch.setattr(redaction, "forget_replies", begin_to_judge)
        with pytest.raises(RunLocked):
            forget(data, REQUEST)
    assert pending(data) is not None
    writers[0].append([answer_about(data, 1)] if not begun else [])
    writers[0].close()
    again = pending(data)
    assert again is not None
    forget(data, again)
    assert pending(data) is None
    (file,) = judgement_files(data.run_dir("r1"))
    answers = {line.position: line for line in read_judgements(file).lines}
    assert sorted(answers) == [0, 1]
    assert answers[0].frame.startswith(redaction.STAND_IN)
    assert not answers[1].frame.startswith(redaction.STAND_IN)

"""Re-judgements: what is appended is read back, and nothing is asked twice."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

from store.errors import DamagedLedger, DataUnreadable, DataUnwritable, RunLocked
from store.runs.ledger_lines import Judgement, Missing
from store.runs.rejudgements import (
    JudgementWriter,
    OtherJudge,
    RejudgedAnswer,
    RejudgementHeader,
    judgement_files,
    read_judgements,
)
from tests.store.samples import START
from tests.store.sealed_lines import refit


def judge(**changes: Any) -> RejudgementHeader:
    fields: dict[str, Any] = {
        "run_id": "r1",
        "model": "vllm/some:model",
        "strategy": "simple",
        "prompts": {"simple": "a" * 64},
        "seed": 3,
        "at": START,
        "code_version": "0.1.0",
    }
    return RejudgementHeader(**(fields | changes))


def line(position: int, answer: str | None = "yes", **changes: Any) -> RejudgedAnswer:
    given = {"answer": answer, "missing": None if answer else "refused"}
    fields: dict[str, Any] = {
        "persona": "p12",
        "position": position,
        "frame": "f" * 64,
        "judgement": Judgement.model_validate(given),
    }
    return RejudgedAnswer(**(fields | changes))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return judge().path(tmp_path / "runs" / "r1")


def test_what_is_appended_is_read_back(path: Path) -> None:
    lines = [line(0), line(0, "no", mirrored=True), line(0, repeat=1), line(1, None)]
    with JudgementWriter(path, judge()) as writer:
        writer.append(lines[:3])
        writer.append(lines[3:])
    kept = read_judgements(path)
    assert kept.asked == tuple(lines)
    assert kept.judge == judge()
    assert kept.sittings == (judge(),)
    assert kept.torn == 0
    assert judgement_files(path.parents[1]) == [path]
    assert path.name.startswith("vllm-some-model-simple-")


def test_a_later_sitting_goes_on_where_the_first_stopped(path: Path) -> None:
    with JudgementWriter(path, judge()) as writer:
        writer.append([line(0), line(1)])
    later = judge(code_version="0.2.0")
    with JudgementWriter(path, later) as writer:
        assert writer.asked == {line(0).key, line(1).key}
        writer.append([line(2)])
        assert line(2).key in writer.asked
    kept = read_judgements(path)
    assert kept.sittings == (judge(), later)
    assert [one.position for one in kept.asked] == [0, 1, 2]


def test_a_sitting_without_answers_leaves_nothing(path: Path) -> None:
    JudgementWriter(path, judge()).close()
    assert path.read_bytes() == b""
    with JudgementWriter(path, judge()) as writer:
        assert writer.asked == set()
    with pytest.raises(DamagedLedger, match="nothing was committed"):
        read_judgements(path)


def test_nothing_is_asked_twice(path: Path) -> None:
    with JudgementWriter(path, judge()) as writer:
        writer.append([line(0)])
        with pytest.raises(ValueError, match="twice"):
            writer.append([line(1), line(0, "no")])
        with pytest.raises(ValueError, match="twice"):
            writer.append([line(2), line(2)])
    assert [one.position for one in read_judgements(path).asked] == [0]


def lost(position: int, missing: Missing = "timed_out") -> RejudgedAnswer:
    return line(position, judgement=Judgement(answer=None, missing=missing))


def test_a_question_without_a_reply_is_due_again_and_every_attempt_stays(path: Path) -> None:
    with JudgementWriter(path, judge()) as writer:
        writer.append([lost(0), line(1, None), line(2)])
    silences: tuple[Missing, ...] = ("failed", "rate_limited")
    for attempt, missing in enumerate(silences, 1):
        with JudgementWriter(path, judge()) as writer:
            assert writer.attempts(line(0).key) == attempt
            due = [one.position for one in map(line, range(4)) if writer.due(one.key, 4)]
            assert due == [0, 3], "a refusal is an answer"
            assert not writer.due(line(0).key, attempt)
            writer.append([lost(0, missing)])
    with JudgementWriter(path, judge()) as writer:
        assert len(writer.kept) == 5
        writer.append([line(0, "no")])
        assert not writer.due(line(0).key, 99)
        with pytest.raises(ValueError, match="twice"):
            writer.append([line(0)])
    kept = read_judgements(path)
    assert [one.judgement.missing for one in kept.lines if one.position == 0] == [
        "timed_out",
        "failed",
        "rate_limited",
        None,
    ]
    said = {one.position: one.judgement.answer for one in kept.asked}
    assert said == {0: "no", 1: None, 2: "yes"}


@pytest.mark.parametrize("cut", [1, 30])
def test_a_torn_batch_is_dropped_and_said_so(path: Path, cut: int) -> None:
    with JudgementWriter(path, judge()) as writer:
        writer.append([line(0), line(1)])
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    kept = read_judgements(path)
    assert [one.position for one in kept.asked] == [0]
    assert kept.torn > 0
    with JudgementWriter(path, judge()) as writer:
        writer.append([line(1), line(2)])
    assert [one.position for one in read_judgements(path).asked] == [0, 1, 2]


def test_another_judge_is_another_file(path: Path, tmp_path: Path) -> None:
    others = [
        judge(model="vllm/some-model"),
        judge(strategy="isq"),
        judge(seed=4),
        judge(prompts={"simple": "b" * 64}),
    ]
    names = {one.slug for one in [judge(), *others]}
    assert len(names) == 5
    assert judge(at=START.replace(year=2026), code_version="9").slug == judge().slug
    with JudgementWriter(path, judge()) as writer:
        writer.append([line(0)])
    # a file from before fingerprints keeps its name, and is told from every declared model
    assert judge().slug == "vllm-some-model-simple-b177c6f0"
    assert judge(fingerprint="1" * 16).slug not in names
    for other in [*others, judge(run_id="r2")]:
        with pytest.raises(OtherJudge, match="Type: python -m agent rejudge --help"):
            JudgementWriter(path, other)
    with JudgementWriter(path, judge()) as writer:  # the refusals gave the lock back
        assert len(writer.asked) == 1


def test_two_writers_of_one_file_do_not_meet(path: Path) -> None:
    with JudgementWriter(path, judge()), pytest.raises(RunLocked, match="r1"):
        JudgementWriter(path, judge())


def test_damage_is_named_with_its_line(path: Path) -> None:
    with JudgementWriter(path, judge()) as writer:
        writer.append([line(0)])
    head, first = path.read_text(encoding="utf-8").splitlines()
    other = judge(seed=9).model_dump_json(by_alias=True)
    for lines, at, words in (
        ([first, head], 1, "does not start with a judge"),
        ([head, first, first], 3, "answered before"),
        ([head, first, other], 3, "another judge"),
        ([head, '{"kind":"asked"}', first], 2, "persona"),
    ):
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        refit(path)
        with pytest.raises(DamagedLedger, match=words) as caught:
            read_judgements(path)
        assert caught.value.line == at
    with pytest.raises(DataUnreadable):
        read_judgements(path.with_name("absent.jsonl"))


def test_a_full_disk_leaves_nothing_half_committed(path: Path) -> None:
    with JudgementWriter(path, judge()) as writer:
        writer.append([line(0)])
        size = path.stat().st_size
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, hard))
        try:
            with pytest.raises(DataUnwritable):
                writer.append([line(1), line(2)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert path.stat().st_size == size
        writer.append([line(1)])
    assert [one.position for one in read_judgements(path).asked] == [0, 1]

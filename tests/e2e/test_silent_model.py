"""A run whose model never replies ends as a fault, goes on with the same command, and counts on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.commands import feedsway, only

LIMIT = 4


@pytest.mark.drill
def test_an_outage_ends_the_run_and_the_same_command_goes_on(tmp_path: Path) -> None:
    words = (
        "run",
        "--persona",
        "p12",
        "--no-index",
        "--data",
        str(tmp_path),
        "--before",
        "6",
        "--after",
        "0",
        "--max-missing",
        str(LIMIT),
        "--model",
        "scripted/fail",
    )
    for resumes in range(2):
        done = feedsway(*words)
        assert done.returncode == 1, done.stdout
        assert f"no reply to {LIMIT} questions in a row" in done.stderr
        assert "type the same command" in done.stderr
        run = only(tmp_path)
        assert (run.status, len(run.resumes)) == ("interrupted", resumes)
        assert [fault.fault for fault in run.faults] == ["ModelSilent"] * (resumes + 1)
        assert run.started.config["max_missing"] == LIMIT
        # silences are counted over the resume: the second sitting ends at its first question
        judged = [step for step in run.steps if step.judgement.missing == "failed"]
        assert LIMIT - 1 <= len(judged) <= LIMIT


@pytest.mark.drill
def test_a_short_run_without_any_reply_is_no_success(tmp_path: Path) -> None:
    words = (
        "run",
        "--persona",
        "p12",
        "--no-index",
        "--data",
        str(tmp_path),
        "--before",
        "2",
        "--after",
        "0",
        "--model",
        "scripted/fail",
    )
    assert feedsway(*words).returncode == 1
    assert only(tmp_path).status == "interrupted"

"""One run from its command to its summary, its frames and its search."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean, median
from typing import Any

import pytest

from store.runs.ledger import Ledger
from store.runs.ledger_lines import Step
from tests.e2e.commands import feedsway, only, run
from tests.store.samples import delivered


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    data = tmp_path_factory.mktemp("data")
    return data, run(data, before=8, after=8)


def eligible(ledger: Ledger) -> list[Step]:
    return [step for step in ledger.steps if step.eligible]


def test_every_step_is_whole(done: tuple[Path, dict[str, Any]]) -> None:
    ledger = only(done[0])
    steps = eligible(ledger)
    assert (ledger.status, len(steps)) == ("complete", 16)
    assert [step.position for step in ledger.steps] == list(range(len(ledger.steps)))
    assert len({step.video.id for step in ledger.steps}) == len(ledger.steps)
    for step in steps:
        assert [frame.quality for frame in step.frames] == ["ok"]
        assert step.judgement.answer in ("yes", "no")
        assert step.judgement.p_yes is not None
        assert step.judgement.reason
        assert delivered(step) > 0
        assert step.video.caption
        assert step.video.batch is not None
        assert {"capture", "judge", "write"} <= set(step.timings_ms)
    for step in ledger.steps[:-1]:
        assert step.move is not None
        assert (step.move.moved, step.move.attempts) == (1, 1)


def test_windows_are_counted_in_eligible_steps(done: tuple[Path, dict[str, Any]]) -> None:
    phases = [step.phase for step in eligible(only(done[0]))]
    assert phases == ["before"] * 8 + ["after"] * 8


def test_yes_is_watched_at_least_five_times_as_long(done: tuple[Path, dict[str, Any]]) -> None:
    steps = eligible(only(done[0]))
    dwell = {
        answer: median(delivered(s) for s in steps if s.judgement.answer == answer)  # one stalls
        for answer in ("yes", "no")
    }
    assert dwell["yes"] >= 5 * dwell["no"]
    for step in steps:
        assert delivered(step) >= step.reaction.dwell_asked_s


def test_the_summary_agrees_with_the_ledger(done: tuple[Path, dict[str, Any]]) -> None:
    data, summary = done
    steps = eligible(only(data))
    share = {
        phase: mean(step.judgement.answer == "yes" for step in steps if step.phase == phase)
        for phase in ("before", "after")
    }
    assert summary["sway"]["value"] == pytest.approx(100 * (share["after"] - share["before"]))


def test_what_was_seen_is_indexed_found_and_verified(done: tuple[Path, dict[str, Any]]) -> None:
    data = str(done[0])
    found = feedsway("search", "a horse", "--data", data, "--json", package="store")
    assert found.returncode == 0, found.stderr
    assert len(json.loads(found.stdout)) == 5
    verified = feedsway("verify", "--data", data, package="store")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_the_planted_truth_is_nowhere_in_the_data(done: tuple[Path, dict[str, Any]]) -> None:
    ledger = only(done[0])
    assert "themes" not in ledger.path.read_text(encoding="utf-8")


@pytest.mark.drill
def test_the_same_command_starts_anew_after_a_complete_run(tmp_path: Path) -> None:
    light = ("--model", "scripted/coin?p=0.4", "--no-index")
    first = run(tmp_path, *light, before=3, after=3)
    second = run(tmp_path, *light, before=3, after=3)
    assert first["run"]["run_id"] != second["run"]["run_id"]


@pytest.mark.drill
def test_an_account_that_knows_another_feed_is_told_at_once(tmp_path: Path) -> None:
    light = ("--model", "scripted/coin?p=0.4", "--no-index", "--account", "me")
    run(tmp_path, *light, before=1, after=1)
    words = ("run", "--persona", "p12", "--data", str(tmp_path), "--before", "1", "--after", "1")
    refused = feedsway(*words, *light, "--feed", "contrarian")
    assert refused.returncode == 2
    assert "first met with feed listener" in refused.stderr
    assert refused.stderr.rstrip().endswith("--account NAME")

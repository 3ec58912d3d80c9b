"""A plan's file is what was quoted, and its quote is what the dry run tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.cli import cli
from agent.study.proposal import unlike_personas
from agent.study.study_file import load_study

QUICK = ("--studies", "50", "--personas", "6", "--videos", "72")


def plan(*words: str) -> Result:
    return CliRunner().invoke(cli, ["plan", *words])


def planned(*words: str) -> dict[str, Any]:
    done = plan(*words, "--json")
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_the_file_can_be_run_and_its_dry_run_tells_the_same(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    done = plan("--budget", "5", *QUICK, "--write", str(file))
    assert done.exit_code == 0, done.output
    assert f"agent study {file} --dry-run" in done.stdout
    declared = load_study(file)
    assert declared.budget.max_cost == 5
    assert len(declared.matrix.personas) == 6
    assert declared.windows.total == 72
    dry = CliRunner().invoke(cli, ["study", str(file), "--dry-run", "--data", str(tmp_path)])
    assert dry.exit_code == 0, dry.output
    same = [line for line in done.stdout.splitlines() if line.startswith(("Model calls", "Cost"))]
    assert len(same) == 2
    assert all(line in dry.stdout for line in same)
    assert "Budget: $5" in dry.stdout
    again = plan("--budget", "5", *QUICK, "--write", str(file))
    assert again.exit_code == 2
    assert "--write ANOTHER.toml" in again.stderr


def test_both_feeds_are_quoted_and_what_is_out_of_reach_is_told() -> None:
    done = plan("--budget", "5", *QUICK)
    assert done.exit_code == 0, done.output
    for feed in ("at once", "in 12 videos", "in 50 videos", "in 100 videos"):
        assert feed in done.stdout
    assert (
        "This budget falls short of 0.8 for 10 pp where the feed learns at once and" in done.stdout
    )
    assert "Not counted: second questions" in done.stdout
    assert 'name = "planned"' in done.stdout


def test_a_matrix_of_ten_by_hundred_costs_at_most_six_dollars() -> None:
    """By GPT-4o in batches; of the others' questions a half are drawn."""
    size = ("--personas", "10", "--videos", "100")
    told = planned("--budget", "6", "--studies", "50", *size)
    assert told["model"] == "openai/gpt-4o"
    assert (told["personas"], told["videos"], told["others"]) == (10, 100, 0.5)
    assert told["calls"] == {"watching": 1000, "stored": 760 + 3420}
    assert told["bounds_usd"][1] <= 6
    assert told["cost_usd"] == told["batch_usd"] < told["live_usd"]
    assert told["batches"] == 3
    assert "batch = true" in told["file"]


def test_live_the_same_takes_a_quarter_of_the_others_questions() -> None:
    size = ("--personas", "10", "--videos", "100", "--live")
    told = planned("--budget", "6", "--studies", "50", *size)
    assert told["model"] == "openai/gpt-4o"
    assert (told["personas"], told["videos"], told["others"]) == (10, 100, 0.25)
    assert told["calls"] == {"watching": 1000, "stored": 760 + 1710}
    assert told["bounds_usd"][1] <= 6
    assert told["batch_usd"] < told["cost_usd"] < 6
    half = planned("--budget", "9", "--studies", "50", *size)
    assert half["others"] == 0.5
    assert half["calls"]["stored"] == 760 + 3420


def test_left_money_pays_for_the_opposite_questions() -> None:
    told = planned("--budget", "50", *QUICK)
    assert told["mirrored"]
    assert told["bounds_usd"][1] <= 50
    assert not planned("--budget", "50", *QUICK, "--strategy", "isq")["mirrored"]


def test_a_free_judge_is_bounded_by_hours() -> None:
    told = planned("--budget", "0", "--model", "embedded/conse", *QUICK)
    assert told["cost_usd"] == 0
    refused = plan("--budget", "0", "--model", "embedded/conse", "--hours", "0.01", *QUICK)
    assert refused.exit_code == 2
    assert "is paid for by that" in " ".join(refused.stderr.split())


def test_a_gpu_costs_by_the_hour() -> None:
    model = ("--model", "hfvlm/Qwen/Qwen3-VL-8B-Instruct", *QUICK)
    assert planned("--budget", "0", *model)["hours"] > 0.5
    refused = plan("--budget", "0.5", "--gpu-hour", "40", *model)
    assert refused.exit_code == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--budget", "0.01"], "Type: --budget with more"),
        (["--budget", "5", "--model", "openai/no-such-model"], "No price is known"),
        (["--budget", "5", "--target", "95pp"], "Type: --base"),
        (["--budget", "5", "--strategy", "nothing"], "nothing"),
        (["--budget", "5", "--name", "My study"], "Type: --name my-study"),
        (["--budget", "5", "--platform", "nowhere"], "nowhere"),
        (["--budget", "5", "--strategy", "plain"], "Type: --strategy simple"),
    ],
)
def test_what_cannot_be_planned_is_refused(words: list[str], told: str) -> None:
    done = plan(*words, *QUICK)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.split())


def test_the_cheaper_of_two_judges_is_asked_more() -> None:
    models = ("--model", "openai/gpt-4o", "--model", "openai/gpt-6-luna")
    told = planned("--budget", "1.2", *models, *QUICK)
    assert told["model"] == "openai/gpt-6-luna"


def test_personas_are_unlike_and_each_is_named_once() -> None:
    assert unlike_personas(6) == ["p01", "p05", "p09", "p12", "p16", "p19"]
    twenty = unlike_personas(20)
    assert len(set(twenty)) == 20
    assert twenty[:8] == unlike_personas(8)

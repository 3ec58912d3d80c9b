"""A budget of videos: every split uses it up, and slow feeds want long runs."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from analysis.cli.main import main
from analysis.errors import BadPlan
from analysis.simulation.power import Trials
from analysis.simulation.scenarios import StudyPlan, World
from analysis.simulation.video_budget import TIME_CONSTANTS, VideoBudget, run_windows, split_budget

FEW = Trials(studies=150)


@pytest.mark.parametrize(
    ("length", "windows"), [(100, (36, 24, 40)), (150, (48, 36, 66)), (200, (60, 48, 92))]
)
def test_windows_of_a_length(length: int, windows: tuple[int, int, int]) -> None:
    plan = run_windows(length, 8)
    assert (plan.before, plan.adapt, plan.after) == windows
    assert (plan.videos, plan.baseline, plan.personas) == (length, "passive", 8)


def test_splits_use_the_budget_up_and_slow_feeds_want_long_runs() -> None:
    """The powers are 0.2 apart, and each of them is told to 0.04."""
    splits = split_budget(VideoBudget(1000, price=0.01), 0.1, World(), FEW)
    assert len(splits) == 13
    for split in splits:
        assert 1000 - split.runs < split.videos <= 1000
        assert split.videos == split.runs * split.plan.videos
        assert split.cost == pytest.approx(0.01 * split.judgements)
        assert tuple(split.power) == TIME_CONSTANTS
    matrix = {split.runs: split for split in splits if split.design == "adjusted matrix"}
    assert sorted(matrix) == [5, 6, 7, 8, 10, 12, 15]
    assert matrix[12].power[0.0] > matrix[5].power[0.0] + 0.05
    assert matrix[12].power[50.0] < matrix[5].power[50.0] - 0.05
    assert matrix[8].judgements == 1000 + 64 * (matrix[8].plan.before + matrix[8].plan.after)


def test_too_few_videos_are_refused() -> None:
    with pytest.raises(BadPlan, match="Type: --videos 1200"):
        split_budget(VideoBudget(100), 0.1, World(), FEW)
    with pytest.raises(BadPlan, match="Type: --base"):
        split_budget(VideoBudget(1200), 0.9, World(), FEW)


def test_the_command() -> None:
    words = ["power", "--videos", "400", "--cost-per-video", "0.001"]
    told = CliRunner().invoke(main, words)
    assert told.exit_code == 0, told.output
    assert "400 videos, to find a sway of 10 pp" in told.stdout
    assert "passive before 24, adapt 24, after 32" in told.stdout
    assert "USD" in told.stdout
    both = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    assert {one["design"] for one in both} == {"paired with control", "adjusted matrix"}
    assert all(StudyPlan(**one["plan"]).videos == 80 for one in both if one["runs"] == 5)


def test_no_run_is_longer_than_the_catalogue() -> None:
    splits = split_budget(VideoBudget(400, longest=70), 0.1, World(), Trials(studies=20))
    assert splits
    assert max(split.plan.videos for split in splits) == 66  # six runs


def test_a_catalogue_that_no_run_fits_is_told() -> None:
    told = CliRunner().invoke(main, ["power", "--videos", "600", "--catalogue", "50"])
    assert told.exit_code == 2
    assert "in runs of 60 to 50. Type: --videos 1200, without --catalogue" in told.stderr

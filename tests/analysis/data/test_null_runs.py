"""A null from runs in which nothing happened: what is cut, what is refused, what is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from analysis.cli.main import main
from analysis.data.exposures import RunInfo
from analysis.data.null_runs import LEAST, cut, null_runs
from analysis.errors import NothingToCompare
from store.runs.ledger_lines import Windows
from tests.analysis import made_results

WINDOWS = Windows(before=50, after=50)
PASSIVE = Windows(before=24, adapt=24, after=52, baseline="passive")


def library(path: Path, runs: int, videos: int = 100) -> Path:
    """Control runs at rates of 10 to 40 %, in batches of 12."""
    rng = np.random.default_rng(6)
    lines = ["run,position,batch,answer"]
    for run, rate in enumerate(np.linspace(0.1, 0.4, runs)):
        answers = rng.random(videos) < rate
        lines += [f"c{run},{at},{at // 12},{int(yes)}" for at, yes in enumerate(answers)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def iavg(data: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["iavg", *words, "--data", str(data)])


def test_longer_runs_are_cut_to_the_windows_and_shorter_ones_left_out() -> None:
    rng = np.random.default_rng(1)
    answers = [(rng.random(size) < 0.3).astype(int) for size in (200, 99, 100)]
    counted = cut(made_results.views(answers, before=10), WINDOWS)
    assert [unit.n.sum(1).tolist() for unit in counted] == [[50, 50], [50, 50]]
    long = answers[0]
    assert counted[0].yes.sum(1).tolist() == [long[:50].sum(), long[50:100].sum()]
    assert counted[0].at[0] == 5.5


def test_videos_that_could_not_react_are_left_out_as_in_the_runs_themselves() -> None:
    answers = [np.tile([1, 0], 60)] * 2
    (one, _) = cut(made_results.views(answers, before=60), PASSIVE)
    assert one.n.sum(1).tolist() == [24, 52]


def test_a_run_is_not_drawn_twice_and_what_was_left_out_is_told() -> None:
    answers = [np.tile([1, 0], 50)] * 22 + [np.tile([1, 0], 10)]
    made = made_results.views(answers, before=50)
    own = [RunInfo("r0", "p0", windows=WINDOWS), RunInfo("r1", "p1", windows=WINDOWS)]
    found = null_runs([made], own, "library.csv")
    assert len(found.counts) == 20
    assert found.told == "20 runs of library.csv; 1 run too short"


@pytest.mark.parametrize(
    ("of", "words"),
    [
        ([RunInfo("x", "p", windows=WINDOWS)], f"a null needs {LEAST}"),
        (
            [RunInfo("x", "p", windows=WINDOWS), RunInfo("y", "p", windows=PASSIVE)],
            "of one platform, strategy, model and windows",
        ),
        (
            [RunInfo("x", "p", "tiktok"), RunInfo("y", "p", "youtube")],
            "of one platform, strategy, model and windows",
        ),
    ],
)
def test_what_cannot_be_a_null_is_refused(of: list[RunInfo], words: str) -> None:
    made = made_results.views([np.tile([1, 0], 50)] * (LEAST - 1), before=50)
    with pytest.raises(NothingToCompare, match=words):
        null_runs([made], of, "library.csv")


def test_the_commands_draw_the_null_from_a_library(tmp_path: Path) -> None:
    run = made_results.paper_run(tmp_path / "runs", 10, 12)
    controls = library(tmp_path / "controls.csv", 40)
    data = run.path.parents[2]
    told = iavg(data, "r1", "--null-from", str(controls), "--json")
    assert told.exit_code == 0, told.output
    (group,) = json.loads(told.stdout)
    assert group["null"]["null_runs"] == 40
    assert group["null"]["icc"] is None
    assert 5 < group["null"]["percentile"] < 95
    words = iavg(data, "r1", "--null-from", str(controls)).stdout
    assert "if nothing happened, as in 40 null runs,: mean" not in words
    assert "if nothing happened, as in 40 null runs: mean" in words
    alone = CliRunner().invoke(
        main, ["summary", "r1", "--data", str(data), "--null-from", str(controls)]
    )
    assert "if nothing happened, as in 40 null runs, it would lie" in " ".join(alone.stdout.split())


def test_a_report_says_where_its_null_comes_from(tmp_path: Path) -> None:
    run = made_results.paper_run(tmp_path / "runs", 10, 30)
    data, controls = run.path.parents[2], library(tmp_path / "controls.csv", 30)
    out = tmp_path / "out"
    words = ["report", "r1", "--data", str(data), "--out", str(out), "--null-from", str(controls)]
    told = CliRunner().invoke(main, words)
    assert told.exit_code == 0, told.output
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "exchanged for" in page
    assert "30 runs of controls.csv" in page
    assert f"--null-from {controls}" in page
    assert "in feeds that wander as real ones do" not in page


@pytest.mark.parametrize(
    ("runs", "words"),
    [(10, "controls.csv has 10 runs that fill these windows"), (0, "holds no rows")],
)
def test_too_small_a_library_is_an_error_that_ends_in_what_to_type(
    tmp_path: Path, runs: int, words: str
) -> None:
    run = made_results.paper_run(tmp_path / "runs", 10, 12)
    controls = library(tmp_path / "controls.csv", runs)
    told = iavg(run.path.parents[2], "r1", "--null-from", str(controls))
    assert told.exit_code == 2
    assert words in told.output
    assert "Type" in told.output


def test_a_run_that_the_feed_could_react_to_is_no_null(tmp_path: Path) -> None:
    run = made_results.paper_run(tmp_path / "runs", 10, 12)
    told = iavg(run.path.parents[2], "r1", "--null-from", "r1")
    assert told.exit_code == 2
    assert "In r1 the feed could react" in told.output

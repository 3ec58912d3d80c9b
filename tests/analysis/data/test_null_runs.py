"""A null from runs in which nothing happened: what is cut, what is refused, what is said."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from analysis.cli.main import main
from analysis.data.exposures import RunInfo
from analysis.data.null_runs import LEAST, LEAST_OF_ONE, cut, null_runs
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
        lines += [f"{path.stem}{run},{at},{at // 12},{int(yes)}" for at, yes in enumerate(answers)]
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


def passive(count: int, **changes: Any) -> list[RunInfo]:
    return [replace(RunInfo(f"c{i}", f"p{i}", arm="passive"), **changes) for i in range(count)]


def test_what_was_left_out_is_told() -> None:
    silent = np.where(np.arange(100) < 50, -1, 1)  # without an answer before
    answers = [*[np.tile([1, 0], 50)] * 20, np.tile([1, 0], 10), silent]
    made = made_results.views(answers, 50, passive(22))
    own = [RunInfo("r0", "p0", windows=WINDOWS), RunInfo("r1", "p1", windows=WINDOWS)]
    found = null_runs([made], own, "library.csv")
    assert len(found.counts) == 20
    assert found.told == "20 runs of library.csv; 2 runs too short or without an answer left out"


@pytest.mark.parametrize(
    ("of", "words"),
    [
        ([RunInfo("x", "p", windows=WINDOWS)], f"null needs {LEAST_OF_ONE}"),
        ([RunInfo(name, "p", windows=WINDOWS) for name in "xy"], f"null needs {LEAST}"),
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
    answers = [np.tile([1, 0], 50)] * (LEAST - 1)
    with pytest.raises(NothingToCompare, match=words):
        null_runs([made_results.views(answers, 50, passive(LEAST - 1))], of, "library.csv")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arm": "treatment"}, "its arm is treatment, where the feed could react"),
        ({"platform": "youtube"}, "its platform is youtube, theirs tiktok"),
        ({"model": "openai/other"}, "its model is openai/other, theirs openai/one"),
    ],
)
def test_null_runs_of_another_arm_site_or_judge_are_refused(
    changes: dict[str, str], words: str
) -> None:
    own = [RunInfo("r0", "p0", "tiktok", "simple", "openai/one", windows=WINDOWS)] * 2
    theirs = passive(40, platform="tiktok", strategy="simple", model="openai/one")
    answers = [np.tile([1, 0], 50)] * 40
    null_runs([made_results.views(answers, 50, theirs)], own, "x")
    theirs[7] = replace(theirs[7], **changes)  # type: ignore[arg-type]
    with pytest.raises(NothingToCompare, match=words):
        null_runs([made_results.views(answers, 50, theirs)], own, "x")


def imported(folder: Path, own: str, *words: str) -> Result:
    return CliRunner().invoke(
        main, ["import", str(folder / own), *words, "--data", str(folder / "data")]
    )


def test_longer_runs_made_elsewhere_are_held_against_windows_as_far_apart(tmp_path: Path) -> None:
    """200 videos are compared as 1 to 50 against 151 to 200, so the null runs are, too."""
    library(tmp_path / "own.csv", 3, 200)
    rows = [f"c{run},{at},{at // 12},{int(at >= 150)}" for run in range(20) for at in range(200)]
    (tmp_path / "controls.csv").write_text("\n".join(["run,position,batch,answer", *rows]))
    told = imported(tmp_path, "own.csv", "--null-from", str(tmp_path / "controls.csv"), "--json")
    assert told.exit_code == 0, told.output
    (result,) = json.loads(told.stdout)
    assert result["averages"][0]["null"]["undefined"] > 0.5  # nothing is yes before, all is after
    short = library(tmp_path / "short.csv", 30, 199)
    refused = imported(tmp_path, "own.csv", "--null-from", str(short))
    assert (refused.exit_code, "each of 200 videos" in refused.output) == (2, True)


def test_scores_of_null_runs_are_read_at_the_same_threshold(tmp_path: Path) -> None:
    for name in ("own", "controls"):
        rows = [f"{name}{run},{at},{at}" for run in range(20) for at in range(100)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["run,position,score", *rows]))
    words = ("--null-from", str(tmp_path / "controls.csv"), "--threshold", "40", "--json")
    (result,) = json.loads(imported(tmp_path, "own.csv", *words).stdout)
    null = result["averages"][0]["null"]
    assert (null["low"], null["high"]) == (pytest.approx(400), pytest.approx(400))


def test_runs_are_no_null_for_themselves(tmp_path: Path) -> None:
    own = library(tmp_path / "own.csv", 25)
    (tmp_path / "copy.csv").write_bytes(own.read_bytes())
    for name in ("own.csv", "copy.csv"):
        told = imported(tmp_path, "own.csv", "--null-from", str(tmp_path / name))
        assert (told.exit_code, f"{name} is the imported file" in told.stderr) == (2, True)
        assert "Type the command without --null-from" in told.stderr
    lines = own.read_text(encoding="utf-8").splitlines()
    other = "\n".join(lines).replace("own", "other").replace("other7,", "own7,")
    (tmp_path / "copy.csv").write_text(other, encoding="utf-8")
    told = imported(tmp_path, "own.csv", "--null-from", str(tmp_path / "copy.csv"))
    assert (told.exit_code, "copy.csv has a run 'own7'" in told.stderr) == (2, True)


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    library(tmp_path / "own.csv", 3)
    library(tmp_path / "controls.csv", 10)
    twice = ["--null-from", f"{tmp_path}/controls.csv", "--null-from", f"{tmp_path}/./controls.csv"]
    told = imported(tmp_path, "own.csv", *twice)
    assert (told.exit_code, "has 10 runs" in told.output) == (2, True)


def test_the_printed_command_makes_the_report_again(tmp_path: Path) -> None:
    library(tmp_path / "own.csv", 3)
    controls = library(tmp_path / "my controls.csv", 20)
    out = tmp_path / "my report"
    told = imported(tmp_path, "own.csv", "--null-from", str(controls), "--report", str(out))
    assert told.exit_code == 0, told.output
    page = unescape((out / "index.html").read_text(encoding="utf-8"))
    assert "--report 'my report' --null-from 'my controls.csv'" in page
    assert hashlib.sha256(controls.read_bytes()).hexdigest()[:12] in page
    assert str(tmp_path) not in page
    averages = (out / "tables" / "i_avg.csv").read_text(encoding="utf-8").splitlines()
    row = dict(zip(averages[0].split(","), averages[1].split(","), strict=True))
    assert row["null_runs"] == "20"


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
    data, controls = run.path.parents[2], library(tmp_path / "controls.csv", 40)
    out = tmp_path / "out"
    words = ["report", "r1", "--data", str(data), "--out", str(out), "--null-from", str(controls)]
    told = CliRunner().invoke(main, words)
    assert told.exit_code == 0, told.output
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "exchanged for" in page
    assert "40 runs of controls.csv" in page
    assert "--null-from controls.csv" in page
    assert "the test does" not in page  # a test of one run knows nothing of accounts
    assert "in feeds that wander as real ones do" not in page


def test_control_runs_of_an_audit_are_read_by_a_map_of_their_own(tmp_path: Path) -> None:
    run = made_results.paper_run(tmp_path / "runs", 10, 30)
    controls = library(tmp_path / "controls.csv", 40)
    text = controls.read_text().replace("run,position,batch,answer", "user,order,request,category")
    (tmp_path / "audit.tsv").write_text(text.replace(",", "\t"))
    mapped = ["--null-map", "run=user,position=order,batch=request,answer=category==1"]
    data = run.path.parents[2]
    one = iavg(data, "r1", "--json", "--null-from", str(controls))
    audit = ["--null-from", str(tmp_path / "audit.tsv")]
    assert iavg(data, "r1", "--json", *audit, *mapped).stdout == one.stdout
    assert "Type: --null-map" in iavg(data, "r1", *audit).stderr
    out = tmp_path / "out"
    told = CliRunner().invoke(
        main, ["report", "r1", "--data", str(data), "--out", str(out), *audit, *mapped]
    )
    assert told.exit_code == 0, told.output
    page = unescape((out / "index.html").read_text(encoding="utf-8"))
    assert f"--null-from audit.tsv --null-map {mapped[1]}" in page


@pytest.mark.parametrize(
    ("runs", "words"),
    [(10, "has 10 runs that can be held against these, and a null needs 39"), (0, "holds no rows")],
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
    assert "has 0 runs" in told.output  # it is the one that is shown
    made_results.paper_run(tmp_path / "runs", 10, 12, run_id="r2")
    told = iavg(run.path.parents[2], "r1", "--null-from", "r2")
    assert "r2 is no null run: its arm is treatment" in told.output
    told = iavg(run.path.parents[2], "r1", "--null-from", "r3")
    assert "There is no study and no run 'r3'" in told.output

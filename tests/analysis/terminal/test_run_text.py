import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.data.run_columns import read_run
from analysis.estimators.one_run import OneRun, summarise
from analysis.terminal.run_text import render
from store.jsonl.base_record import Record
from store.runs.ledger_lines import RunResumed, Windows
from tests.analysis import made_results

RNG_SEED = 4


def summary_of(folder: Path, lines: list[Record], finished: bool = True, **changes: Any) -> OneRun:
    path = made_results.write(folder, made_results.started(**changes), lines, finished)
    return summarise(read_run(path), np.random.default_rng(RNG_SEED))


def answers_of(before: list[str], after: list[str]) -> list[Record]:
    steps: list[Record] = [
        made_results.step(at, "before", answer) for at, answer in enumerate(before)
    ]
    return steps + [
        made_results.step(len(before) + at, "after", answer) for at, answer in enumerate(after)
    ]


def test_a_run_of_the_paper(tmp_path: Path) -> None:
    summary = summarise(
        read_run(made_results.paper_run(tmp_path, 10, 25).path), np.random.default_rng(RNG_SEED)
    )
    assert (summary.before.judged, summary.before.yes, summary.before.share) == (50, 10, 20)
    assert (summary.after.judged, summary.after.yes, summary.after.share) == (50, 25, 50)
    assert summary.sway.value == pytest.approx(30)
    assert summary.sway.low > 0
    assert summary.change.value == pytest.approx(150)
    assert np.allclose(summary.sway_bounds, 30)
    assert 94 < summary.null.percentile < 97  # one run of 50 + 50 tells its base rate roughly
    assert summary.graded.value == pytest.approx(0.7 * 30)
    assert summary.graded_by == "p_yes"
    assert set(summary.sensitivity) == {1, 2, 3}
    assert summary.excluded == {}
    assert summary.dwell.ratio == pytest.approx(10)
    assert (summary.dwell.yes_count, summary.dwell.no_count) == (35, 65)
    assert summary.timings_ms == {"model": 500, "find": 12}
    assert list(summary.timings_ms) == ["model", "find"]


def test_missing_answers_are_counted_and_bounded(tmp_path: Path) -> None:
    before = ["yes"] * 10 + ["refused"] * 5 + ["no"] * 35
    after = ["yes"] * 20 + ["timed_out"] * 10 + ["no"] * 20
    summary = summary_of(tmp_path, answers_of(before, after))
    assert summary.before.missing == {"refused": 5}
    assert summary.after.missing == {"timed_out": 10}
    assert summary.sway.value == pytest.approx(100 * (20 / 40 - 10 / 45))
    low, high = summary.sway_bounds
    assert low == pytest.approx(100 * (20 / 50 - 15 / 50))
    assert high == pytest.approx(100 * (30 / 50 - 10 / 50))
    assert "5 refused" in render(summary)
    assert "+10.0 and +40.0 pp" in render(summary)


def test_exclusions_are_counted_by_reason(tmp_path: Path) -> None:
    lines = answers_of(made_results.spread(20, 50), made_results.spread(20, 50))
    lines += [
        made_results.step(100 + at, "after", "not_asked", excluded=reason)
        for at, reason in enumerate(("ad", "live", "repeat", "not_shown"))
    ]
    summary = summary_of(tmp_path, lines)
    assert summary.excluded == {"ad": 1, "live": 1, "repeat": 1, "not_shown": 1}
    assert summary.after.judged == 50
    assert "1 ad, 1 live card, 1 repeat, 1 not shown, of 104 videos" in render(summary)


def test_a_passive_baseline_drops_early_videos_and_counts_them(tmp_path: Path) -> None:
    lines = answers_of(made_results.spread(6, 24), made_results.spread(18, 36))
    windows = Windows(before=24, adapt=0, after=36, baseline="passive")
    summary = summary_of(tmp_path, lines, windows=windows)
    assert summary.excluded == {"requested_before_change": 12}
    assert summary.after.shown == 24
    # the before window's dwell was not decided by the answers
    assert summary.dwell.yes_count == 18


def test_an_interrupted_run_says_what_is_missing(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, answers_of(made_results.spread(4, 20), []), finished=False)
    assert math.isnan(summary.sway.value)
    assert "after window" in summary.sway.reason
    assert math.isnan(summary.change.value)
    told = render(summary)
    assert "no sway to report" in told
    assert "not complete" in told


@pytest.mark.parametrize("lines", [[], answers_of(["no"] * 50, ["no"] * 50)])
def test_degenerate_runs_never_give_a_zero_wide_interval(
    tmp_path: Path, lines: list[Record]
) -> None:
    summary = summary_of(tmp_path, lines)
    assert not summary.sway.bounded
    assert summary.sway.reason
    assert math.isnan(summary.change.value)
    if not lines:
        assert summary.graded.reason == "the model gives no graded judgement"
    assert render(summary)


def test_a_replay_says_that_no_feed_could_react(tmp_path: Path) -> None:
    """None of what is said of a feed holds: there is no control to miss."""
    lines = answers_of(made_results.spread(20, 50), made_results.spread(20, 50))
    summary = summary_of(tmp_path, lines, platform="replay")
    assert summary.cautions == (
        "A replay shows another run's videos again: it says how this judge answers, and nothing "
        "of how a feed would have reacted to it.",
    )
    assert "of how a feed would have reacted to it." in render(summary).replace("\n", " ")


def test_one_run_says_what_one_run_cannot_show(tmp_path: Path) -> None:
    lines = answers_of(made_results.spread(20, 50), made_results.spread(20, 50))
    assert summary_of(tmp_path, lines).cautions == (
        "One run is one account on one day: the interval says how steady this feed was from batch "
        "to batch, and allows for how far real feeds wander by themselves. It does not say how "
        "other accounts or personas would fare.",
        "There is no control here: a feed that drifts towards what everyone likes looks the same.",
        "The persona already reacted while the before window was measured, so part of the sway is "
        "in it and the difference understates the whole.",
    )


def test_faults_and_resumes_are_told(tmp_path: Path) -> None:
    lines = answers_of(made_results.spread(10, 50), made_results.spread(10, 50))
    resumed = RunResumed(at=made_results.NOON, position=3, code_version="0", browser="b")
    summary = summary_of(tmp_path, [*lines[:3], made_results.fault(2), resumed, *lines[3:]])
    assert summary.faults == {"BrowserLost": 1}
    assert "1 BrowserLost; resumed once" in render(summary)


def test_the_summary_is_json_and_repeats_itself(tmp_path: Path) -> None:
    run = read_run(made_results.paper_run(tmp_path, 0, 25).path)
    one, two = (json.dumps(summarise(run, np.random.default_rng(1)).as_dict()) for _ in range(2))
    assert one == two
    told = json.loads(one)
    assert told["change"]["value"] is None
    assert told["change"]["reason"] == "nothing was yes before, so the ratio is undefined"
    assert "NaN" not in one


@pytest.mark.parametrize("width", [20, 60, 88, 200])
def test_the_text_keeps_its_width_and_its_commands(tmp_path: Path, width: int) -> None:
    summary = summarise(
        read_run(made_results.paper_run(tmp_path, 10, 25).path), np.random.default_rng(RNG_SEED)
    )
    command = "python -m store search 'bread'"
    told = render(summary, width, where="data/runs/r1", commands=[(command, "finds frames")])
    assert max(map(len, told.splitlines())) <= max(60, min(width, 100))
    assert command in told
    assert "data/runs/r1" in told
    assert (
        "share of yes rose by 30.0 percentage points (pp) (20.0 % to 50.0 %, 95 % interval"
        in told.replace("\n", " ")
    )
    assert "if nothing happened" in told


def test_shares_with_and_without_repeats_are_shown(tmp_path: Path) -> None:
    steps = [
        made_results.step(
            at,
            "before" if at < 10 else "after",
            "yes" if at in (0, 1) or at > 13 else "no",
            repeat="run" if at > 13 else None,
        )
        for at in range(20)
    ]
    windows = Windows(before=10, after=10)
    path = made_results.write(tmp_path, made_results.started(windows=windows), steps)
    summary = summarise(read_run(path), np.random.default_rng(0))
    assert (summary.before.share, summary.after.share, summary.sway.value) == (20, 60, 40)
    told = summary.as_dict()["without_repeats"]
    assert (told["repeats_before"], told["repeats_after"]) == (0, 6)
    assert (told["before"]["share"], told["after"]["share"]) == (20, 0)
    assert told["sway"]["value"] == -20
    text = render(summary)
    assert "0 before and 6 after, of videos that had been shown; they count" in text
    assert "without them 20.0 % yes before, 0.0 % after: -20.0 pp" in text

"""A daemon is hit by all that may hit it, and no video is lost or seen twice."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agent.daemon.config.jobs import load_watch_file, resolve_entries
from agent.daemon.journal.events import read_events as read_journal
from agent.daemon.process.child import find_leftovers
from store.runs.canary_log import read_canary
from tests.e2e.commands import feedsway, steps_written, until
from tests.soak import faults, plans
from tests.soak.__main__ import same_index
from tests.soak.harness import Figures, Soak, soak


def good(figures: Figures) -> None:
    table = figures.table()
    assert figures.due >= 8, table
    assert (figures.complete, figures.lost, figures.doubled) == (figures.due, 0, 0), table
    assert (figures.orphans, figures.problems) == ([], []), table
    assert figures.ended_in_s < 10, table


def suffer(one: Soak) -> None:
    """Kill a browser, a child and the daemon, each once something was seen since."""
    rng = random.Random(1)
    for fault in (faults.browser, faults.child, faults.daemon):
        seen = steps_written(one.data.root)
        until(lambda seen=seen: steps_written(one.data.root) > seen, limit_s=120)  # type: ignore[misc]
        until(lambda fault=fault: bool(fault(one, rng)), limit_s=60)  # type: ignore[misc]


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_a_minute_of_faults_loses_nothing(tmp_path: Path) -> None:
    one = Soak(tmp_path, plans.small("1h", 30, attempts=20), seed=1)
    data, words = one.data.root, (str(one.file), "--data", str(one.data.root))
    one.start_daemon()
    try:
        until(lambda: steps_written(data) >= 1, limit_s=120)
        second = feedsway("daemon", *words)
        assert second.returncode == 2
        assert f"process {one.pid} " in second.stderr
        assert second.stderr.strip().endswith("type: --data ANOTHER")
        suffer(one)
        seen = steps_written(data)
        until(lambda: steps_written(data) > seen, limit_s=120)
        took, code = one.end_daemon()
        assert (took < 10, code) == (True, 0)
        assert find_leftovers(data) == []
        kept = {run.run_id: run.steps for run in one.data.runs()}
        ended = list(read_journal(data / "daemon/journal.jsonl"))[-1]
        assert (ended.kind, one.state.running) == ("daemon_stopped", {})
        one.start_daemon()
        one.settle(240)
        took, code = one.end_daemon()
    finally:
        one.kill_daemon()
    figures = one.figures(1, resolve_entries(load_watch_file(one.file)))
    figures.ended_in_s = took
    good(figures)
    assert code == 0
    assert all(run.steps >= kept.get(run.run_id, 0) for run in one.data.runs())
    assert feedsway("verify", "--data", str(data), package="store").returncode == 0


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_ten_random_kills_and_the_index_is_what_a_rebuild_makes(tmp_path: Path) -> None:
    watch = plans.small("20s", 2, attempts=1000)
    figures = soak(tmp_path, watch, faults.KILLS, minutes=30, most=10, gap_s=4, seed=5)
    good(figures)
    assert sum(figures.faults.values()) == 10
    assert same_index(tmp_path / "data")


@pytest.mark.drill
@pytest.mark.timeout(400)
def test_a_changed_site_is_noted_with_its_date_and_its_platform_waits(tmp_path: Path) -> None:
    watch = plans.LIMITS.format(parallel=1, index="1h") + (
        '[[entry]]\nname = "changed"\nevery = "20s"\n'
        'run = { persona = "p12", platform = "tiktok", skin = "rename=isAd:isPromoted", '
        'before = 20, after = 20, account = "a1" }\n'
    )
    one = Soak(tmp_path, watch, seed=1)
    one.start_daemon()
    try:
        until(lambda: bool(one.state.walls), limit_s=240)
        told = feedsway("status", "--data", str(one.data.root))
        state = one.state
    finally:
        one.end_daemon()
    assert state.walls["tiktok", "a1"].wall == "LayoutChanged"
    assert "no ad in 14 videos in a row" in state.walls["tiktok", "a1"].found
    assert "doctor --platform tiktok --account a1" in told.stdout
    assert "tiktok (skin): fails ad" in told.stdout
    record = read_canary(one.data, "tiktok")[-1]
    assert (record.kind, record.verdicts, record.skin) == (
        "layout_changed",
        {"ad": "fails"},
        True,
    )


@pytest.mark.drill
@pytest.mark.timeout(400)
def test_a_wall_is_noted_and_its_platform_waits(tmp_path: Path) -> None:
    watch = plans.LIMITS.format(parallel=1, index="1h") + (
        '[[entry]]\nname = "walled"\nevery = "20s"\n'
        'run = { persona = "p12", platform = "tiktok", skin = "wall=captcha@2", before = 2, '
        'after = 2, account = "a1" }\n'
    )
    one = Soak(tmp_path, watch, seed=1)
    one.start_daemon()
    try:
        until(lambda: bool(one.state.walls), limit_s=240)
        until(lambda: "not over" in str(one.state.last["walled"].skipped), limit_s=60)
        state = one.state
    finally:
        one.end_daemon()
    assert list(state.walls) == [("tiktok", "a1")]
    assert state.walls["tiktok", "a1"].wall == "ChallengeShown"
    ((name, _),) = state.open
    assert (name, state.open.popitem()[1].attempts) == ("walled", 1)


@pytest.mark.timeout(300)
def test_a_child_is_ended_at_its_deadline_and_a_bad_edit_is_refused(tmp_path: Path) -> None:
    watch = plans.small("1h", 50).replace('deadline = "10m"', 'deadline = "3s"')
    one = Soak(tmp_path, watch, seed=1)
    one.start_daemon()
    try:
        until(lambda: one.state.file is not None)
        one.file.write_text(watch.replace("every", "evry"), encoding="utf-8")
        until(lambda: len(one.state.tried) == 2 and not one.state.running, limit_s=120)
        state = one.state
    finally:
        _, code = one.end_daemon()
    outcomes = [last.ended.outcome for last in state.tried.values() if last.ended]
    assert outcomes == ["deadline", "deadline"]
    assert (state.open, code) == ({}, 0)
    assert state.refused is not None
    assert "evry" in state.refused.problem
    assert find_leftovers(one.data.root) == []

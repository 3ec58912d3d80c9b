"""What is committed survives: Ctrl-C, SIGTERM, kill -9, and a browser that dies."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path

import pytest

from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from tests.e2e.commands import browsers_of, feedsway, ledgers, only, start, steps_written, until

RUN = ("run", "--persona", "p12", "--before", "10", "--after", "10", "--json")
COIN = ("--model", "scripted/coin?p=0.4", "--no-index")


def finish(data: Path, *more: str) -> None:
    done = feedsway(*RUN, *more, "--data", str(data))
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.drill)]
)
def test_an_interrupt_ends_cleanly_and_the_same_command_resumes(
    tmp_path: Path, number: signal.Signals
) -> None:
    data = tmp_path / "data"
    process = start(*RUN, *COIN, "--data", str(data), log=tmp_path / "log")
    until(lambda: steps_written(data) >= 5)
    process.send_signal(number)
    assert process.wait(timeout=10) == 130
    text = (tmp_path / "log").read_text(encoding="utf-8")
    assert "Traceback" not in text
    assert "goes on where this one stopped" in text
    kept = len(only(data).steps)
    finish(data, *COIN)
    ledger = only(data)
    assert (ledger.status, len(ledger.resumes)) == ("complete", 1)
    assert ledger.resumes[0].position == kept


def kill_at_random(data: Path, rng: random.Random, until_step: int) -> None:
    """Kill the run at a random moment, and see that nothing committed is lost or doubled."""
    earlier = read(path).steps if (path := next(iter(DataFolder(data).ledgers()), None)) else ()
    moment = rng.randint(len(earlier) + 1, until_step)
    process = start(*RUN, "--data", str(data), log=data.parent / "log")
    until(lambda: steps_written(data) >= moment, limit_s=240)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (path,) = DataFolder(data).ledgers()
    committed = [line for line in path.read_bytes().split(b"\n")[:-1] if b'"kind":"step"' in line]
    kept = read(path)
    assert kept.status == "interrupted"
    assert len(kept.steps) == len(committed) >= moment
    assert kept.steps[: len(earlier)] == earlier


def completes(data: Path) -> None:
    """Resume what was killed; every step is there once, and every hash holds."""
    before = only(data)
    finish(data)
    after = only(data)
    assert after.status == "complete"
    assert after.steps[: len(before.steps)] == before.steps
    assert [step.position for step in after.steps] == list(range(len(after.steps)))
    assert sum(step.eligible for step in after.steps) == 20
    assert feedsway("verify", "--data", str(data), package="store").returncode == 0


@pytest.mark.drill
def test_kill_9_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    kill_at_random(tmp_path / "data", random.Random(0), until_step=18)
    completes(tmp_path / "data")


@pytest.mark.drill
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(100, 104))
def test_kill_9_at_twenty_random_moments(tmp_path: Path, seed: int) -> None:
    """Five times the same run, each later than the one before."""
    rng = random.Random(seed)
    for last in (6, 9, 12, 15, 18):
        kill_at_random(tmp_path / "data", rng, until_step=last)
    completes(tmp_path / "data")
    same_after_rebuild(tmp_path / "data")


def top_ten(data: Path) -> list[str]:
    words = ("search", "a dog in a garden", "-k", "10", "--data", str(data), "--json")
    found = feedsway(*words, package="store")
    assert found.returncode == 0, found.stderr
    return [hit["id"] for hit in json.loads(found.stdout)]


def same_after_rebuild(data: Path) -> None:
    assert feedsway("index", "--data", str(data), package="store").returncode == 0
    before = top_ten(data)
    assert len(before) == 10
    assert feedsway("index", "--rebuild", "--data", str(data), package="store").returncode == 0
    assert top_ten(data) == before


@pytest.mark.drill
def test_a_killed_browser_is_a_recorded_fault_and_the_run_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    process = start(*RUN, *COIN, "--data", str(data), log=tmp_path / "log")
    until(lambda: steps_written(data) >= 5)
    for browser in browsers_of(process.pid):
        browser.kill()
    assert process.wait(timeout=120) == 0, (tmp_path / "log").read_text(encoding="utf-8")
    (ledger,) = ledgers(data)
    assert ledger.status == "complete"
    assert [fault.fault for fault in ledger.faults if fault.fault == "BrowserLost"]
    assert all(fault.recovered for fault in ledger.faults)
    assert len({step.video.id for step in ledger.steps if step.eligible}) == 20

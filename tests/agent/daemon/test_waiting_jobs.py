"""What waits is not lost: for an account in use, for room, over a restart."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.daemon.config.jobs import Job, load_watch_file, resolve_entries
from agent.daemon.config.watch_file import BadWatch
from agent.daemon.journal.events import read_events
from agent.daemon.journal.state import Occurrence, State, fold
from agent.daemon.supervisor import DaemonSetup, Supervisor
from agent.run.browser_profiles import BrowserProfile
from store.jsonl.locks import NamedLock
from store.runs.data_folder import DataFolder
from tests.agent.daemon.schedule.test_admission import Clock
from tests.store.samples import START as NOON

LIMITS = "[limits]\nparallel = 2\ndisk_mib = 0\nmemory_mib = 0\nindex = '1d'\n"
RUN = 'run = {{ persona = "p12", before = 2, after = 2, account = "{}" }}\n'
SKIN = RUN.replace("account", 'platform = "tiktok", skin = "wait=1", account')
Scenario = Callable[[Supervisor, Clock], Awaitable[None]]


def entry(name: str, minute: int, run: str = RUN) -> str:
    text = f'[[entry]]\nname = "{name}"\ncron = "{minute} 12 * * *"\n'
    return text + run.format(f"{name}-a")


def supervise(folder: Path, entries: str, scenario: Scenario) -> State:
    """Run a scenario on a supervisor whose clock it moves; return what the journal says."""
    file = folder / "watch.toml"
    file.write_text(LIMITS + entries, encoding="utf-8")
    clock = Clock()
    clock.at += timedelta(seconds=1)

    async def go() -> None:
        supervisor = Supervisor(DaemonSetup(file, DataFolder(folder), clock))
        await supervisor.look()
        try:
            await scenario(supervisor, clock)
        finally:
            await supervisor._end_all()
            supervisor.close()

    asyncio.run(go())
    return fold(read_events(folder / "daemon" / "journal.jsonl"))


def running(supervisor: Supervisor) -> list[str]:
    return sorted(name for name, _ in supervisor._children)


async def over(supervisor: Supervisor, entry: str) -> None:
    """Wait until an entry's child has ended and what follows is known."""
    async with asyncio.timeout(100):
        while entry in running(supervisor):
            supervisor.book.wake.clear()  # each task that ends sets it
            await supervisor.book.wake.wait()


@dataclass(frozen=True)
class Waiter(Job):
    """A job whose child waits for a file of its name."""

    def command(self, *_: Any) -> list[str]:
        wait = (
            "import pathlib, sys, time\n"
            "while not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.05)"
        )
        return [sys.executable, "-c", wait, self.entry.name]


def waiters(supervisor: Supervisor, **weights: int) -> None:
    for name, job in supervisor.loaded_file.jobs.items():
        held = {one: getattr(job, one) for one in job.__dataclass_fields__}
        supervisor.loaded_file.jobs[name] = Waiter(**{**held, "weight": weights.get(name, 1)})


def test_a_large_entry_is_not_passed_by_small_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def scenario(supervisor: Supervisor, clock: Clock) -> None:
        waiters(supervisor, large=2)
        for minutes, now in ((1, ["first"]), (1, ["first"]), (1, ["first"])):
            clock.pass_by(60 * minutes)
            await supervisor.look()
            assert running(supervisor) == now
        (tmp_path / "first").touch()
        await over(supervisor, "first")
        await supervisor.look()
        assert running(supervisor) == ["large"]
        (tmp_path / "large").touch()
        await over(supervisor, "large")
        await supervisor.look()
        assert running(supervisor) == ["second", "third"]

    names = (("first", 1), ("large", 2), ("second", 3), ("third", 3))
    state = supervise(tmp_path, "".join(entry(*one) for one in names), scenario)
    assert state.queued == {}


def test_what_waits_for_something_else_keeps_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def scenario(supervisor: Supervisor, clock: Clock) -> None:
        waiters(supervisor, large=2)
        with BrowserProfile(DataFolder(tmp_path), "playground", "large-a"):
            clock.pass_by(180)
            await supervisor.look()
            assert running(supervisor) == ["second"]

    state = supervise(tmp_path, entry("large", 2) + entry("second", 3), scenario)
    assert list(state.queued) == ["large"]


def test_an_account_in_use_is_waited_for(tmp_path: Path) -> None:
    async def scenario(supervisor: Supervisor, clock: Clock) -> None:
        with BrowserProfile(DataFolder(tmp_path), "tiktok", "one-a"):
            for _ in range(5):
                clock.pass_by(600)
                await supervisor.look()
            assert running(supervisor) == []
        await supervisor.look()
        assert running(supervisor) == ["one"]

    state = supervise(tmp_path, entry("one", 1, SKIN), scenario)
    assert state.tried["one"].due.minute == 1
    assert (state.tried["one"].attempts, state.tried["one"].failures) == (1, 0)
    assert state.last["one"].skipped is None


def test_a_study_that_somebody_else_conducts_is_waited_for(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text('name = "mine"\n[matrix]\npersonas = ["p12"]\n', encoding="utf-8")
    entries = f'[[entry]]\nname = "s"\ncron = "1 12 * * *"\nstudy = "{study}"\n'

    async def scenario(supervisor: Supervisor, clock: Clock) -> None:
        lock = NamedLock(DataFolder(tmp_path).studies_dir / "mine" / ".lock")
        lock.acquire()
        clock.pass_by(120)
        await supervisor.look()
        assert running(supervisor) == []
        lock.release()
        waiters(supervisor)
        await supervisor.look()
        assert running(supervisor) == ["s"]

    assert supervise(tmp_path, entries, scenario).queued == {}


def test_who_is_refused_since_the_account_was_taken_meanwhile_has_not_failed(
    tmp_path: Path,
) -> None:
    async def scenario(supervisor: Supervisor, clock: Clock) -> None:
        clock.pass_by(61)
        await supervisor.look()
        assert running(supervisor) == ["one"]
        with BrowserProfile(DataFolder(tmp_path), "tiktok", "one-a"):  # before the child gets to it
            await over(supervisor, "one")
        (one,) = supervisor.book.state.open.values()
        assert one.ended is not None
        assert (one.ended.outcome, one.failures) == ("busy", 0)
        assert "is used by process" in one.ended.reason
        await supervisor.look()
        assert running(supervisor) == []
        clock.pass_by(supervisor.loaded_file.watch.limits.retry + 1)
        await supervisor.look()
        assert running(supervisor) == ["one"]

    state = supervise(tmp_path, entry("one", 1, SKIN), scenario)
    assert (state.tried["one"].due.minute, state.tried["one"].attempts) == (1, 2)


def test_two_runs_on_one_playground_account_are_told_so_at_once(tmp_path: Path) -> None:
    from tests.e2e.commands import feedsway

    with BrowserProfile(DataFolder(tmp_path), "playground", "mine"):
        words = ("run", "--persona", "p12", "--account", "mine", "--before", "1", "--after", "0")
        done = feedsway(*words, "--no-index", "--data", str(tmp_path))
    assert done.returncode == 2
    assert "'mine' on playground is in use by process" in done.stderr


def test_children_count_the_watch_file_s_days(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text('name = "mine"\n[matrix]\npersonas = ["p12"]\n', encoding="utf-8")
    file = tmp_path / "watch.toml"
    head = f'timezone = "Asia/Kathmandu"\n[[entry]]\nname = "s"\nevery = "1h"\nstudy = "{study}"\n'
    file.write_text(head + entry("one", 2), encoding="utf-8")
    found = resolve_entries(load_watch_file(file))
    for name in ("s", "one"):
        words = found[name].command(Occurrence(name, NOON), tmp_path, None)
        assert words[words.index("--timezone") + 1] == "Asia/Kathmandu"
    study.write_text(study.read_text() + '[live]\ntimezone = "Europe/Oslo"\n', encoding="utf-8")
    with pytest.raises(BadWatch, match="days of Europe/Oslo, the watch file those of Asia/Kath"):
        load_watch_file(file)

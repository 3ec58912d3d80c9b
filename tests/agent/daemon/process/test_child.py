"""Children are ended in order, then with force, and what they leave behind is found by its mark."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import psutil

from agent.daemon.process import child as children
from agent.daemon.process.child import Child, find_leftovers, sweep
from tests.e2e.commands import until

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); "
    "time.sleep(300)"
)
LEAVING = (
    "import subprocess, sys; "
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'],"
    " start_new_session=True)"
)


def child(code: str, folder: Path, name: str) -> Child:
    return Child([sys.executable, "-c", code], folder / name, folder, name)


def test_a_child_that_does_not_end_is_killed(tmp_path: Path) -> None:
    async def go() -> float:
        one = child(STUBBORN, tmp_path, "stubborn")
        await one.start()
        await asyncio.to_thread(until, lambda: one.log.stat().st_size > 0)
        began = time.monotonic()
        await one.end()
        assert await one.wait() == -9
        return time.monotonic() - began

    assert children.END_S <= asyncio.run(go()) < 10


def test_what_a_child_leaves_behind_is_ended_and_nothing_else(tmp_path: Path) -> None:
    async def go() -> list[psutil.Process]:
        one, other = child(LEAVING, tmp_path, "one"), child(LEAVING, tmp_path, "other")
        await one.start()
        await other.start()
        assert (await one.wait(), await other.wait()) == (0, 0)
        assert len(find_leftovers(tmp_path)) == 2
        assert len(await one.sweep(0.1)) == 1
        kept = find_leftovers(tmp_path)
        assert await sweep(tmp_path, ["other"], 0.1) == []
        assert len(await sweep(tmp_path, [], 0.1)) == 1
        await other.sweep(0.1)
        return kept

    assert len(asyncio.run(go())) == 1
    assert find_leftovers(tmp_path) == []
    assert find_leftovers(tmp_path.parent) == []

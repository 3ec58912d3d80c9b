"""Connections that ask nothing: they cost the daemon neither its descriptors nor its runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from agent.daemon.journal.events import ChildEnded, MachineNotice, read_events
from agent.daemon.main import SupervisorControls
from agent.daemon.supervisor import DaemonSetup, Supervisor
from agent.daemon.web import address, connections
from agent.daemon.web.connections import MOST, most_connections
from agent.daemon.web.server import serve
from store.runs.data_folder import DataFolder
from tests.agent.daemon.schedule.test_admission import Clock
from tests.agent.daemon.test_waiting_jobs import LIMITS, entry, over, running, waiters
from tests.e2e.commands import start, steps_written, until
from tests.soak import plans

CROWD = Path(__file__).parents[1] / "idle_connections.py"
MANY, DESCRIPTORS = 400, 256


@contextlib.contextmanager
def descriptors(most: int) -> Iterator[None]:
    """Have no more descriptors than that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def crowd(port: int, count: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """A process that connects and asks nothing."""
    command = [sys.executable, "-S", str(CROWD), str(port), str(count), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


async def start_supervisor(folder: Path) -> tuple[Supervisor, Clock]:
    """A supervisor with one entry, whose child waits for a file."""
    file = folder / "watch.toml"
    file.write_text(LIMITS + entry("first", 1), encoding="utf-8")
    clock = Clock()
    supervisor = Supervisor(DaemonSetup(file, DataFolder(folder), clock))
    await supervisor.look()
    waiters(supervisor)
    return supervisor, clock


@pytest.mark.timeout(120)
def test_a_crowd_that_asks_nothing_ends_neither_daemon_nor_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asyncio.run(_crowded(tmp_path))
    events = list(read_events(tmp_path / "daemon" / "journal.jsonl"))
    assert [one.outcome for one in events if isinstance(one, ChildEnded)] == ["complete"]
    assert [one.trouble for one in events if isinstance(one, MachineNotice)] == []


async def _crowded(folder: Path) -> None:
    supervisor, clock = await start_supervisor(folder)
    stop, data = asyncio.Event(), DataFolder(folder)
    with descriptors(DESCRIPTORS):
        async with serve(data, SupervisorControls(supervisor), supervisor.upcoming, 0) as link:
            work = asyncio.create_task(supervisor.run(stop))
            clock.pass_by(90)
            await _begun(supervisor)
            url = httpx.URL(link)
            assert url.port is not None
            with crowd(url.port, MANY, 60) as process:
                assert process.stdout is not None
                assert int(await asyncio.to_thread(process.stdout.readline)) == MANY
                assert await asyncio.to_thread(_used) < DESCRIPTORS - 64
                await _ask(data)
                (folder / "first").touch()
                await over(supervisor, "first")
            stop.set()
            await work
    supervisor.close()


async def _begun(supervisor: Supervisor) -> None:
    for _ in range(6000):
        if running(supervisor):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nothing was started")


def _used(pid: str | int = "self") -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def _ask(data: DataFolder) -> None:
    """Ask as the command line does."""
    at = address.read_address(data.daemon_dir)
    assert at is not None
    headers = {"Authorization": f"Bearer {at.token}"}
    async with httpx.AsyncClient(headers=headers, verify=False, timeout=60) as client:
        assert (await client.get(f"{at.url}/api/status")).status_code == 200


@pytest.mark.timeout(120)
def test_whoever_says_nothing_is_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(connections, "QUIET_S", 0.3)
    asyncio.run(_quiet(tmp_path))


async def _quiet(folder: Path) -> None:
    supervisor, _ = await start_supervisor(folder)
    data = DataFolder(folder)
    said = (
        b"",
        b"GET / HTTP/1.1\r\nX: ",
        b"POST /api/pause HTTP/1.1\r\nContent-Length: 9\r\n\r\n{",
    )
    async with serve(data, SupervisorControls(supervisor), supervisor.upcoming, 0) as link:
        port = httpx.URL(link).port
        lines = [await asyncio.open_connection("127.0.0.1", port) for _ in said]
        for (_, writer), words in zip(lines, said, strict=True):
            writer.write(words)
        for reader, writer in lines:
            for _ in range(3):  # dripping buys no time
                writer.write(b"x")
                await asyncio.sleep(0.05)
            with contextlib.suppress(ConnectionError):
                await asyncio.wait_for(reader.read(), 60)
            writer.close()
    supervisor.close()


def test_a_listener_is_not_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(connections, "QUIET_S", 0.2)
    monkeypatch.setattr("agent.daemon.web.status_stream.STILL_HERE_S", 1.0)
    asyncio.run(_listened(tmp_path))


async def _listened(folder: Path) -> None:
    supervisor, _ = await start_supervisor(folder)
    data = DataFolder(folder)
    async with serve(data, SupervisorControls(supervisor), supervisor.upcoming, 0):
        at = address.read_address(data.daemon_dir)
        assert at is not None
        headers = {"Authorization": f"Bearer {at.token}"}
        async with (
            httpx.AsyncClient(headers=headers, verify=False, timeout=60) as client,
            client.stream("GET", f"{at.url}/api/news") as news,
        ):
            async for line in news.aiter_lines():
                if line == ": still here":
                    break
    supervisor.close()


def test_whoever_asks_again_and_again_keeps_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(connections, "QUIET_S", 1.5)
    asyncio.run(_asked_often(tmp_path))


async def _asked_often(folder: Path) -> None:
    supervisor, _ = await start_supervisor(folder)
    async with serve(
        DataFolder(folder), SupervisorControls(supervisor), supervisor.upcoming, 0
    ) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(link).port)
        for _ in range(40):
            writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head.lower())
            assert length is not None
            await reader.readexactly(int(length[1]))
            await asyncio.sleep(0.1)
        writer.close()
    supervisor.close()


@pytest.mark.parametrize(("soft", "most"), [(64, 4), (256, 64), (160, 16), (20_000, MOST)])
def test_how_many_may_connect_leaves_what_is_reserved(soft: int, most: int) -> None:
    with descriptors(soft):
        assert most_connections() == most


@pytest.mark.timeout(120)
def test_a_daemon_outlives_that_the_machine_opens_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asyncio.run(_without_files(tmp_path))
    events = list(read_events(tmp_path / "daemon" / "journal.jsonl"))
    assert [one.outcome for one in events if isinstance(one, ChildEnded)] == ["complete"]
    files = [
        one.open for one in events if isinstance(one, MachineNotice) and one.trouble == "files"
    ]
    assert files == [True, False]


async def _without_files(folder: Path) -> None:
    supervisor, clock = await start_supervisor(folder)
    stop = asyncio.Event()
    work = asyncio.create_task(supervisor.run(stop))
    clock.pass_by(90)
    await _begun(supervisor)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    (folder / "first").touch()
    async with asyncio.timeout(60):
        with descriptors(free):
            while "files" not in supervisor.book.state.troubles:
                assert not work.done(), work
                supervisor.book.wake.set()
                await asyncio.sleep(0.05)
            with pytest.raises(OSError, match="Too many open files"):
                socket.socket()
        await over(supervisor, "first")
        while "files" in supervisor.book.state.troubles:
            supervisor.book.wake.set()
            await asyncio.sleep(0.05)
    stop.set()
    await work
    supervisor.close()


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_ten_thousand_that_ask_nothing(tmp_path: Path) -> None:
    """A real daemon with 256 descriptors and a real run: both go on, and the page answers."""
    watch = tmp_path / "watch.toml"
    more = ', model = "scripted/no"'
    watch.write_text(
        plans.LIMITS.format(parallel=1, index="1d")
        + plans.runs(["p12"], every="1d", videos=10, more=more),
        encoding="utf-8",
    )
    data, words = DataFolder(tmp_path / "data"), ("daemon", str(watch), "--data")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    limits = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    log = tmp_path / "daemon.log"
    daemon = start(*words, str(data.root), log=log, preexec_fn=limits)
    try:
        until(lambda: steps_written(data.root) >= 1, limit_s=240)
        at = address.read_address(data.daemon_dir)
        assert at is not None
        seen = steps_written(data.root)
        with crowd(int(at.url.rpartition(":")[2]), 10_000, 600) as process:
            assert process.stdout is not None
            assert int(process.stdout.readline()) == 10_000
            assert _used(daemon.pid) < DESCRIPTORS - 64
            asyncio.run(_ask(data))
            until(lambda: steps_written(data.root) > seen, limit_s=240)
            until(lambda: _ends(data) == ["complete"], limit_s=240)
            assert daemon.poll() is None
        daemon.terminate()
        assert daemon.wait(60) == 0
    finally:
        daemon.kill()
    assert "Traceback" not in log.read_text()
    assert _ends(data) == ["complete"]


def _ends(data: DataFolder) -> list[str]:
    """What the journal says of the children that have ended: a ledger is complete before."""
    events = read_events(data.daemon_dir / "journal.jsonl")
    return [one.outcome for one in events if isinstance(one, ChildEnded)]

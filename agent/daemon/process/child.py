"""The daemon's child processes: started with a log and a mark, ended in order, never left behind.

A child lives as long as its stdin is open, so a killed daemon takes its children with it. What
still stays behind, a browser for instance, is known by the mark that it has inherited.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import psutil

from store.runs.data_folder import DataFolder
from store.terminal.config_file import NO_FILE

MARK = "FEEDSWAY_DAEMON_CHILD"
LOGS = "logs"
MOST_LOGS = 200
"""Logs that are kept of each entry's children."""
OLDEST = timedelta(days=30)
END_S = 5.0
"""A child that was asked to end is killed after this long."""
LAST_S = 1.0
"""What a killed process may take to be gone."""


class Child:
    """One process of the daemon's, whose output is appended to a log.

    ``data`` and ``name`` mark it and all that it starts: the daemon's data folder, and what it is
    for.
    """

    def __init__(self, command: Sequence[str], log: Path, data: Path, name: str) -> None:
        self.log = log
        self.name = name
        self._command = command
        self._data = data
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> int:
        """Start it and return its process id."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **NO_FILE, MARK: _mark(self._data, self.name)}
        with self.log.open("ab") as stream:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                env=environment,
            )
        return self._process.pid

    async def wait(self) -> int:
        assert self._process is not None
        return await self._process.wait()

    async def end(self) -> None:
        """End it in order, and with force where that takes too long; then all that it started."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            if process.stdin is not None:
                process.stdin.close()
            with suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(END_S):
                    await process.wait()
            except TimeoutError:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        await self.sweep()

    async def sweep(self, patience_s: float = LAST_S) -> list[str]:
        """End what it has left behind; return what that was."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        mine = _mark(self._data, self.name)
        return await _gone([one for one, mark in _marked(self._data) if mark == mine], patience_s)


async def sweep(data: Path, keep: Collection[str], patience_s: float) -> list[str]:
    """End what children have left behind, but for those with these names, which still run."""
    kept = {_mark(data, name) for name in keep}
    return await _gone([one for one, mark in _marked(data) if mark not in kept], patience_s)


def find_leftovers(data: Path) -> list[psutil.Process]:
    """Return every living process of a daemon on this data folder, itself excluded."""
    return [process for process, _ in _marked(data)]


def _mark(data: Path, name: str) -> str:
    return f"{data.resolve()}|{name}"


def _marked(data: Path) -> Iterator[tuple[psutil.Process, str]]:
    start = _mark(data, "")
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            mark = process.environ().get(MARK, "")
            if mark.startswith(start) and process.status() != psutil.STATUS_ZOMBIE:
                yield process, mark


async def _gone(processes: Sequence[psutil.Process], patience_s: float) -> list[str]:
    """Wait until the processes are gone, kill those that stay; return what was killed."""
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, patience_s)
    killed = []
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            killed.append(f"{process.name()} ({process.pid})")
            process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(psutil.wait_procs, alive, LAST_S)
    return killed


def prune_logs(data: DataFolder, now: datetime) -> int:
    """Remove logs beyond the newest, which may still be written, and old ones; return how many."""
    removed = 0
    for folder in (data.daemon_dir / LOGS).glob("*/"):
        logs = sorted(folder.glob("*.log"), reverse=True)
        for place, log in enumerate(logs):
            age = now.timestamp() - log.stat().st_mtime
            if place >= MOST_LOGS or (place > 0 and age > OLDEST.total_seconds()):
                log.unlink(missing_ok=True)
                removed += 1
    return removed

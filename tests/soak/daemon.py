"""Starts a daemon whose clock a file can set: ``python -m tests.soak.daemon WATCH DATA CLOCK``."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from agent.daemon.main import run_daemon
from agent.daemon.supervisor import DaemonSetup
from store.runs.data_folder import DataFolder


class FileClock:
    """The machine's clock, set forward or back by the seconds that a file holds."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        text = self._file.read_text() if self._file.exists() else ""
        return datetime.now(UTC) + timedelta(seconds=float(text or 0))

    def steady(self) -> float:
        return time.monotonic()


if __name__ == "__main__":
    watch, data, clock = (Path(word) for word in sys.argv[1:])
    place = DaemonSetup(watch, DataFolder(data), FileClock(clock))
    asyncio.run(run_daemon(place, lambda text: click.echo(text, err=True)))

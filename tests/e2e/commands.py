"""Runs feedsway's commands as a user does, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger, read

LONG_S = 240


def feedsway(
    *words: str, package: str = "agent", timeout: float = LONG_S, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m <package> <words>`` to its end."""
    command = [sys.executable, "-m", package, *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, check=False, **options
    )


def start(*words: str, log: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start ``python -m agent <words>`` in a session of its own and leave it running."""
    command = [sys.executable, "-m", "agent", *words]
    with log.open("ab") as stream:
        return subprocess.Popen(
            command, stdout=stream, stderr=stream, start_new_session=True, **options
        )


def run(data: Path, *more: str, before: int = 12, after: int = 12) -> dict[str, Any]:
    """Run p12 on the playground to its end; return the summary."""
    words = ["run", "--persona", "p12", "--data", str(data), "--json"]
    done = feedsway(*words, "--before", str(before), "--after", str(after), *more)
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def ledgers(data: Path) -> list[Ledger]:
    """Return every ledger of a data folder, by run id."""
    return [read(path) for path in DataFolder(data).ledgers()]


def only(data: Path) -> Ledger:
    """Return the only ledger of a data folder."""
    (ledger,) = ledgers(data)
    return ledger


def until(condition: Callable[[], bool], limit_s: float = 60) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "what was waited for did not happen"
        time.sleep(0.02)


def steps_written(data: Path) -> int:
    """Count the step lines of all ledgers without reading them."""
    return sum(path.read_bytes().count(b'{"kind":"step"') for path in DataFolder(data).ledgers())


def browsers_of(pid: int) -> list[psutil.Process]:
    """Return the browsers below a process, without their helpers."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended while it was looked at
            is_helper = any(word.startswith("--type=") for word in process.cmdline())
            if "chrom" in process.name() and not is_helper:
                found.append(process)
    return found


def is_root() -> bool:
    """Whether rights on files hold nobody back."""
    return hasattr(os, "geteuid") and os.geteuid() == 0

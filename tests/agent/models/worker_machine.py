"""A runtime folder of its own, whose workers are counted and never outlive a test."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from agent.models.local_server.runtime_folder import MARK
from tests.e2e.commands import until

LINGER_S = 2


class WorkerMachine:
    """As if this user had just come to this machine."""

    def __init__(self, runtime: Path) -> None:
        self.runtime = runtime
        runtime.mkdir(mode=0o700)

    @property
    def environment(self) -> dict[str, str]:
        return {"XDG_RUNTIME_DIR": str(self.runtime), "FEEDSWAY_WARM_S": str(LINGER_S)}

    def workers(self) -> list[psutil.Process]:
        return [each for each in self._ours() if "local_server.worker" in _words(each)]

    def keepers(self) -> list[psutil.Process]:
        return [each for each in self._ours() if "local_server.worker" not in _words(each)]

    def worker(self) -> psutil.Process:
        """Wait for the one worker that there is, loaded or not."""
        until(lambda: bool(self.workers()))
        (only,) = self.workers()
        return only

    def is_empty(self) -> bool:
        return not list(self._ours())

    def keys(self) -> list[str]:
        addresses = self.runtime.rglob("address.json")
        return [json.loads(path.read_text("utf-8"))["key"] for path in addresses]

    def _ours(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words, mark = _words(process), process.environ().get(MARK, "")
                is_keeper = "agent.models.local_server" in words and str(self.runtime) in words
                if is_keeper or mark.startswith(str(self.runtime)):
                    yield process


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@contextmanager
def worker_machine(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[WorkerMachine]:
    """Have workers, in a folder of their own, and end what a test leaves behind."""
    made = WorkerMachine(folder / "runtime")
    for name, text in made.environment.items():
        patch.setenv(name, text)
    yield made
    for process in [*made.keepers(), *made.workers()]:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)

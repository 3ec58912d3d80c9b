"""The process that starts one model server, and ends it with its last user."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import suppress
from time import monotonic
from types import FrameType

from filelock import Timeout

from agent.models.local_server.runtime_folder import (
    MARK,
    ServerAddress,
    ServerFolder,
    ServerRecipe,
    processes_of,
)
from store.terminal.printing import remark

HOST = "127.0.0.1"
_LOOK_S = 0.25
_ANSWER_S = 2.0
_GRACE_S = 10.0  # what a server has to end by itself


class ServerKeeper:
    """One server and its end."""

    def __init__(self, folder: ServerFolder, recipe: ServerRecipe) -> None:
        self._folder = folder
        self._recipe = recipe
        self._ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._door = folder.door
        self._last_use = monotonic()

    def keep(self) -> None:
        """Keep the server until it is unused, ends by itself, or the keeper is ended."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        self._clear()
        address = ServerAddress(f"http://{HOST}:{_free_port()}/v1", secrets.token_urlsafe(32))
        try:
            self._process = self._start(address)
            self._watch(address)
        finally:
            if not self._door.is_locked:
                self._door.acquire()  # whoever comes now waits for the end, and starts another
            self._folder.retract()
            self._clear()

    def _watch(self, address: ServerAddress) -> None:
        start, answers = monotonic(), False
        while not self._ended.wait(_LOOK_S):
            if self._process is None or self._process.poll() is not None:
                return
            if not answers and _answers(address):
                answers = True
                self._folder.announce(address)
            if not answers and monotonic() - start > self._recipe.limit_s:
                remark(f"It did not answer within {self._recipe.limit_s:.0f} s.\n")
                return
            stays = answers and not self._folder.leave.exists()
            if self._unused_for(self._recipe.linger_s if stays else 0.0):
                return

    def _unused_for(self, linger_s: float) -> bool:
        """Tell whether nobody has used the server for so long.

        Then the door stays shut until this process ends.
        """
        try:
            self._door.acquire(timeout=0)
        except Timeout:
            return False  # somebody is coming
        if self._folder.has_users():
            self._last_use = monotonic()
        elif monotonic() - self._last_use >= linger_s:
            return True
        self._door.release()
        return False

    def _start(self, address: ServerAddress) -> subprocess.Popen[bytes]:
        port = address.url.rpartition(":")[2].removesuffix("/v1")
        environment = {
            **os.environ,
            **dict(self._recipe.environment),
            self._recipe.key_variable: address.key,
            MARK: str(self._folder.path),
        }
        with self._folder.log.open("ab") as log:
            return subprocess.Popen(
                [*self._recipe.command, "--host", HOST, "--port", port],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def _clear(self) -> None:
        """End every process of this server, also those that a killed keeper left behind."""
        for number, patience_s in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, _GRACE_S)):
            for pid in processes_of(self._folder.path):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            end = monotonic() + patience_s
            while monotonic() < end:
                if self._process is not None:
                    self._process.poll()  # so that it is no zombie
                if not any(processes_of(self._folder.path)):
                    return
                threading.Event().wait(_LOOK_S / 2)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._ended.set()


def _die_with_parent() -> None:
    """Let the kernel end the server where its keeper is killed (Linux only)."""
    if sys.platform == "linux":
        import ctypes

        set_death_signal = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(set_death_signal, int(signal.SIGTERM))


def _free_port() -> int:
    """Return a port on loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _answers(address: ServerAddress) -> bool:
    request = urllib.request.Request(
        f"{address.url}/models", headers={"Authorization": f"Bearer {address.key}"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_ANSWER_S) as response:
            return bool(response.status == 200)
    except OSError:
        return False

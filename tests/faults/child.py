"""One command as a process of its own, forked from a parent that has its modules loaded."""

from __future__ import annotations

import atexit
import os
import selectors
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import click

COMMANDS = {
    "agent": ("agent.cli", "cli"),
    "analysis": ("analysis.cli.main", "main"),
    "personas": ("personas.cli", "main"),
    "store": ("store.cli.main", "main"),
}
"""Where the commands of a package are."""
LIMIT_S = 240.0


@dataclass(frozen=True)
class Ending:
    """How a process ended, and what it said."""

    code: int
    """As of ``subprocess``: minus the signal, where one ended it."""
    out: str
    err: str
    seconds: float
    interrupted: bool = False
    """Whether it went on so long that Ctrl-C was typed."""

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL

    @property
    def traceback(self) -> bool:
        return "Traceback (most recent call last)" in self.err


class Child:
    """A command that runs.

    What it prints goes into pipes: a limit on files does not keep it from speaking.
    """

    def __init__(
        self, words: Sequence[str], folder: Path, arm: Callable[[], None] = lambda: None
    ) -> None:
        pipes = os.pipe(), os.pipe()
        self._began = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _become(words, folder, arm, [write for _, write in pipes])
        for _, write in pipes:
            os.close(write)
        self._read = [read for read, _ in pipes]
        self._told = {read: bytearray() for read in self._read}
        self._code: int | None = None
        self._interrupted = False

    def kill_after(self, seconds: float) -> None:
        """End it as a power cut would, unless it has ended by then."""
        self._listen(until=self._began + seconds)
        self._kill()

    def finish(self, interrupt_after: float = LIMIT_S) -> Ending:
        """Wait for the end; Ctrl-C is typed where it does not come."""
        self._listen(until=self._began + interrupt_after)
        if self._code is None:
            self._interrupted = True
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGINT)
            self._listen(until=time.monotonic() + 30)
        self._kill()
        seconds = time.monotonic() - self._began
        out, err = (bytes(self._told[read]).decode("utf-8", "replace") for read in self._read)
        for read in self._read:
            os.close(read)
        assert self._code is not None
        return Ending(self._code, out, err, seconds, self._interrupted)

    def _kill(self) -> None:
        """End it and all that it has started; what its pipes hold is still read."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._listen(until=time.monotonic())

    def _listen(self, until: float) -> None:
        """Read what it says until it has ended, or until a time."""
        with selectors.DefaultSelector() as ready:
            for read in self._read:
                os.set_blocking(read, False)
                ready.register(read, selectors.EVENT_READ)
            while True:
                left = max(0.0, until - time.monotonic())
                for key, _ in ready.select(min(left, 0.02)):
                    self._take(ready, key.fd)
                if self._code is None:
                    pid, status = os.waitpid(self.pid, os.WNOHANG)
                    self._code = os.waitstatus_to_exitcode(status) if pid else None
                if self._code is not None or left == 0:
                    for read in self._read:
                        self._take(ready, read)
                    return

    def _take(self, ready: selectors.BaseSelector, read: int) -> None:
        while True:
            try:
                part = os.read(read, 1 << 16)
            except BlockingIOError:
                return
            if not part:
                with suppress(KeyError):
                    ready.unregister(read)
                return
            self._told[read] += part


def _become(
    words: Sequence[str], folder: Path, arm: Callable[[], None], pipes: Sequence[int]
) -> None:
    """Be the command; never returns."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for stream, pipe in zip((1, 2), pipes, strict=True):
            os.dup2(pipe, stream)
        os.closerange(3, max(pipes) + 1)
        os.chdir(folder)
        package, *rest = words
        sys.argv = [f"{package}/__main__.py", *rest]
        arm()
        code = _call(package, rest)
    except BaseException:  # noqa: BLE001 - as Python itself does at the end of a program
        traceback.print_exc()
    finally:
        with suppress(Exception):
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
        for stream_ in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream_.flush()
        os._exit(code)


def _call(package: str, rest: Sequence[str]) -> int:
    module, name = COMMANDS[package]
    command: click.Command = getattr(import_module(module), name)
    try:
        command.main(args=list(rest), prog_name=f"python -m {package}")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)


def load_modules_of(words: Sequence[str], folder: Path, names: Path) -> Ending:
    """Run a command in a child once, and load here what it has loaded: forks are quick then."""
    known = set(sys.modules)

    def tell() -> None:
        names.write_text("\n".join(set(sys.modules) - known), encoding="utf-8")

    def arm() -> None:
        atexit.register(tell)

    ended = Child(words, folder, arm).finish()
    for name in names.read_text(encoding="utf-8").split():
        with suppress(Exception):  # some say that they are no modules to import
            import_module(name)
    return ended

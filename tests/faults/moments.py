"""What happens to a command, and when: at one of its own events, counted in the child.

An event changes a file: it is opened for writing, written, synced, cut, renamed, removed or made.
"""

from __future__ import annotations

import ctypes
import datetime as datetimes
import functools
import mmap
import os
import resource
import signal
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
EVENTS = {
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.truncate",
    "os.link",
    "os.symlink",
    "os.chmod",
}
"""Python's audit events that change a file, beside opening one."""
SET_BACK_S = 3600.0
OURS = ("agent.", "analysis.", "personas.", "store.")
MEBIBYTE = 1 << 20


class Tally:
    """Counts a child's events where its parent can read them."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 16)

    @property
    def events(self) -> int:
        return int(struct.unpack_from("q", self._shared)[0])

    def add(self) -> int:
        count = self.events + 1
        struct.pack_into("q", self._shared, 0, count)
        return count

    def reset(self) -> None:
        struct.pack_into("q", self._shared, 0, 0)


@dataclass(frozen=True)
class Strike:
    """A fault that comes to a command at one of its events."""

    fault: str
    at: int

    def arm(self, tally: Tally, folder: Path) -> None:
        """Count this process's events below a folder; at the one, have the fault."""
        if self.fault == "read-only":
            make_read_only(folder)
            return
        if self.fault == "clock":
            shift = set_clock(lambda: tally.events >= self.at)
            shift()
        Events(self, tally, folder).install()

    def happen(self) -> None:
        """Have the fault; a killed process does not return."""
        if self.fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.fault == "disk":
            limit(resource.RLIMIT_FSIZE, 1)
        elif self.fault == "descriptors":
            free = os.dup(0)  # the lowest number that is free
            os.close(free)
            limit(resource.RLIMIT_NOFILE, free)
        elif self.fault == "memory":
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            limit(resource.RLIMIT_AS, pages * resource.getpagesize() + 2 * MEBIBYTE)


NEVER = Strike("none", -1)


def limit(what: int, size: int) -> None:
    resource.setrlimit(what, (size, resource.getrlimit(what)[1]))


class Events:
    """Sees what this process does with files below one folder."""

    def __init__(self, strike: Strike, tally: Tally, folder: Path) -> None:
        self._strike = strike
        self._tally = tally
        self._folder = os.path.realpath(folder)
        self._write, self._fsync = os.write, os.fsync

    def install(self) -> None:
        """See from here on; there is no way back, and a child needs none."""
        os.write = self._write_seen
        os.fsync = self._fsync_seen  # type: ignore[assignment]
        sys.addaudithook(self._see)

    def _see(self, event: str, given: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = given
            if not (isinstance(flags, int) and flags & WRITING) or not self._is_here(path):
                return
        elif event not in EVENTS or not self._is_here(given[0]):
            return
        self._count()

    def _is_here(self, path: Any) -> bool:
        if isinstance(path, int):
            path = Path(f"/proc/self/fd/{path}").readlink()
        text = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - Path.absolute leaves .. in
        return text.startswith(self._folder)

    def _is_file_here(self, descriptor: int) -> bool:
        try:
            return self._is_here(descriptor)
        except OSError:
            return False

    def _count(self) -> bool:
        if self._tally.add() != self._strike.at:
            return False
        self._strike.happen()
        return True

    def _write_seen(self, descriptor: int, content: Any) -> int:
        if self._is_file_here(descriptor) and self._tally.add() == self._strike.at:
            if self._strike.fault == "kill":  # in the middle of the line
                self._write(descriptor, bytes(content)[: len(content) // 2])
            self._strike.happen()
        return self._write(descriptor, content)

    def _fsync_seen(self, descriptor: Any) -> None:
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        if self._is_file_here(number):
            self._count()
        self._fsync(number)


def make_read_only(folder: Path) -> None:
    """Mount a folder on itself, for this process alone, without the right to write; root may."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_namespace, private, bind, remount, read_only = 0x20000, 0x44000, 0x1000, 0x20, 0x1
    name = os.fsencode(folder)
    steps: list[Callable[[], int]] = [
        functools.partial(libc.unshare, new_namespace),
        functools.partial(libc.mount, None, b"/", None, private, None),
        functools.partial(libc.mount, name, name, None, bind, None),
        functools.partial(libc.mount, None, name, None, bind | remount | read_only, None),
    ]
    for each in steps:
        if each() != 0:
            raise PermissionError(ctypes.get_errno(), "no folder can be made read-only here")
    os.chdir(folder)  # the working folder was still that below the mount


def may_make_read_only() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0 and sys.platform == "linux"


def set_clock(is_back: Callable[[], bool]) -> Callable[[], None]:
    """Return what gives all of our modules a clock that goes back once it is told to."""
    real, real_time = datetimes.datetime, time.time

    class Kind(type(real)):  # type: ignore[misc]
        def __instancecheck__(cls, each: object) -> bool:
            return isinstance(each, real)

    class Clock(real, metaclass=Kind):  # type: ignore[misc, valid-type]
        @classmethod
        def now(cls, tz: datetimes.tzinfo | None = None) -> datetimes.datetime:
            back = datetimes.timedelta(seconds=SET_BACK_S if is_back() else 0)
            return real.now(tz) - back

    def shifted() -> float:
        return real_time() - (SET_BACK_S if is_back() else 0)

    def install() -> None:
        time.time = shifted
        for name, module in list(sys.modules.items()):
            ours = name.startswith(OURS) and isinstance(module, ModuleType)
            if ours and vars(module).get("datetime") is real:
                module.datetime = Clock  # type: ignore[attr-defined]

    return install

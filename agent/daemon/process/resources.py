"""What a daemon must know of its machine: the time, and whether disk and memory last.

Refuses to know what is done about it.
"""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import psutil

from agent.daemon.config.watch_file import WatchLimits
from agent.daemon.journal.events import Trouble
from store.errors import DataUnwritable
from store.runs.data_folder import DataFolder

OF_THE_MACHINE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)
"""Errors that say nothing of the file at fault: the machine gives none now, and may soon."""
JUMP_S = 30.0
"""The wall clock may differ from the steady one by this much from one look to the next."""
_MIB = 1 << 20


class Clock(Protocol):
    """Tells the time of day, and a time that only ever goes on."""

    def now(self) -> datetime:
        """UTC."""
        ...

    def steady(self) -> float:
        """Seconds."""
        ...


class SystemClock:
    """The machine's own."""

    def now(self) -> datetime:
        """UTC."""
        return datetime.now(UTC)

    def steady(self) -> float:
        """Seconds."""
        return time.monotonic()


@dataclass
class ClockJumps:
    """Notices when the wall clock was set, or the machine slept."""

    clock: Clock

    def __post_init__(self) -> None:
        self._last = self.clock.now(), self.clock.steady()

    def look(self) -> float | None:
        """Return by how many seconds it has jumped since the last look, if it has."""
        now, steady = self.clock.now(), self.clock.steady()
        then, before = self._last
        self._last = now, steady
        jump = (now - then).total_seconds() - (steady - before)
        return jump if abs(jump) > JUMP_S else None


def shortages(data: DataFolder, limits: WatchLimits) -> dict[Trouble, str]:
    """Return what is short, in words."""
    found: dict[Trouble, str] = {}
    try:
        data.prepare(limits.disk_mib)
    except DataUnwritable as error:
        found["disk"] = str(error)
    except OSError as error:
        found["disk"] = f"{data.root} cannot be looked at ({error.strerror})"
    free = psutil.virtual_memory().available // _MIB
    if free < limits.memory_mib:
        found["memory"] = f"{free} MiB of memory free, {limits.memory_mib} MiB wanted"
    return found

"""What a daemon knows of its machine: the time, and which errors are the machine's own."""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

OF_THE_MACHINE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)
"""Errors that say nothing of the file at fault: the machine gives none now, and may soon."""
JUMP_S = 30.0
"""The wall clock may differ from the steady one by this much from one look to the next."""


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
        return datetime.now(UTC)

    def steady(self) -> float:
        return time.monotonic()


@dataclass
class ClockJumps:
    """Notices when the wall clock was set, or the machine slept."""

    clock: Clock

    def __post_init__(self) -> None:
        self._last = self.clock.now(), self.clock.steady()

    def look(self) -> float | None:
        """Return by how many seconds the clock has jumped since the last look, if it has."""
        now, steady = self.clock.now(), self.clock.steady()
        then, before = self._last
        self._last = now, steady
        jump = (now - then).total_seconds() - (steady - before)
        return jump if abs(jump) > JUMP_S else None

"""The journal as the daemon writes it: each event taken into account, written down, and told on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.daemon.journal.damage import read_journal
from agent.daemon.journal.events import AnyEvent, Journal, MachineNotice, PauseChanged, Trouble
from agent.daemon.journal.state import fold
from agent.daemon.machine_clock import Clock

Tell = Callable[[AnyEvent], Awaitable[None]]
log = logging.getLogger(__name__)


async def nobody(_: AnyEvent) -> None:
    """Tell nobody."""


class JournalWriter:
    """What is known, and its journal."""

    def __init__(self, path: Path, clock: Clock) -> None:
        events, self.damage = read_journal(path)
        self.state = fold(events)
        self.clock = clock
        self.wake = asyncio.Event()
        self.tell: Tell = nobody
        self._journal = Journal(path)
        self._unwritten: list[AnyEvent] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def now(self) -> datetime:
        """UTC."""
        return self.clock.now()

    def note(self, event: AnyEvent, *, tell: bool = False) -> None:
        """Take an event into account and write it down, later if the disk refuses now."""
        self.state.apply_event(event)
        log.info("%s", _sentence(event))
        self._unwritten.append(event)
        self.write()
        if tell:
            self.spawn(self._told(event))

    def notice(self, trouble: Trouble, detail: str | None) -> None:
        """Note a trouble, or that it is over, where that is news."""
        if (detail is not None) != (trouble in self.state.troubles):
            there, words = detail is not None, detail or ""
            self.note(MachineNotice(at=self.now(), trouble=trouble, open=there, detail=words))

    def heed_damage(self) -> None:
        """Note which lines of the journal are lost; pause where one may have held something back.

        Once for the same lines: a person who has resumed since is not asked again.
        """
        lost, known = self.damage.summary(), self.state.troubles.get("journal")
        if lost is None:
            self.notice("journal", None)
        elif known is None or known.detail != lost:
            if self.damage.may_hold:
                self.note(PauseChanged(at=self.now(), entry=None, paused=True))
            self.note(MachineNotice(at=self.now(), trouble="journal", detail=lost))

    def passing(self, trouble: Trouble, detail: str) -> None:
        """Note a trouble that is over at once."""
        self.notice(trouble, detail)
        self.notice(trouble, None)

    def write(self) -> bool:
        """Write what is not written yet; return whether all of it is."""
        try:
            while self._unwritten:
                self._journal.write(self._unwritten[0])
                self._unwritten.pop(0)
        except OSError as error:
            log.warning("the journal cannot be written: %s", error)
        return not self._unwritten

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Have something done meanwhile; its end wakes the daemon."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    async def finish(self) -> None:
        """Wait for all that was spawned."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        self.write()

    def close(self) -> None:
        self._journal.close()

    async def _told(self, event: AnyEvent) -> None:
        await self.tell(event)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the daemon failed", exc_info=error)


def _sentence(event: AnyEvent) -> str:
    told = event.model_dump(mode="json", exclude={"at", "kind"}, exclude_none=True)
    return f"{event.kind}: " + ", ".join(f"{name} {value}" for name, value in told.items())

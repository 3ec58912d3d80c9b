"""Has the embedded index take up what the runs have seen, in a child: the index's one writer."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass

from agent.daemon.machine_clock import Clock
from agent.daemon.process.child import Child
from agent.daemon.process.exit_reason import last_words
from store.runs.data_folder import DataFolder

NAME = "index"
LIMIT_S = 3600.0


@dataclass
class IndexerProcess:
    """Indexes after runs, one child at a time, and not too often."""

    data: DataFolder
    clock: Clock

    def __post_init__(self) -> None:
        self._asked = True  # what a killed daemon had not indexed
        self._last = self.clock.steady()
        self._task: asyncio.Task[str] | None = None
        self._child: Child | None = None

    def ask(self) -> None:
        self._asked = True

    def look(self, apart_s: float) -> str | None:
        """Start it if it is time; return once how the last one ended: why it failed, or ``""``."""
        ended: str | None = None
        if self._task is not None and self._task.done():
            ended, self._task, self._child = self._task.result(), None, None
            self._last = self.clock.steady()
            self._asked = self._asked or bool(ended)
        due = self.clock.steady() - self._last >= apart_s
        if self._asked and due and self._task is None and self.data.ledgers():
            self._asked = False
            self._task = asyncio.create_task(self._index())
        return ended

    async def _index(self) -> str:
        command = [sys.executable, "-P", "-m", "store", "index", "--data", str(self.data.root)]
        log = self.data.daemon_dir / "logs" / "index.log"
        self._child = Child(command, log, self.data.root, NAME)
        try:
            await self._child.start()
            async with asyncio.timeout(LIMIT_S):
                code = await self._child.wait()
        except TimeoutError:
            await self._child.end()
            return f"it took longer than {LIMIT_S:.0f} s"
        except OSError as error:
            return str(error)
        return "" if code == 0 else last_words(log) or f"exit code {code}"

    async def end(self) -> None:
        """End the child; what it has not indexed, the next one does."""
        while self._task is not None and not self._task.done():
            if self._child is not None:
                await self._child.end()
            await asyncio.wait([self._task], timeout=0.1)  # it may not have started yet

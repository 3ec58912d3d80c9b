"""The process of a cell: a child that ends with whoever started it."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent.study.matrix import StudyCell
from store.terminal.config_file import NO_FILE


class CellLost(Exception):
    """The machine that ran a cell is gone; the text says how.

    ``again``: whether another machine may have it at once.
    """

    def __init__(self, why: str, *, again: bool = True) -> None:
        self.again = again
        super().__init__(why)


@dataclass(frozen=True)
class CellProcess:
    """How a cell's child is started, on whichever machine."""

    words: tuple[str, ...]
    """What follows Python's own name, which is another on each machine."""
    log: Path

    async def run(self, stop: asyncio.Event | None = None) -> int:
        """Run the child and return its exit code.

        It ends by itself where ``stop`` is set, this is cancelled, or this process is killed: its
        stdin is our pipe.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as stream:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                *self.words,
                stdin=asyncio.subprocess.PIPE,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                env={**os.environ, **NO_FILE},  # a study is what it declares
            )
        assert child.stdin is not None
        waiting = asyncio.create_task((stop or asyncio.Event()).wait())
        ending = asyncio.create_task(child.wait())
        try:
            await asyncio.wait((waiting, ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            child.stdin.close()
            await ending
        return ending.result()


class CellPlace(Protocol):
    """Where cells run."""

    async def run(self, cell: StudyCell, process: CellProcess) -> int:
        """Run a cell to its end and return its exit code; raises ``CellLost``."""
        ...


class ThisMachine:
    """Cells as children of this process."""

    async def run(self, cell: StudyCell, process: CellProcess) -> int:  # noqa: ARG002
        return await process.run()

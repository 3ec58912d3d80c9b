"""Keeps what the loop saw: frames, ledger lines, and beside them the index."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from agent.errors import LayoutChanged, RunFault
from store.frames.frame_store import FrameStore, describe
from store.jsonl.atomic import write_whole
from store.runs.ledger import LedgerLine, LedgerWriter
from store.runs.ledger_lines import Fault, Frame, Step, StepOpened
from store.runs.ledger_site_lines import FeedBatch


class StepListener(Protocol):
    """Takes steps as they are recorded."""

    def add(self, step: Step, jpegs: tuple[bytes, ...]) -> None: ...


class LedgerRecorder:
    """Writes one run's ledger and its frames."""

    def __init__(
        self,
        writer: LedgerWriter,
        frames: FrameStore,
        indexer: StepListener | None,
        now: Callable[[], datetime],
    ) -> None:
        self._writer = writer
        self._frames = frames
        self._indexer = indexer
        self._now = now
        self._waiting: list[FeedBatch | Fault] = []

    def batch(self, batch: FeedBatch) -> None:
        """Take a batch, to be on the disk before the next line is."""
        self._waiting.append(batch)

    def note_change(self, change: LayoutChanged, position: int) -> None:
        """Take a change of the site that the run goes on with, as the batches."""
        self._waiting.append(self._line_of(change, position, recovered=True))

    async def describe(self, jpeg: bytes, time_s: float, retakes: int) -> Frame:
        """Describe a picture without keeping it yet."""
        seen = await asyncio.to_thread(describe, jpeg)
        return Frame(
            sha256=hashlib.sha256(jpeg).hexdigest(),
            width=seen.width,
            height=seen.height,
            time_s=round(time_s, 3),
            phash=seen.phash,
            quality=seen.quality,
            retakes=retakes,
        )

    async def keep(self, jpeg: bytes) -> None:
        await asyncio.to_thread(self._frames.put, jpeg)

    async def open_step(self, opening: StepOpened) -> None:
        """Append what was judged and what is about to be done, before it is done."""
        await self._append(opening)

    async def read_frames(self, frames: Sequence[Frame]) -> tuple[bytes, ...]:
        read = self._frames.read
        return tuple([await asyncio.to_thread(read, frame.sha256) for frame in frames])

    async def step(self, step: Step, jpegs: tuple[bytes, ...]) -> None:
        """Append the step, after the frames that it names."""
        await self._append(step)
        if self._indexer is not None:
            self._indexer.add(step, jpegs)

    async def photograph(self, png: bytes, name: str) -> str:
        """Keep a picture for a person beside the ledger. Return where it lies."""
        path = self._writer.path.parent / "pictures" / name
        await asyncio.to_thread(write_whole, path, png)
        return str(path)

    async def fault(self, fault: RunFault, position: int, *, recovered: bool) -> None:
        await self._append(self._line_of(fault, position, recovered=recovered))

    def _line_of(self, fault: RunFault, position: int, *, recovered: bool) -> Fault:
        return Fault(
            at=self._now(),
            position=position,
            fault=type(fault).__name__,
            message=str(fault),
            recovered=recovered,
            details=fault.details,
        )

    async def _append(self, line: LedgerLine) -> None:
        """Append a line, after what came before it."""
        waiting, self._waiting = self._waiting, []
        for record in (*waiting, line):
            await asyncio.to_thread(self._writer.append, record)

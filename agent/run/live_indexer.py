"""Indexes a run's frames beside the loop. ``python -m store index`` makes up for what it misses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from store.encoders import Encoder
from store.errors import StoreError
from store.index.entries import entries
from store.index.search import Index
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import RunStarted, Step
from store.untrusted.size_limits import decode_picture

BATCH = 24
LATER = "python -m store index"

Vector = NDArray[np.float32]
VectorOf = Callable[[bytes], Vector | None]
"""The vector that a model computed of a frame anyway, if it did."""


class StepIndexer:
    """Takes steps at once and writes them from a thread of its own, in batches."""

    def __init__(
        self,
        run: RunStarted,
        data: DataFolder,
        load_encoder: Callable[[], Encoder],
        vector_of: VectorOf,
        url: str | None = None,
    ) -> None:
        self._run = run
        self._data = data
        self._load_encoder = load_encoder
        self._vector_of = vector_of
        self._url = url
        self._queue: SimpleQueue[tuple[Step, tuple[bytes, ...]] | None] = SimpleQueue()
        self.indexed = 0
        self.problem: str | None = None
        """Why nothing more is indexed by this run, if so."""
        self._thread = Thread(target=self._work, name="feedsway-index", daemon=True)
        self._thread.start()

    def add(self, step: Step, jpegs: tuple[bytes, ...]) -> None:
        """Return at once; after a problem the step waits in the ledger."""
        if self.problem is None:
            self._queue.put((step, jpegs))

    async def finish(self) -> None:
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        try:
            encoder = self._load_encoder()
            self._fill(Index.open(self._data, encoder, url=self._url, write=True), encoder)
        except StoreError as error:
            self.problem = str(error)
        except Exception as error:  # noqa: BLE001 - whatever a library raises, the run shall know
            self.problem = f"{type(error).__name__}: {error}. To do it later, type: {LATER}"

    def _fill(self, index: Index, encoder: Encoder) -> None:
        batch: list[tuple[Step, tuple[bytes, ...]]] = []
        while (taken := self._queue.get()) is not None:
            batch.append(taken)
            if len(batch) >= BATCH:
                self._write(index, encoder, batch)
                batch = []
        if batch:
            self._write(index, encoder, batch)

    def _write(
        self, index: Index, encoder: Encoder, batch: list[tuple[Step, tuple[bytes, ...]]]
    ) -> None:
        jpegs = [jpeg for _, taken in batch for jpeg in taken]
        vectors = [self._vector_of(jpeg) for jpeg in jpegs]
        lacking = [place for place, vector in enumerate(vectors) if vector is None]
        if lacking:
            images = [decode_picture(jpegs[place]) for place in lacking]
            for place, vector in zip(lacking, encoder.images(images), strict=True):
                vectors[place] = vector
        rows = entries(self._run, [step for step, _ in batch])
        index.add(rows, np.stack([vector for vector in vectors if vector is not None]))
        self.indexed += len(jpegs)

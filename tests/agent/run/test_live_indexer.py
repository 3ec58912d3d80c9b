"""Indexing beside a run: whatever breaks there is told, and the run goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agent.run.live_indexer import StepIndexer
from store.encoders import Encoder
from store.runs.data_folder import DataFolder
from tests.store.samples import jpeg, started, step


def test_a_fault_of_any_library_is_told(tmp_path: Path) -> None:
    def load() -> Encoder:
        raise RuntimeError("the weights are torn")

    indexer = StepIndexer(started("r1"), DataFolder(tmp_path), load, lambda _: None)
    for number in range(30):
        indexer.add(step(number), (jpeg("red", number),))
    asyncio.run(indexer.finish())
    assert indexer.indexed == 0
    assert indexer.problem == (
        "RuntimeError: the weights are torn. To do it later, type: python -m store index"
    )

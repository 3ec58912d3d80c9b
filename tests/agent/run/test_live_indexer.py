"""Indexing beside a run: whatever breaks there is told, and the run goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agent.run.live_indexer import StepIndexer
from store.encoders import Encoder
from store.index.search import Index
from store.runs.data_folder import DataFolder
from tests.chroma_server import serving
from tests.store.samples import ColourEncoder, frame, jpeg, started, step


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


def test_what_is_shown_goes_to_the_server_that_was_named(tmp_path: Path) -> None:
    data, encoder = DataFolder(tmp_path / "data"), ColourEncoder()
    (tmp_path / "server").mkdir()
    with serving(tmp_path / "server") as url:
        indexer = StepIndexer(started("r1"), data, lambda: encoder, lambda _: None, url)
        for number in range(30):
            picture = jpeg("red", number)
            indexer.add(step(number, frame(picture)), (picture,))
        asyncio.run(indexer.finish())
        assert (indexer.problem, indexer.indexed) == (None, 30)
        with Index.open(data, encoder, url) as index:
            assert index.count() == 30
    assert not data.index_dir.exists()

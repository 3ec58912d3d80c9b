"""Two whole runs that write to one Chroma server at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from store import encoders
from store.index import chroma
from store.index.build import rebuild
from store.index.embedded_folder import collection_name
from store.index.entries import entries
from store.runs.data_folder import DataFolder
from tests.chroma_server import serving
from tests.e2e.commands import LONG_S, feedsway, ledgers, start

Kept = dict[str, tuple[dict[str, Any], np.typing.NDArray[np.float32]]]


def kept(url: str, name: str) -> Kept:
    """Metadata and vector of everything in a collection, by id; no id is there twice."""
    server = chroma.connect(url)
    try:
        collection = chroma.find(server, name)
        assert collection is not None
        keys = chroma.ids(collection)
        assert len(keys) == len(set(keys)) == collection.count()
        found: Kept = {}
        for rows, vectors in chroma.rows(collection, keys):
            for (key, _, metadata, _), vector in zip(rows, vectors, strict=True):
                # which of two likenesses came first is told by the order of arrival
                told = {at: value for at, value in metadata.items() if at != "duplicate_of"}
                found[key] = (told, vector)
        return found
    finally:
        chroma.leave(server)


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / "server").mkdir()
    with serving(tmp_path / "server") as url:
        runs = [
            start(
                "run",
                "--persona",
                persona,
                "--data",
                str(data),
                "--index",
                url,
                "--json",
                "--motion",
                "instant",
                "--before",
                "18",
                "--after",
                "18",
                log=tmp_path / f"{persona}.log",
            )
            for persona in ("p12", "p05")
        ]
        for run in runs:
            assert run.wait(LONG_S) == 0
        wanted = {
            entry.id for ledger in ledgers(data) for entry in entries(ledger.started, ledger.steps)
        }
        assert len(ledgers(data)) == 2
        assert len(wanted) >= 72
        assert not (data / "index").exists()
        encoder = encoders.load("conse")
        name = collection_name(encoder.id, encoder.dim)
        beside = kept(url, name)
        assert set(beside) == wanted
        assert rebuild(DataFolder(data), encoder, url).present == len(wanted)
        anew = kept(url, name)
        assert set(anew) == wanted
        for key, (told, vector) in beside.items():
            assert anew[key][0] == told
            assert anew[key][1] == pytest.approx(vector, abs=1e-3)
        found = feedsway(
            "search", "a red car", "--index", url, "--data", str(data), package="store"
        )
        assert found.returncode == 0, found.stderr
        checked = feedsway("verify", "--index", url, "--data", str(data), package="store")
        assert checked.returncode == 0, checked.stdout

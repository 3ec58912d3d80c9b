"""Retrieval: frames without a caption are found as often as their pictures deserve."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from agent.evaluation import retrieval
from agent.evaluation.retrieval import RetrievalQuery, retrieve
from personas.values import BasicValue, ValueSet
from store.encoders import Vectors, unit
from store.frames.frame_store import FrameStore
from store.index import chroma
from store.index.build import update
from store.index.search import Index
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Video
from tests.store.samples import START, finished, frame, jpeg, started, step

FRAMES = 240


class NoisyEncoder:
    """Places each picture and each text at random, the same one always at the same place."""

    id = "test-noise"
    dim = 24
    stages = None

    def images(self, images: Sequence[Image.Image]) -> Vectors:
        return self._place([image.tobytes() for image in images])

    def texts(self, texts: Sequence[str]) -> Vectors:
        return self._place([text.encode() for text in texts])

    def _place(self, things: Sequence[bytes]) -> Vectors:
        seeds = [int.from_bytes(hashlib.sha256(thing).digest()[:4]) for thing in things]
        return unit(np.array([np.random.default_rng(s).normal(size=self.dim) for s in seeds]))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    """Every other video has a caption, and neither pictures nor captions mean anything."""
    data = DataFolder(tmp_path_factory.mktemp("data"))
    frames = FrameStore(data.frames_dir)
    with LedgerWriter(data.ledger_path("r"), fsync=False) as writer:
        writer.append(started("r"))
        for place in range(FRAMES):
            picture = jpeg("white", place)
            frames.put(picture, sync=False)
            caption = f"caption {place}" if place % 2 else None
            video = Video(id=f"v{place}", caption=caption)
            writer.append(step(place, frame(picture), video=video))
        writer.append(finished(FRAMES))
    update(data, NoisyEncoder())
    return data


def test_frames_without_a_caption_are_neither_put_back_nor_preferred(data: DataFolder) -> None:
    words = tuple(f"word {number}" for number in range(60))
    value = BasicValue(id="v", name="V", definition="d", keywords=words)
    values = ValueSet(id="s", values=(value,), sha256="0" * 64)
    encoder = NoisyEncoder()
    with Index.open(data, encoder) as index:
        found = retrieve(RetrievalQuery(values, per_keyword=5), index, encoder, START)
    hits = [hit for keyword in found.keywords for hit in keyword.found]
    assert len(hits) == 300
    bare = sum(hit.words is None for hit in hits)
    # a fair share is 150; five standard deviations of independent draws on each side
    assert 107 <= bare <= 193


def test_many_small_pages_find_what_one_large_one_finds(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = BasicValue(id="v", name="V", definition="d", keywords=("one", "two", "three"))
    values = ValueSet(id="s", values=(value,), sha256="0" * 64)
    encoder = NoisyEncoder()

    def found() -> list[tuple[str, float, float | None, float]]:
        with Index.open(data, encoder) as index:
            told = retrieve(RetrievalQuery(values, per_keyword=40), index, encoder, START)
        assert (told.frames, told.videos) == (FRAMES, FRAMES)
        hits = [hit for keyword in told.keywords for hit in keyword.found]
        return [(hit.entry, hit.similarity, hit.words, hit.match) for hit in hits]

    whole = found()
    monkeypatch.setattr(chroma, "_PAGE", 37)
    monkeypatch.setattr(retrieval, "_CAPTIONS", 16)
    parts = found()
    assert len(parts) == 120
    assert [hit[0] for hit in parts] == [hit[0] for hit in whole]
    for one, other in zip(parts, whole, strict=True):
        assert one[1:] == pytest.approx(other[1:], abs=1e-5)

"""open_clip for real, with weights saved on this disk: embed, index, search by text, rebuild."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from store import encoders
from store.cli.main import main
from store.encoders import Encoder
from store.encoders.base import PictureStages
from store.encoders.picture_loader import embed_ahead
from store.errors import EncoderFault
from store.frames.frame_store import FrameStore
from store.index.entries import Hit
from store.index.search import Index
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from tests.store.samples import keep_run
from tests.store.tiny_clip import save_tiny_clip

COLOURS = ["red", "green", "blue", "yellow", "purple", "orange"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"open_clip:tiny/{save_tiny_clip(tmp_path_factory.mktemp('clip'))}"


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path)
    keep_run(folder, "r1", COLOURS)
    return folder


def typed(data: DataFolder, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--data", str(data.root)])


def found(data: DataFolder, encoder: str) -> list[tuple[str, float]]:
    told = typed(data, "search", "a red thing", "--encoder", encoder, "-k", "6", "--json")
    assert told.exit_code == 0, told.output
    return [(hit["video"], round(hit["similarity"], 5)) for hit in json.loads(told.stdout)]


def test_indexed_searched_by_text_and_rebuilt_alike(data: DataFolder, clip: str) -> None:
    assert "6 frames added" in typed(data, "index", "--encoder", clip).stdout
    hits = found(data, clip)
    assert {video for video, _ in hits} == {f"r1-{number}" for number in range(6)}

    encoder = encoders.load(clip)
    with Index.open(data, encoder) as index:
        count, vectors = index.sample()
    assert (count, vectors.shape) == (6, (6, encoder.dim))
    exact = np.sort(vectors @ encoder.texts(["a red thing"])[0])[::-1]
    np.testing.assert_allclose([similar for _, similar in hits], exact, atol=1e-4)

    assert typed(data, "index", "--rebuild", "--encoder", clip).exit_code == 0
    assert found(data, clip) == hits


@pytest.mark.parametrize("name", ["clip", pytest.param("conse", marks=pytest.mark.drill)])
def test_processes_that_prepare_frames_change_no_vector(
    data: DataFolder, clip: str, name: str
) -> None:
    """What a GPU's default does: frames are read and prepared by other processes."""
    chosen = clip if name == "clip" else name
    encoder = encoders.load(chosen)
    keep_run(data, "long", COLOURS * 6)
    gone = FrameStore(data.frames_dir).path(
        read(data.ledger_path("long")).steps[9].frames[0].sha256
    )
    gone.write_bytes(b"changed")
    seen = []
    for words in ((), ("--workers", "2"), ("--rebuild", "--workers", "1")):
        if len(words) < 3:
            shutil.rmtree(data.index_dir, ignore_errors=True)
        told = typed(data, "index", "--encoder", chosen, *words, "--json")
        assert told.exit_code == 1
        report = json.loads(told.stdout)
        assert report["added"] == 41
        assert len(report["problems"]) == 1
        assert gone.name in report["problems"][0]
        with Index.open(data, encoder) as index:
            seen.append({hit.entry.id: hit.similarity for hit in _all(index, encoder)})
    assert len(seen[0]) == 41
    assert seen[0] == seen[1] == seen[2]


def _all(index: Index, encoder: Encoder) -> list[Hit]:
    return index.search(encoder.texts(["a red thing"])[0], 200, duplicates=True)


def test_a_lost_process_is_told_with_what_to_type() -> None:
    stages = PictureStages(lambda image: image, lambda stack: stack, batch=2, workers=1)
    with pytest.raises(EncoderFault, match=r"--workers 0$"):
        list(embed_ahead(stages, ["a", "b", "c"], lambda key: os._exit(9), 1))


def test_switching_encoders_never_mixes_vectors(data: DataFolder, clip: str) -> None:
    typed(data, "index", "--encoder", clip)
    before = found(data, clip)
    refused = typed(data, "search", "a red thing", "--encoder", "conse")
    assert refused.exit_code == 2
    assert "was made with another encoder" in refused.output

    assert "6 frames added" in typed(data, "index", "--encoder", "conse").stdout
    assert found(data, clip) == before
    dims = []
    for name in (clip, "conse"):
        encoder = encoders.load(name)
        with Index.open(data, encoder) as index:
            count, vectors = index.sample()
        assert count == 6
        assert vectors.shape[1] == encoder.dim
        dims.append(encoder.dim)
    assert len(set(dims)) == 2

"""The whole way with the real embedded encoder: pictures kept, indexed, found by what they show."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image
from skimage import data as pictures

from store.cli.main import main
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Video
from tests.store.samples import finished, frame, started, step

NAMES = ("chelsea", "coffee", "rocket", "page", "coins", "brick")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataFolder:
    data = DataFolder(tmp_path_factory.mktemp("data"))
    frames = FrameStore(data.frames_dir)
    with LedgerWriter(data.ledger_path("r1")) as writer:
        writer.append(started("r1"))
        for position, name in enumerate(NAMES):
            out = io.BytesIO()
            Image.fromarray(getattr(pictures, name)()).convert("RGB").save(out, "JPEG")
            frames.put(out.getvalue())
            video = Video(id=name)
            writer.append(step(position, frame(out.getvalue()), video=video))
        writer.append(finished(len(NAMES)))
    result = CliRunner().invoke(main, ["index", "--data", str(data.root)])
    assert result.stdout == f"{len(NAMES)} frames added; the index holds {len(NAMES)}.\n"
    return data


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a cat", "chelsea"),
        ("a cup of espresso", "coffee"),
        ("a spaceship launch", "rocket"),
    ],
)
def test_a_text_finds_what_a_picture_shows(data: DataFolder, text: str, name: str) -> None:
    result = CliRunner().invoke(main, ["search", text, "--json", "--data", str(data.root)])
    assert result.exit_code == 0, result.stderr
    hits = json.loads(result.stdout)
    assert len(hits) == 5
    assert hits[0]["video"] == name
    assert hits[0]["caption"] == "", "found by the picture, for there is no text"


def test_a_picture_finds_itself(data: DataFolder, tmp_path: Path) -> None:
    path = tmp_path / "crop.png"
    Image.fromarray(pictures.rocket()).crop((100, 0, 540, 427)).save(path)
    args = ["search", "--image", str(path), "-k", "1", "--json", "--data", str(data.root)]
    (hit,) = json.loads(CliRunner().invoke(main, args).stdout)
    assert hit["video"] == "rocket"


def test_a_rebuilt_index_finds_the_same(data: DataFolder) -> None:
    args = ["search", "a small animal", "--json", "--data", str(data.root)]
    before = json.loads(CliRunner().invoke(main, args).stdout)
    assert CliRunner().invoke(main, ["index", "--rebuild", "--data", str(data.root)]).exit_code == 0
    after = json.loads(CliRunner().invoke(main, args).stdout)
    assert [hit["id"] for hit in after] == [hit["id"] for hit in before]

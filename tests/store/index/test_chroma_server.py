"""A real Chroma server on loopback in place of the embedded index."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from store.errors import IndexMissing, IndexUnreachable
from store.index import chroma
from store.index.build import rebuild, update
from store.index.search import Index
from store.maintenance.stats import stats
from store.maintenance.verify import verify
from store.privacy.forget import forget
from store.privacy.forget_plan import Request
from store.runs.data_folder import DataFolder
from tests.chroma_server import serving
from tests.store.index.test_search import entry, vectors
from tests.store.samples import COLOURS, START, ColourEncoder, keep_run


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", COLOURS)
    return data


def test_a_server_serves_as_the_folder_does(data: DataFolder, url: str) -> None:
    encoder = ColourEncoder()
    with pytest.raises(IndexMissing):
        Index.open(data, encoder, url)
    assert update(data, encoder, url).present == 8
    assert not data.index_dir.exists()
    with Index.open(data, encoder, url) as index:
        before = index.search(encoder.texts(["red"])[0], 8)
        assert before[0].entry.caption == "a red thing"
        assert len(index.ids()) == 8
    report = rebuild(data, encoder, url)
    assert (report.added, report.present) == (8, 8)
    with Index.open(data, encoder, url) as index:
        assert index.search(encoder.texts(["red"])[0], 8) == before


def test_an_interrupted_rebuild_leaves_the_old_collection(data: DataFolder, url: str) -> None:
    class Interrupted(ColourEncoder):
        def images(self, images):  # type: ignore[no-untyped-def]
            raise KeyboardInterrupt

    update(data, ColourEncoder(), url)
    with pytest.raises(KeyboardInterrupt):
        rebuild(data, Interrupted(), url)
    with Index.open(data, ColourEncoder(), url) as index:
        assert index.count() == 8


@pytest.mark.drill
def test_several_write_at_once_and_lose_nothing(data: DataFolder, url: str) -> None:
    class Own(ColourEncoder):
        id = "test-shared"

    placed = vectors(200)

    def write(first: int) -> None:
        with Index.open(data, Own(), url, write=True) as index:
            for number in range(first, first + 50, 5):
                batch = range(number, number + 5)
                index.add([entry(each) for each in batch], placed[number : number + 5])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(0, 200, 50)))
    with Index.open(data, Own(), url) as index:
        assert index.ids() == {f"r1/{number}/0" for number in range(200)}
        for number in range(200):
            assert number in {hit.entry.position for hit in index.search(placed[number], 2)}


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "nonsense", "http://127.0.0.1:99999"])
def test_where_no_server_answers_the_address_is_named(data: DataFolder, address: str) -> None:
    with pytest.raises(IndexUnreachable, match=f"No Chroma server answers at {address}"):
        Index.open(data, ColourEncoder(), address)


def test_a_server_that_goes_silent_is_said(
    data: DataFolder, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chroma, "_SILENCE_S", 0.3)
    with Index.open(data, ColourEncoder(), url, write=True) as index:
        assert index.count() >= 0
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(IndexUnreachable, match="timed out"):
            Index.open(data, ColourEncoder(), f"http://127.0.0.1:{port}")


def test_what_is_forgotten_leaves_the_server_too(data: DataFolder, url: str) -> None:
    encoder = ColourEncoder()
    update(data, encoder, url)
    done = forget(data, Request(asked="video", value="r1-3", at=START, url=url))
    assert done.steps == 1
    assert done.vectors >= 1  # other encoders of this module may have put it in as well
    with Index.open(data, encoder, url) as index:
        assert "r1/3/0" not in index.ids()
        assert "r1/2/0" in index.ids()


def test_statistics_and_checks_look_at_the_server(data: DataFolder, url: str) -> None:
    class Own(ColourEncoder):
        id = "test-counted"

    update(data, Own(), url)
    report = verify(data, url=url)
    (name,) = (name for name in report.indexed if "test-counted" in name)
    assert report.sound
    assert report.indexed[name] == 8
    keep_run(data, "r2", COLOURS[:2])
    notes = [note for note in verify(data, url=url).notes if "test-counted" in note]
    assert "lacks 2 of 10 frames. Type: python -m store index --index http://" in notes[0]
    counted = stats(data, START, url=url).unique.embedded
    assert counted[name.removeprefix(f"{url}/")] == 8
    with pytest.raises(IndexUnreachable):
        verify(data, url="http://127.0.0.1:9")

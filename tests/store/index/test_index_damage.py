"""A damaged index: noticed in a child process, said in a sentence, and made anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from store.encoders import unit
from store.errors import IndexDamaged, IndexMissing
from store.index import chroma
from store.index.build import rebuild, update
from store.index.embedded_folder import IndexFolder, folders
from store.index.search import Index
from store.runs.data_folder import DataFolder
from tests.slow_cases import drills_but
from tests.store.index.test_search import entry
from tests.store.samples import COLOURS, ColourEncoder, keep_run

REPO = Path(__file__).parents[3]


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """A folder whose index has more vectors than Chroma holds back from the disk."""
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", [COLOURS[number % 8] for number in range(8)])
    update(data, ColourEncoder())
    index = Index.open(data, ColourEncoder(), write=True)
    placed = unit(np.random.default_rng(1).normal(size=(250, ColourEncoder.dim)))
    index.add([entry(number) for number in range(1000, 1250)], placed)
    return data


def only(data: DataFolder) -> IndexFolder:
    (folder,) = folders(data.index_dir)
    return folder


def garble(path: Path) -> None:
    path.write_bytes(
        bytes(np.random.default_rng(9).integers(0, 255, path.stat().st_size, np.uint8))
    )


def halve(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


@pytest.mark.parametrize("harm", [garble, halve, Path.unlink])
@pytest.mark.parametrize("pattern", drills_but(["*/*"], ["chroma.sqlite3", "*/*"]))
def test_damage_becomes_a_sentence_and_a_rebuild_mends_it(
    data: DataFolder, pattern: str, harm: Callable[[Path], None]
) -> None:
    before = Index.open(data, ColourEncoder()).search(ColourEncoder().texts(["red"])[0], 3)
    targets = list(only(data).path.glob(pattern))
    assert targets
    for path in targets:
        harm(path)
    with pytest.raises(
        (IndexDamaged, IndexMissing), match=r"Type: python -m store index"
    ) as caught:
        Index.open(data, ColourEncoder())
    assert str(caught.value).count("Type:") == 1
    report = rebuild(data, ColourEncoder())
    assert (report.present, report.problems) == (8, ())
    after = Index.open(data, ColourEncoder()).search(ColourEncoder().texts(["red"])[0], 3)
    assert after[0].entry == before[0].entry


def test_a_loader_that_crashes_takes_only_the_child_with_it(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import store.index.search

    folder = only(data)
    (folder.path / "changed").write_text("since the last user left")
    crash = f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})"
    module = (
        Path(store.index.search.__file__).read_text().replace("def probe", f"{crash}\ndef probe")
    )
    planted = data.root / "planted"
    for package in ("store", "store/index"):
        (planted / package).mkdir(parents=True)
        there = f"__path__.append({str(REPO / package)!r})"
        (planted / package / "__init__.py").write_text(there)
    (planted / "store" / "index" / "search.py").write_text(module)
    monkeypatch.setattr(sys, "path", [str(planted), *sys.path])
    with pytest.raises(IndexDamaged, match=f"ended by signal {int(signal.SIGSEGV)}"):
        Index.open(data, ColourEncoder())


def test_an_index_left_in_peace_is_not_tried_again(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a child was started")

    monkeypatch.setattr(subprocess, "run", never)
    assert Index.open(data, ColourEncoder()).count() == 258
    os.utime(next(only(data).path.glob("*.sqlite3")))
    with pytest.raises(AssertionError, match="a child was started"):
        Index.open(data, ColourEncoder())


def test_what_failed_to_open_once_opens_when_it_is_mended(tmp_path: Path) -> None:
    broken = tmp_path / "chroma.sqlite3"
    broken.write_bytes(b"no database" * 500)
    for _ in range(2):
        with pytest.raises(IndexDamaged), chroma.engine(tmp_path):
            pass
    broken.unlink()
    with chroma.engine(tmp_path) as client:
        assert chroma.make(client, "mended", "any").count() == 0


KILLED = """
import sys
from pathlib import Path
from store.index import chroma
from store.runs.data_folder import DataFolder
from store.index.search import Index
from tests.store.samples import ColourEncoder
from tests.store.index.test_search import entry, vectors
index = Index.open(DataFolder(Path(sys.argv[1])), ColourEncoder(), write=True)
first, placed = index.count(), vectors(5000)
for number in range(first, 5000, 40):
    index.add([entry(each) for each in range(number, number + 40)], placed[number : number + 40])
    print(number + 40, flush=True)
"""


def test_a_killed_writer_leaves_an_index_that_opens_or_says_so(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    for kills in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)],
            cwd=REPO,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        for _ in range(kills + 2):
            committed = int(writer.stdout.readline())
        writer.kill()
        writer.communicate()
        try:
            assert Index.open(data, ColourEncoder()).count() >= committed
        except IndexDamaged:
            keep_run(data, f"r{kills}", ["red"])
            assert rebuild(data, ColourEncoder()).present > 0

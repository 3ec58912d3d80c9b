"""From ledgers and frames to the index, again and again."""

from __future__ import annotations

from pathlib import Path

import pytest

from store.frames.frame_store import FrameStore
from store.index.build import rebuild, update
from store.index.entries import Filters, Hit
from store.index.search import Index
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter, read
from tests.store.samples import COLOURS, START, ColourEncoder, frame, jpeg, keep_run, step


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", COLOURS, platform="tiktok")
    keep_run(data, "r2", COLOURS[::-1], end=False, at=START.replace(day=2))
    return data


def top(data: DataFolder, text: str, duplicates: bool = False) -> list[Hit]:
    encoder = ColourEncoder()
    vector = encoder.texts([text])[0]
    return Index.open(data, encoder).search(vector, 10, duplicates=duplicates)


def test_what_the_ledgers_hold_is_indexed_once(data: DataFolder) -> None:
    encoder = ColourEncoder()
    told: list[tuple[int, int]] = []
    report = update(data, encoder, progress=lambda *args: told.append(args))
    assert (report.added, report.present, report.problems) == (16, 16, ())
    assert told == [(16, 16)]
    assert encoder.seen == 16
    again = update(data, encoder)
    assert (again.added, again.present, encoder.seen) == (0, 16, 16)
    keep_run(data, "r3", ["red"])
    assert update(data, encoder).added == 1
    assert encoder.seen == 17


@pytest.mark.parametrize("colour", ["red", "green", "blue", "yellow"])
def test_a_text_finds_the_pictures_that_fit(data: DataFolder, colour: str) -> None:
    update(data, ColourEncoder())
    hits = top(data, f"a {colour} thing")
    assert {hit.entry.caption for hit in hits[:2]} == {f"a {colour} thing"}
    assert hits[0].similarity > 0.9
    found = Index.open(data, ColourEncoder()).search(
        ColourEncoder().texts([colour])[0], 10, Filters(platform="tiktok")
    )
    assert {hit.entry.run for hit in found} == {"r1"}


@pytest.mark.parametrize("duplicates", [False, True])
def test_a_rebuilt_index_gives_the_same_top_10(data: DataFolder, duplicates: bool) -> None:
    for run in range(3, 9):  # many copies of few pictures, indexed run by run
        keep_run(data, f"r{run}", COLOURS, at=START.replace(day=run))
        update(data, ColourEncoder())
    before = {colour: top(data, colour, duplicates=duplicates) for colour in COLOURS[:6]}
    assert all(len(hits) == 10 for hits in before.values())
    report = rebuild(data, ColourEncoder())
    assert report.present == report.added == 64
    for colour, hits in before.items():
        after = top(data, colour, duplicates=duplicates)
        assert [hit.entry for hit in after] == [hit.entry for hit in hits]
        assert [hit.duplicate_of for hit in after] == [hit.duplicate_of for hit in hits]


def test_an_interrupted_update_goes_on_where_it_stopped(data: DataFolder) -> None:
    class Interrupted(ColourEncoder):
        def images(self, images):  # type: ignore[no-untyped-def]
            if self.seen:
                raise KeyboardInterrupt
            return super().images(images)

    keep_run(data, "long", COLOURS * 5)
    with pytest.raises(KeyboardInterrupt):
        update(data, Interrupted())
    assert Index.open(data, ColourEncoder()).count() == 32
    assert update(data, ColourEncoder()).added == 56 - 32


def test_an_interrupted_rebuild_leaves_the_old_index(data: DataFolder) -> None:
    class Interrupted(ColourEncoder):
        def images(self, images):  # type: ignore[no-untyped-def]
            raise KeyboardInterrupt

    update(data, ColourEncoder())
    before = top(data, "red")
    with pytest.raises(KeyboardInterrupt):
        rebuild(data, Interrupted())
    assert top(data, "red") == before
    assert rebuild(data, ColourEncoder()).present == 16


def test_what_cannot_be_read_is_named_and_the_rest_is_indexed(data: DataFolder) -> None:
    frames = FrameStore(data.frames_dir)
    shas = [done.frames[0].sha256 for done in read(data.ledger_path("r1")).steps]
    keep_run(data, "broken", ["red"], end=False)
    with data.ledger_path("broken").open("ab") as file:
        file.write(b'{"kind":"step"}\n')
    frames.path(shas[0]).unlink()
    frames.path(shas[1]).write_bytes(b"changed")
    no_picture = b"kept as it came, and yet no picture"
    named = frame(jpeg("red")).model_copy(update={"sha256": frames.put(no_picture)})
    with LedgerWriter(data.ledger_path("r2")) as writer:
        writer.append(step(8, named))
    report = update(data, ColourEncoder())
    assert report.added == report.present == 14
    assert len(report.problems) == 4
    assert {problem.partition(".jsonl:")[2][:1] or "frame" for problem in report.problems} == {
        "3",
        "frame",
    }


def test_a_run_without_frames_is_no_trouble(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    keep_run(data, "r1", [])
    assert update(data, ColourEncoder()).present == 0
    assert rebuild(data, ColourEncoder()).present == 0
    assert top(data, "red") == []

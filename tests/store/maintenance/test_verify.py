"""Verification finds each planted kind of damage, and nothing where there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from store.frames.frame_store import FrameStore
from store.index import search
from store.index.build import update
from store.index.search import Index, embedded
from store.jsonl.atomic import write_whole
from store.maintenance.verify import VerifyReport, verify
from store.privacy.derived_files import register, seal_derived
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter, read
from tests.store.index.test_search import entry, vectors
from tests.store.samples import ColourEncoder, finished, frame, jpeg, keep_run, started, step
from tests.store.sealed_lines import refit


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", ["red", "green", "blue"])
    keep_run(data, "r2", ["red", "orange"], end=False)
    update(data, ColourEncoder())
    return data


def sha256(data: DataFolder, position: int) -> str:
    return read(data.ledger_path("r1")).steps[position].frames[0].sha256


def edit(data: DataFolder, old: str, new: str, line: int = 2) -> None:
    path = data.ledger_path("r1")
    lines = path.read_text().split("\n")
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    path.write_text("\n".join(lines))
    refit(path)


def test_what_was_written_is_sound(data: DataFolder) -> None:
    told: list[tuple[int, int]] = []
    report = verify(data, lambda *args: told.append(args))
    assert report.sound
    assert (report.runs, report.steps, report.frames, report.orphans) == (2, 5, 4, 0)
    assert report.indexed == {"feedsway__test-colour__d4__cosine": 5}
    assert (report.notes, report.temporary) == ([], [])
    assert told == [(done, 4) for done in range(1, 5)]


def lose_frame(data: DataFolder) -> None:
    FrameStore(data.frames_dir).path(sha256(data, 0)).unlink()


def change_frame(data: DataFolder) -> None:
    path = FrameStore(data.frames_dir).path(sha256(data, 0))
    path.write_bytes(path.read_bytes() + b"x")


def swap_frames(data: DataFolder) -> None:
    frames = FrameStore(data.frames_dir)
    frames.path(sha256(data, 0)).write_bytes(frames.read(sha256(data, 1)))


def change_phash(data: DataFolder) -> None:
    phash = read(data.ledger_path("r1")).steps[0].frames[0].phash
    edit(data, phash, f"{int(phash, 16) ^ 0b111:016x}")


def change_size(data: DataFolder) -> None:
    edit(data, '"width":90', '"width":91')


def lose_a_step(data: DataFolder) -> None:
    path = data.ledger_path("r2")
    lines = path.read_text().split("\n")
    path.write_text("\n".join([lines[0], *lines[2:]]))
    refit(path)


def lose_the_last_step(data: DataFolder) -> None:
    path = data.ledger_path("r1")
    lines = path.read_text().split("\n")
    path.write_text("\n".join([*lines[:3], *lines[4:]]))
    refit(path)


def change_eligibility(data: DataFolder) -> None:
    edit(data, '"excluded":null', '"excluded":"ad"')


def double_a_step(data: DataFolder) -> None:
    with LedgerWriter(data.ledger_path("r2")) as writer:
        writer.append(step(1))


def break_a_line(data: DataFolder) -> None:
    edit(data, '"kind":"step"', '"kind":"stop"', line=3)


def move_the_ledger(data: DataFolder) -> None:
    data.run_dir("r2").rename(data.run_dir("r9"))


def add_a_stranger_s_vector(data: DataFolder) -> None:
    Index.open(data, ColourEncoder(), write=True).add([entry(77)], vectors(1))


def break_the_index(data: DataFolder) -> None:
    next(data.index_dir.glob("*/chroma.sqlite3")).write_bytes(b"no database" * 500)


@pytest.mark.parametrize(
    ("harm", "what", "fix"),
    [
        (lose_frame, "is missing or cannot be read", "Restore it from a copy; step r1/0"),
        (change_frame, "do not match its name", "Restore it from a copy; step r1/0"),
        (swap_frames, "do not match its name", "Restore it from a copy; step r1/0"),
        (change_phash, "describes another picture", "Restore the ledger"),
        (change_size, "describes another picture", "Restore the ledger"),
        (lose_a_step, "positions 0 to 0 are missing", "Restore the file"),
        (lose_the_last_step, "says 3 steps, 2 are there", "Restore the file"),
        (change_eligibility, "says 3 eligible steps, 2 are there", "Restore the file"),
        (double_a_step, "position 1 comes after 1", "Restore it from a copy"),
        (break_a_line, "ledger.jsonl:3 is damaged", "Restore it from a copy"),
        (move_the_ledger, "it is the ledger of run r2", "Rename the folder to r2"),
        (add_a_stranger_s_vector, "1 of 6 vectors belong to no frame", "store index --rebuild"),
        (break_the_index, "cannot be opened", "store index --rebuild"),
    ],
)
def test_each_kind_of_damage_is_found(
    data: DataFolder, harm: Callable[[DataFolder], None], what: str, fix: str
) -> None:
    harm(data)
    report = verify(data)
    assert not report.sound
    found = [problem for problem in report.problems if what in problem.what]
    assert len(found) >= 1, report.problems
    assert fix in found[0].fix


def noted(report: VerifyReport, text: str) -> bool:
    return report.sound and any(text in note for note in report.notes)


def test_what_is_not_wrong_is_a_note(data: DataFolder) -> None:
    with data.ledger_path("r2").open("ab") as file:
        file.write(b'{"kind":"st')
    assert noted(verify(data), "a torn last line of 11 bytes is left out")
    LedgerWriter(data.ledger_path("r3")).close()
    assert noted(verify(data), "nothing was committed")
    keep_run(data, "r4", ["red", "blue"])
    assert noted(verify(data), "lacks 2 of 7 frames. Type: python -m store index")
    assert verify(data).runs == 3


def test_an_index_that_cannot_be_opened_now_is_not_called_damaged(data: DataFolder) -> None:
    with embedded(data)[0].hold(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "PATIENCE_S", 0.1)
        assert noted(verify(data), "was not checked. The index is being written by process")


def test_orphans_are_counted_and_temporary_files_listed(data: DataFolder) -> None:
    frames = FrameStore(data.frames_dir)
    left = frames.path(frames.put(jpeg("white", 7))).with_name(".half.jpg.1.2.tmp")
    left.write_bytes(b"half")
    (data.index_dir / "feedsway__test-colour__d4__cosine.building").mkdir()
    report = verify(data)
    assert report.sound
    assert report.orphans == 1
    assert [Path(path).name for path in report.temporary] == [
        ".half.jpg.1.2.tmp",
        "feedsway__test-colour__d4__cosine.building",
    ]


def test_phash_may_differ_by_a_decoder_s_rounding(data: DataFolder) -> None:
    phash = read(data.ledger_path("r1")).steps[0].frames[0].phash
    edit(data, phash, f"{int(phash, 16) ^ 1:016x}")
    assert verify(data).sound


def test_every_naming_of_a_frame_is_checked(data: DataFolder) -> None:
    picture = frame(jpeg("red"))
    with LedgerWriter(data.ledger_path("r5")) as writer:
        writer.append(started("r5"))
        writer.append(step(0, picture, picture.model_copy(update={"phash": "0" * 16})))
        writer.append(finished(1))
    (problem,) = verify(data).problems
    assert problem.where.endswith("in step r5/0")


def test_a_ledger_that_cannot_be_read_takes_nothing_else_with_it(data: DataFolder) -> None:
    """Sheets and vectors of its frames were called strays, with the words that delete them."""
    update(data, ColourEncoder())
    sheet = data.root.parent / "sheet"
    register(data, sheet, "sheet", frames=[sha256(data, 0)])
    sheet.mkdir()
    path = data.ledger_path("r1")
    path.write_bytes(path.read_bytes().replace(b'"kind":"step"', b'"kimd":"step"', 1))
    report = verify(data)
    assert [problem.where for problem in report.problems] == [str(path)]
    assert report.orphans == 0
    assert any("1 ledger cannot be read" in note for note in report.notes)


def test_a_relative_folder_is_checked_like_any(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = data.run_dir("r1") / "report"
    register(data, report, "report", runs=["r1"])
    write_whole(report / "index.html", b"a page")
    seal_derived(data, report)
    whole = verify(data)
    monkeypatch.chdir(data.root.parent)
    assert verify(DataFolder(Path(data.root.name))) == whole
    (report / "index.html").write_bytes(b"a pagE")
    path = data.ledger_path("r2")
    path.write_bytes(path.read_bytes().replace(b"orange", b"orangE", 1))
    assert len(verify(DataFolder(Path(data.root.name))).problems) == len(verify(data).problems)

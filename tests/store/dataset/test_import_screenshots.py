"""Other people's screenshots: a folder and a CSV become a run that everything reads."""

from __future__ import annotations

import io
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from store.cli.main import main
from store.dataset.import_screenshots import Collection, bring_in
from store.errors import BadCaptions
from store.frames.frame_store import FrameStore
from store.index.build import update
from store.index.search import Index
from store.maintenance.verify import verify
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.untrusted.size_limits import MOST_TABLE_BYTES
from tests.store.dataset.test_export import with_comment
from tests.store.samples import ColourEncoder, jpeg
from tests.store.sealed_lines import refit
from tests.store.untrusted.test_size_limits import small_file_of_many_pixels

NOW = datetime(2025, 5, 1, tzinfo=UTC)
CSV = """\ufefffile,caption,author,hashtags,at,unknown
red.jpg,"a red boat, at sea",@sailor,#sea boat,2024-07-01T10:00:00+02:00,1
sub/green.png,a green hill,,,,2
turned.jpg,,,,2024-08-01,3
"""


@pytest.fixture
def given(tmp_path: Path) -> Collection:
    folder = tmp_path / "shots"
    (folder / "sub").mkdir(parents=True)
    (folder / "red.jpg").write_bytes(with_comment(jpeg("red"), "taken at home"))
    Image.new("RGBA", (90, 160), "green").save(folder / "sub" / "green.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(io.BytesIO(jpeg("blue"))).save(folder / "turned.jpg", exif=exif)
    captions = tmp_path / "captions.csv"
    captions.write_text(CSV, "utf-8")
    return Collection(folder, captions, "my shots", "CC BY 4.0", "0.1.0")


def test_pictures_become_steps(given: Collection, tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    done = bring_in(data, given, NOW)
    assert (done.run_id, done.added, done.present) == ("imported-my-shots", 3, 3)
    run = read(data.ledger_path(done.run_id))
    assert (run.status, run.started.platform) == ("complete", "imported")
    assert run.started.config == {"name": "my shots", "licence": "CC BY 4.0"}
    first, second, third = run.steps
    assert (first.video.caption, first.video.author) == ("a red boat, at sea", "@sailor")
    assert first.video.hashtags == ("sea", "boat")
    assert first.at == datetime(2024, 7, 1, 8, tzinfo=UTC)
    assert (second.video.id, second.video.caption, second.at) == (
        "sub/green.png",
        "a green hill",
        NOW,
    )
    assert third.at == datetime(2024, 8, 1, tzinfo=UTC)
    assert {step.judgement.missing for step in run.steps} == {"not_asked"}
    frames = FrameStore(data.frames_dir)
    kept = frames.read(first.frames[0].sha256)
    assert b"taken at home" not in kept
    original = Image.open(given.folder / "red.jpg")
    assert Image.open(io.BytesIO(kept)).tobytes() == original.tobytes()
    assert (third.frames[0].width, third.frames[0].height) == (160, 90)
    assert verify(data).sound


def test_search_runs_on_them(given: Collection, tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    bring_in(data, given, NOW)
    update(data, ColourEncoder())
    with Index.open(data, ColourEncoder()) as index:
        (best, *_) = index.search(ColourEncoder().texts(["red"])[0])
    told = (best.entry.caption, best.entry.platform)
    assert told == ("a red boat, at sea #sea #boat", "imported")


def test_it_is_kept_once_and_goes_on_where_it_was_cut_off(
    given: Collection, tmp_path: Path
) -> None:
    data = DataFolder(tmp_path / "data")

    def cut(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring_in(data, given, NOW, cut)
    assert bring_in(data, given, NOW.replace(day=2)).added == 1
    before = data.ledger_path("imported-my-shots").read_bytes()
    done = bring_in(data, given, NOW)
    assert (done.added, done.present) == (0, 3)
    assert data.ledger_path("imported-my-shots").read_bytes() == before
    assert verify(data).sound


@pytest.mark.parametrize("cut_at", [None, 2])
@pytest.mark.parametrize(
    ("old", "new"), [("boat,", "ship,"), ("2024-07-01T10", "2024-07-01T11"), (None, None)]
)
def test_what_has_changed_since_is_refused_and_named(
    given: Collection, tmp_path: Path, old: str | None, new: str, cut_at: int | None
) -> None:
    def cut(done: int, total: int) -> None:
        if done == cut_at:
            raise KeyboardInterrupt

    data = DataFolder(tmp_path / "data")
    with nullcontext() if cut_at is None else pytest.raises(KeyboardInterrupt):
        bring_in(data, given, NOW, cut)
    if old is None:
        (given.folder / "red.jpg").write_bytes(jpeg("yellow"))
    else:
        given.captions.write_text(CSV.replace(old, new), "utf-8")
    with pytest.raises(BadCaptions, match=r":2: red.jpg is not as.* pictures: add --name OTHER"):
        bring_in(data, given, NOW)
    other = replace(given, name="other")
    assert bring_in(data, other, NOW).added == 3
    kept = read(data.ledger_path(other.run_id)).steps[0].frames[0].sha256
    assert FrameStore(data.frames_dir).path(kept).is_file()


def test_a_run_whose_mark_did_not_know_the_pictures_goes_on(
    given: Collection, tmp_path: Path
) -> None:
    data = DataFolder(tmp_path / "data")
    bring_in(data, given, NOW)
    path = data.ledger_path("imported-my-shots")
    mark = read(path).started.config_hash
    path.write_text(path.read_text("utf-8").replace(mark, "a" * 64), "utf-8")
    refit(path)
    assert bring_in(data, given, NOW).present == 3
    given.captions.write_text(CSV.rsplit("turned", 1)[0], "utf-8")
    with pytest.raises(BadCaptions, match="holds other pictures: add --name OTHER"):
        bring_in(data, given, NOW)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "no column named file"),
        ("name\nred.jpg\n", 1, "no column named file"),
        ("file\n", 1, "it names no picture"),
        ("file\nred.jpg\nnone.jpg\n", 3, "there is no file none.jpg"),
        ("file,caption\n,x\n", 2, "there is no file"),
        ("file\n../out.png\n", 2, "leads out of"),
        ("file\nlink.png\n", 2, "leads out of"),
        ("file\n/etc/passwd\n", 2, "leads out of"),
        ("file\n.\n", 2, "leads out of"),
        ("file\nbomb.png\n", 2, "12000 x 12000 pixels"),
        ("file,at\nred.jpg,soon\n", 2, "soon is no date"),
        ("file\nred.jpg\nnote.txt\n", 3, "is no picture that can be read"),
        (b"file\n\xff\xfe\n", 1, "it is no CSV in UTF-8"),
    ],
)
def test_a_bad_table_is_named_by_its_line(
    given: Collection, tmp_path: Path, text: Any, line: int, said: str
) -> None:
    (given.folder / "note.txt").write_text("no picture")
    (given.folder / "bomb.png").write_bytes(small_file_of_many_pixels())
    Image.new("RGB", (9, 9)).save(given.folder.parent / "out.png")
    (given.folder / "link.png").symlink_to(given.folder.parent / "out.png")
    given.captions.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadCaptions, match=said) as caught:
        bring_in(DataFolder(tmp_path / "data"), given, NOW)
    assert f"captions.csv:{line}: " in str(caught.value)
    assert str(caught.value).endswith("Type: python -m store import FOLDER --captions CSV") or (
        "then type: python -m store import" in str(caught.value)
    )


@pytest.mark.parametrize("place", ["../out.png", "link.png", "/etc/passwd"])
def test_the_command_takes_no_picture_from_elsewhere(
    given: Collection, tmp_path: Path, place: str
) -> None:
    given.captions.write_text(f"file,caption\nred.jpg,mine\n{place},x\n", "utf-8")
    Image.new("RGB", (99, 99)).save(tmp_path / "out.png")
    (given.folder / "link.png").symlink_to(tmp_path / "out.png")
    words = ["import", str(given.folder), "--captions", str(given.captions)]
    done = CliRunner().invoke(main, [*words, "--data", str(tmp_path / "data")])
    assert done.exit_code == 2, done.output
    assert ":3: " in done.stderr
    assert not list((tmp_path / "data").rglob("*.jpg"))
    assert DataFolder(tmp_path / "data").runs() == []


def test_names_in_any_script_are_runs_of_their_own(given: Collection, tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    names = ("日本語", "한국어", "Café", "Caf", "../..")
    runs = {bring_in(data, replace(given, name=name), NOW).run_id for name in names}
    assert len(runs) == len(names)
    assert {read(data.ledger_path(run)).started.config["name"] for run in runs} == set(names)
    assert all(run.startswith("imported-") and not run.startswith("imported--") for run in runs)
    assert bring_in(data, replace(given, name="日本語"), NOW).added == 0


def test_a_table_beyond_the_limit_is_refused(given: Collection, tmp_path: Path) -> None:
    with given.captions.open("ab") as file:
        file.truncate(MOST_TABLE_BYTES + 1)  # takes no room on the disk
    with pytest.raises(BadCaptions, match="more than 1,073,741,824 bytes"):
        bring_in(DataFolder(tmp_path / "data"), given, NOW)

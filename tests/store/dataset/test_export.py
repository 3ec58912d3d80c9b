"""Exports: each loads in its own library, nothing tells a creator, and the manifest proves it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
import webdataset
from PIL import Image, ImageDraw, ImageFont
from skimage import data as pictures

from store.dataset import manifest
from store.dataset.card import NAME as CARD
from store.dataset.export import export
from store.dataset.formats import FORMATS
from store.dataset.pseudonyms import KnownPeople
from store.dataset.published_pictures import Blur, bare, faces, read_lines
from store.dataset.rows import FIELDS, By, RowChoice, gather
from store.errors import BadExport, NothingToExport
from store.frames.frame_store import FrameStore
from store.index.entries import Filters
from store.jsonl.file_seal import strip_seal
from store.privacy import derived_files
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter, read
from store.runs.ledger_lines import Judgement, Video
from tests.store.samples import COLOURS, START, finished, frame, jpeg, keep_run, started, step

ROOT = Path(__file__).parents[3]
HANDLE = "zanzibar.queen_7"
OTHER = "quietplumber"


def with_comment(picture: bytes, text: str) -> bytes:
    """A JPEG file with a comment, a place for EXIF, and something after its end."""
    exif = Image.Exif()
    exif[0x013B] = text  # artist
    image = Image.open(io.BytesIO(picture))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90, comment=text, exif=exif, progressive=True)
    return out.getvalue() + text.encode()


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """Four runs of other pictures each, one of which names creators wherever it can."""
    data = DataFolder(tmp_path / "data")
    for number, colours in enumerate((COLOURS[:3], COLOURS[3:5], COLOURS[5:7])):
        keep_run(data, f"r{number}", colours, platform="tiktok", at=START.replace(day=2 + number))
    frames = FrameStore(data.frames_dir)
    with LedgerWriter(data.ledger_path("named"), fsync=False) as writer:
        writer.append(started("named", platform="tiktok"))
        for position, author in enumerate((HANDLE, f"@{OTHER}", None)):
            picture = with_comment(jpeg("white", 50 + position), HANDLE)
            frames.put(picture, sync=False)
            video = Video(
                id=f"v-{HANDLE}-{position}",
                url=f"https://site.example/@{HANDLE}/video/{position}",
                author=author,
                caption=f"by @{HANDLE.upper()}, with @stranger.danger and {OTHER}, {HANDLE}! 🌊",
                hashtags=(HANDLE, "sea"),
                music_id=f"5-{HANDLE}",
                music_title=f"original sound - {HANDLE}",
                music_author=(HANDLE, "Stranger Danger", OTHER)[position],
                stickers=(f"follow {OTHER}!",),
                subtitled=True,
                subtitle_languages=("eng-US",),
                created_at=START,
                ad_authorised=False,
            )
            said = Judgement(
                answer="yes",
                p_yes=0.5,
                reason=f"I follow {HANDLE}.",
                reply=f"Yes, {OTHER}s!",
                description=f"A video of @{OTHER}",
                screen_text=f"{HANDLE.title()} . follow",
            )
            at = START.replace(second=10 * position, microsecond=1)  # as a clock tells it
            writer.append(step(position, frame(picture), video=video, judgement=said, at=at))
        writer.append(finished(3))
    return data


def all_bytes(folder: Path) -> bytes:
    """Everything in an export: names, files, what Parquet packs, and every picture's metadata."""
    found = []
    for path in sorted(folder.rglob("*")):
        found.append(path.name.encode())
        if path.is_file():
            found.append(path.read_bytes())
        if path.suffix == ".parquet":  # it packs its columns
            found.append(repr(pq.read_table(path).to_pylist()).encode())
    return b"\n".join(found).lower()


def load(folder: Path, tmp_path: Path) -> dict[str, list[dict[str, Any]]]:
    """Load an export with Hugging Face's library, offline."""
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    return {split: list(rows) for split, rows in loaded.items()}


@pytest.mark.parametrize("kind", FORMATS)
def test_no_handle_is_in_any_export(data: DataFolder, tmp_path: Path, kind: str) -> None:
    made = export(data, tmp_path / "out", kind, RowChoice())
    assert sum(made.splits.values()) == 10
    content = all_bytes(made.folder)
    for telling in (HANDLE, OTHER, "stranger", "site.example", f"v-{HANDLE}"):
        assert telling.encode() not in content, telling
    key = strip_seal(data.pseudonym_key.read_bytes())
    assert len(key) == 64
    assert key not in content
    assert data.pseudonym_key.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("split_by", ["runs", "videos"])
def test_the_card_tells_what_the_splits_share(
    data: DataFolder, tmp_path: Path, split_by: By
) -> None:
    made = export(data, tmp_path / "out", "jsonl", RowChoice(split_by=split_by))
    lines = (made.folder / CARD).read_text(encoding="utf-8").splitlines()
    first = lines.index("| shared with another split | train | validation | test |")
    found = {}
    for line in lines[first + 2 :]:
        if not line:
            break
        name, *counts = line.strip("| ").split(" | ")
        found[name] = [int(count) for count in counts]
    assert found["a near-duplicate"] == found["an equal look"] == [0, 0, 0]
    assert (sum(found["the same run"]) > 0) == (split_by == "videos")
    assert len(found) == 6


@pytest.mark.parametrize("kind", FORMATS)
def test_handles_stay_on_request_but_for_the_pictures(
    data: DataFolder, tmp_path: Path, kind: str
) -> None:
    made = export(data, tmp_path / "out", kind, RowChoice(keep_handles=True))
    assert HANDLE.encode() in all_bytes(made.folder)
    assert not data.pseudonym_key.exists()


@pytest.mark.parametrize("kind", FORMATS)
def test_it_loads_and_holds_what_is_kept(data: DataFolder, tmp_path: Path, kind: str) -> None:
    made = export(data, tmp_path / "out", kind, RowChoice(keep_handles=True))
    loaded = load(made.folder, tmp_path)
    assert {split: len(rows) for split, rows in loaded.items()} == made.splits
    assert set(made.splits) == {"train", "validation", "test"}
    frames = FrameStore(data.frames_dir)
    for split, rows in loaded.items():
        for row in rows:
            picture, told = (
                (row["jpg"], row["json"]) if kind == "webdataset" else (row["image"], row)
            )
            assert set(told) - {"image"} == set(FIELDS)
            run, position, number = told["id"].split("/")
            kept = read(data.ledger_path(run)).steps[int(position)]
            original = frames.read(kept.frames[int(number)].sha256)
            if kind == "jsonl":
                picture = Image.open(made.folder / picture)
                told["at"] = told["at"].isoformat()
            assert picture.tobytes() == Image.open(io.BytesIO(original)).tobytes()
            assert told["split"] == split
            assert told["caption"] == kept.video.caption
            assert told["hashtags"] == list(kept.video.hashtags)
            assert told["author"] == kept.video.author
            assert told["p_yes"] == kept.judgement.p_yes
            assert told["at"] == kept.at.isoformat()


def read_back(kind: str, folder: Path, split: str) -> list[tuple[dict[str, Any], bytes]]:
    """Rows and pictures' bytes of one split, each format by its own library."""
    if kind == "parquet":
        rows = [
            row
            for path in sorted(folder.glob(f"data/{split}-*.parquet"))
            for row in pq.read_table(path).to_pylist()
        ]
        return [(row, row.pop("image")["bytes"]) for row in rows]
    if kind == "jsonl":
        lines = (folder / f"{split}.jsonl").read_text("utf-8").splitlines()
        return [(row, (folder / row.pop("image")).read_bytes()) for row in map(json.loads, lines)]
    if kind == "datasets":
        loaded = datasets.load_dataset(str(folder), split=split, cache_dir=str(folder.parent / "c"))
        raw = loaded.cast_column("image", datasets.Image(decode=False))
        return [(row, Path(row.pop("image")["path"]).read_bytes()) for row in raw]
    # by a pipe: files that it opens itself it never closes
    tars = [f"pipe:cat {path}" for path in sorted(folder.glob(f"{split}-*.tar"))]
    samples = webdataset.WebDataset(tars, shardshuffle=False, empty_check=False)
    return [(json.loads(sample["json"]), sample["jpg"]) for sample in samples]


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_read_back_equals_the_rows(data: DataFolder, tmp_path: Path, kind: str) -> None:
    made = export(data, tmp_path / "out", kind, RowChoice())
    frames = FrameStore(data.frames_dir)
    wanted = {row["id"]: row for row in gather(data, RowChoice()).rows}
    for row in wanted.values():
        row["sha256"] = sha256(bare(frames.read(row["sha256"]))).hexdigest()
    found = {}
    for split, count in made.splits.items():
        back = read_back(kind, made.folder, split)
        assert len(back) == count
        for row, raw in back:
            assert sha256(raw).hexdigest() == row["sha256"]
            found[row["id"]] = row
    assert found == wanted
    assert manifest.check(made.folder) == []


def written(text: str, picture: Image.Image) -> bytes:
    """A picture of a phone's size with a line drawn into it, as a site does."""
    image = picture.resize((412, 732))
    draw = ImageDraw.Draw(image)
    draw.text(
        (20, 640),
        text,
        font=ImageFont.load_default(20),
        fill="white",
        stroke_width=1,
        stroke_fill="black",
    )
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


def words(picture: Image.Image) -> str:
    """Everything that the reader reads in a picture."""
    return " ".join(text for _, text in read_lines(np.asarray(picture))).lower()


def test_faces_and_handles_are_blurred_on_request(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    frames = FrameStore(data.frames_dir)
    coffee, astronaut = (Image.fromarray(each()) for each in (pictures.coffee, pictures.astronaut))
    shown = (written("fresh coffee", coffee), written("by zanzibar queen_7", astronaut))
    with LedgerWriter(data.ledger_path("r"), fsync=False) as writer:
        writer.append(started("r"))
        for position, jpeg_ in enumerate(shown):
            frames.put(jpeg_, sync=False)
            video = Video(id=f"v{position}", author=HANDLE)
            writer.append(step(position, frame(jpeg_), video=video))
        writer.append(finished(2))
    made = export(data, tmp_path / "out", "jsonl", RowChoice(blur=True))
    exported = [each for split in made.splits for each in read_back("jsonl", made.folder, split)]
    rows = {row["position"]: Image.open(io.BytesIO(raw)).convert("RGB") for row, raw in exported}
    before = Image.open(io.BytesIO(shown[1]))
    assert "zanzibar" in words(before)
    assert "zanzi" not in words(rows[1])
    assert "queen" not in words(rows[1])
    assert rows[0].tobytes() == Image.open(io.BytesIO(shown[0])).tobytes()
    assert faces(np.asarray(before)) != []
    assert faces(np.asarray(rows[1])) == []
    told = (made.folder / CARD).read_text("utf-8")
    assert "1 faces and 1 lines that look like handles were found in 1 of 2 pictures" in told


@pytest.mark.parametrize(
    ("line", "tells"),
    [
        (f"@{HANDLE}", True),
        ("zanzibarqueen7 . follow", True),
        ("by Zanzibar Queen", True),
        ("with @stranger", True),
        ("fresh coffee at 7", False),
        ("me @ home", True),  # a miss costs more than a blur
    ],
)
def test_which_lines_look_like_handles(line: str, tells: bool) -> None:
    assert Blur(KnownPeople({HANDLE})).tells(line) is tells


def test_the_same_creator_has_one_pseudonym_everywhere(data: DataFolder, tmp_path: Path) -> None:
    export(data, tmp_path / "a", "jsonl", RowChoice())
    export(data, tmp_path / "b", "jsonl", RowChoice())
    lines = [
        json.loads(line)
        for path in sorted((tmp_path / "a").glob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]
    assert [path.read_bytes() for path in sorted((tmp_path / "a").glob("*.jsonl"))] == [
        path.read_bytes() for path in sorted((tmp_path / "b").glob("*.jsonl"))
    ]
    named = sorted((row for row in lines if row["run"] == "named"), key=lambda row: row["id"])
    creator, other = named[0]["author"], named[1]["author"]
    assert creator.startswith("creator-")
    assert creator != other
    assert named[0]["caption"].startswith(f"by @{creator}, with @creator-")
    assert named[0]["caption"].endswith(f"and {other}, {creator}! 🌊")
    assert named[0]["hashtags"] == [creator, "sea"]
    assert named[1]["reply"] == f"Yes, {other}s!"
    assert len({row["video"] for row in named}) == 3
    assert all(row["url"] is None for row in lines)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_manifest_tells_what_was_changed(data: DataFolder, tmp_path: Path, kind: str) -> None:
    folder = export(data, tmp_path / "out", kind, RowChoice()).folder
    assert manifest.check(folder) == []
    assert not (folder / manifest.UNFINISHED).exists()
    victims = sorted(path for path in folder.rglob("*") if path.is_file())
    changed = next(path for path in victims if path.name not in (manifest.NAME, CARD))
    changed.write_bytes(changed.read_bytes()[:-1] + b"!")
    (folder / CARD).unlink()
    (folder / "more.txt").write_text("more")
    assert manifest.check(folder) == [
        f"{CARD} is missing",
        "more.txt is not in the manifest",
        f"{changed.relative_to(folder).as_posix()} was changed",
    ]


def test_an_export_that_was_cut_off_leaves_nothing(data: DataFolder, tmp_path: Path) -> None:
    def cut(done: int, total: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(data, tmp_path / "out", "jsonl", RowChoice(), cut)
    assert list(tmp_path.glob("*out*")) == []
    assert [entry for entry in derived_files.entries(data) if entry.is_there(data)] == []


KILLED = """
import os, sys
from pathlib import Path
from store.privacy import derived_files as derived
from store.runs.data_folder import DataFolder
from store.dataset.export import export
from store.dataset.rows import RowChoice
end = lambda done, _: os._exit(9) if done == 6 else None
export(DataFolder(Path(sys.argv[1])), Path(sys.argv[2]), "jsonl", RowChoice(), end)
"""


def test_a_killed_export_is_repeated_and_known_to_forgetting(
    data: DataFolder, tmp_path: Path
) -> None:
    """Nothing is under the final name, and what is beside it is entered until it is cleared."""
    folder, beside = tmp_path / "out", tmp_path / ".out.exporting"
    command = [sys.executable, "-c", KILLED, str(data.root), str(folder)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 9
    assert not folder.exists()
    assert "not finished" in (beside / manifest.UNFINISHED).read_text()
    there = [entry.place(data) for entry in derived_files.entries(data) if entry.is_there(data)]
    assert there == [beside]
    with pytest.raises(BadExport, match=r"is no finished export.*Type: python -m store export"):
        manifest.check(beside)
    assert manifest.check(export(data, folder, "jsonl", RowChoice()).folder) == []
    assert list(tmp_path.glob(".*")) == []
    assert [entry.place(data) for entry in derived_files.entries(data)] == [folder]


def test_nothing_is_written_over(data: DataFolder, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("mine")
    with pytest.raises(BadExport, match="not empty"):
        export(data, tmp_path / "full", "parquet", RowChoice())
    with pytest.raises(BadExport, match="in the data folder"):
        export(data, data.root / "exported", "parquet", RowChoice())


def test_filters(data: DataFolder, tmp_path: Path) -> None:
    def ids(choice: RowChoice, name: str) -> set[str]:
        folder = export(data, tmp_path / name, "jsonl", choice).folder
        lines = [path.read_text("utf-8").splitlines() for path in folder.glob("*.jsonl")]
        return {json.loads(line)["id"] for some in lines for line in some}

    assert ids(RowChoice(Filters(run="r1", answer="no")), "a") == {"r1/1/0"}
    late = {"named/1/0", "named/2/0", "r0/1/0", "r0/2/0", "r1/1/0", "r2/1/0"}
    assert ids(RowChoice(since=START.replace(second=10)), "b") == late
    early = {"named/0/0", "r0/0/0", "r1/0/0", "r2/0/0"}
    assert ids(RowChoice(until=START.replace(second=10)), "c") == early
    with pytest.raises(NothingToExport):
        export(data, tmp_path / "d", "jsonl", RowChoice(Filters(platform="nowhere")))
    assert not (tmp_path / "d").exists()


def test_what_cannot_be_read_is_left_out_and_named(data: DataFolder, tmp_path: Path) -> None:
    frames = FrameStore(data.frames_dir)
    steps = read(data.ledger_path("r0")).steps
    frames.path(steps[0].frames[0].sha256).unlink()
    frames.path(steps[1].frames[0].sha256).write_bytes(b"other")
    with LedgerWriter(data.ledger_path("r2")) as writer:
        writer.append(started("r2"))
    made = export(data, tmp_path / "out", "parquet", RowChoice())
    assert sum(made.splits.values()) == 6
    assert len(made.problems) == 3
    assert "3 ledgers or frames could not be read" in (made.folder / CARD).read_text("utf-8")


def test_the_card_counts_and_hashes(data: DataFolder, tmp_path: Path) -> None:
    made = export(data, tmp_path / "out", "parquet", RowChoice())
    told = (made.folder / CARD).read_text("utf-8")
    assert "10 screenshots of 10 videos, 10 of them unique" in told
    assert "| tiktok | 10 |" in told
    assert "| 2025-03 | 10 |" in told
    assert "| p12 | 10 |" in told
    assert "3 screenshots have hashtags, 2 different ones" in told
    assert "| sea | 3 |" in told
    for path in made.folder.glob("data/*.parquet"):
        assert f"| `data/{path.name}` | `{manifest.digest(path)}` |" in told
    assert "Clear the rights" in told
    assert "metadata are removed" in told


def test_tars_are_in_the_order_that_webdataset_reads(data: DataFolder, tmp_path: Path) -> None:
    made = export(data, tmp_path / "out", "webdataset", RowChoice())
    with tarfile.open(made.folder / "train-000000.tar") as tar:
        names = tar.getnames()
        assert all(member.mtime == 0 for member in tar.getmembers())
    assert names[:2] == ["train-00000000.jpg", "train-00000000.json"]
    assert Counter(name.rpartition(".")[2] for name in names) == {
        "jpg": made.splits["train"],
        "json": made.splits["train"],
    }

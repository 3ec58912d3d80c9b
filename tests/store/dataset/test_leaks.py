"""No name of a creator or a video is in any export, however it is spelled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from store.dataset import export as exporting
from store.dataset import manifest
from store.dataset.export import export
from store.dataset.formats import FORMATS
from store.dataset.import_screenshots import Collection, bring_in
from store.dataset.rows import RowChoice
from store.errors import LeakingExport
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Judgement, Video
from tests.store.dataset.test_export import all_bytes, read_back
from tests.store.samples import COLOURS, START, finished, frame, jpeg, keep_run, started, step

JANE, JANES = "jane.doe_92", "7312345678901234567"
TELLING = ("janedoe", "jane.doe", "doe_92", JANES, "unknown.one", "smith", "quietplumber")


@pytest.fixture
def leaky(tmp_path: Path) -> DataFolder:
    """A run whose texts spell creators and videos otherwise; another's imported pictures."""
    data = DataFolder(tmp_path / "data")
    frames = FrameStore(data.frames_dir)
    text = (
        f"#JaneDoe92 with \uff20unknown.one and @jane.smith, see https://www.tiktok.com/@{JANE}/"
        f"video/{JANES}?x=1 or {JANES}; \uff2aane Doe 92 knows quiet\u200bplumber"
    )
    said = Judgement(
        answer="yes", reason=text, reply=text, description=text, screen_text="by JANE-DOE-92"
    )
    with LedgerWriter(data.ledger_path("r"), fsync=False) as writer:
        writer.append(started("r", platform="tiktok", model="openai/jane", config={"licence": "x"}))
        for position, author in enumerate((JANE, "jane", None)):
            picture = jpeg("white", 50 + position)
            frames.put(picture, sync=False)
            video = Video(
                id=JANES if author == JANE else f"v{position}",
                author=author,
                caption=text,
                hashtags=("JaneDoe92", "sea"),
            )
            writer.append(step(position, frame(picture), video=video, judgement=said))
        writer.append(finished(3))
    other = step(0, frame(jpeg("red")), video=Video(id="x", author="quietplumber"))
    with LedgerWriter(data.ledger_path("other"), fsync=False) as writer:
        writer.append(started("other", platform="tiktok"))
        writer.append(other)
    shots = tmp_path / "shots"
    (shots / JANE).mkdir(parents=True)
    (shots / JANE / "1.jpg").write_bytes(jpeg("green"))
    (tmp_path / "c.csv").write_text(f"file,caption,author\n{JANE}/1.jpg,by me,{JANE}\n")
    given = Collection(shots, tmp_path / "c.csv", f"{JANE} shots", f"by {JANE}", "0.1.0")
    bring_in(data, given, START)
    return data


@pytest.mark.parametrize("kind", FORMATS)
def test_however_a_creator_is_spelled_no_export_tells(
    leaky: DataFolder, tmp_path: Path, kind: str
) -> None:
    made = export(leaky, tmp_path / "out", kind, RowChoice())
    folder = made.folder
    content = all_bytes(folder) + b" ".join(
        path.relative_to(folder).as_posix().encode().lower() for path in folder.rglob("*")
    )
    assert [telling for telling in TELLING if telling.encode() in content] == []
    assert manifest.check(folder) == []
    back = [row for split in made.splits for row, _ in read_back(kind, folder, split)]
    first, second = (next(r for r in back if r["id"] == f"r/{n}/0") for n in (0, 1))
    assert first["hashtags"] == [first["author"], "sea"]
    assert second["author"] not in first["caption"], "half a handle is no name"
    assert first["video"] in first["caption"]
    assert first["caption"].count(first["author"]) == 2
    imported = next(row for row in back if row["platform"] == "imported")
    assert imported["author"] == first["author"]
    assert imported["id"].startswith(imported["run"] + "/")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("where", ["row", "card", "file"])
def test_a_leak_is_found_before_the_manifest(
    leaky: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, where: str
) -> None:
    """Whatever is forgotten by the code that writes, the bytes are searched."""
    folder = tmp_path / "out"
    real = FORMATS[kind]

    def careless(to: Path, split: str, items: Any) -> None:
        if where == "row":
            items = [(row | {"reason": "seen at jane\u200bdoe92's"}, raw) for row, raw in items]
        real(to, split, items)
        if where == "file":
            (to / f"{split}-{JANE}.jpg").write_bytes(jpeg("red"))

    monkeypatch.setitem(FORMATS, kind, careless)
    if where == "card":
        monkeypatch.setattr(exporting, "card", lambda *_: f"# Frames\n\nThanks to {JANES}!\n")
    with pytest.raises(LeakingExport, match=r"nothing of it is left.*type: python -m store export"):
        export(leaky, folder, kind, RowChoice())
    assert list(folder.parent.glob(f"*{folder.name}*")) == []


def test_words_of_our_own_are_no_leak(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r", COLOURS[:2], platform="tiktok", model="openai/gpt")
    frames = FrameStore(data.frames_dir)
    with LedgerWriter(data.ledger_path("s"), fsync=False) as writer:
        writer.append(started("s", platform="tiktok"))
        for position, author in enumerate(("tiktok", "openai", "caption", "screenshots", "runs")):
            picture = jpeg("white", position)
            frames.put(picture, sync=False)
            video = Video(id=f"s{position}", author=author, caption=f"from {author} with love")
            writer.append(step(position, frame(picture), video=video))
    folder = export(data, tmp_path / "out", "jsonl", RowChoice()).folder
    rows = [
        json.loads(line)
        for path in folder.glob("*.jsonl")
        for line in path.read_text("utf-8").splitlines()
    ]
    own = [row for row in rows if row["run"] == "s"]
    assert [row["caption"] for row in own] == [f"from {row['author']} with love" for row in own]

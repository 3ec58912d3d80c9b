"""No name or hash in a stranger's record leads out of its folder, whatever is done with it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pydantic import TypeAdapter, ValidationError

from store.cli.main import main
from store.errors import BadName, DamagedLedger, OutsideFolder, StoreError
from store.frames.frame_store import FrameStore
from store.jsonl.atomic import write_whole
from store.jsonl.paths import PathName, path_within, remove_within
from store.privacy import derived_files
from store.results import value_spectrum
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.runs.ledger_lines import RunStarted
from tests.store.samples import COLOURS, START, keep_run
from tests.store.sealed_lines import refit

HOSTILE = (
    "../../outside",
    "/outside",
    "..",
    ".",
    "",
    "a/../../outside",
    "a\\b",
    ".hidden",
    "a\x00b",
    "a\nb",
    "a\x1b[2Jb",
    "\u202egpj.exe",
    "\ud800",
    "x" * 201,
)
NAMES: TypeAdapter[str] = TypeAdapter(PathName)


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """A run of a study, beside files that are not feedsway's."""
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", COLOURS[:3], config={"study": "s1"})
    write_whole(data.study_dir("s1") / "logs" / "cell.log", b"a red thing")
    for name in ("outside/logs/mine.txt", "outside/report/mine.txt", "outside/mine.jpg"):
        write_whole(tmp_path / name, b"mine")
    return data


def typed(data: DataFolder, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--data", str(data.root)])


def foreign(data: DataFolder) -> dict[Path, bytes]:
    """What lies beside the data folder."""
    beside = data.root.parent
    return {
        path: path.read_bytes()
        for path in beside.rglob("*")
        if path.is_file() and not path.is_relative_to(data.root)
    }


def rewrite(path: Path, number: int, change: Callable[[dict[str, Any]], None]) -> None:
    """Change one line of a ledger, as a stranger could."""
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    change(lines[number])
    path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    refit(path)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_none(data: DataFolder, name: str) -> None:
    with pytest.raises(ValidationError):
        NAMES.validate_python(name)
    for place in (data.run_dir, data.ledger_path, data.study_dir, FrameStore(data.frames_dir).path):
        with pytest.raises(BadName):
            place(name)


@pytest.mark.parametrize(
    "name",
    ["20260301-120000-p12-tiktok-a1b2", "imported-my_set", "r1 (copy)", "slot001-yoked-r1", "日本"],
)
def test_a_good_name_stays_one(data: DataFolder, name: str) -> None:
    assert NAMES.validate_python(name) == name
    assert data.run_dir(name).parent == data.runs_dir


def _set(*keys: str | int, value: object) -> Callable[[dict[str, Any]], None]:
    def change(line: Any) -> None:
        *way, last = keys
        for key in way:
            line = line[key]
        line[last] = value

    return change


OUT = "../../../outside"


@pytest.mark.parametrize(
    ("number", "change", "field"),
    [
        (0, _set("run_id", value=OUT), "run_id"),
        (0, _set("account", value=OUT), "account"),
        (0, _set("platform", value=OUT), "platform"),
        (0, _set("config", "study", value=OUT), "config"),
        (0, _set("config", "study", value=["x"]), "config"),
        (1, _set("frames", 0, "sha256", value="xx/../../../outside/mine"), "sha256"),
        (1, _set("frames", 0, "sha256", value="A" * 64), "sha256"),
        (1, _set("frames", 0, "phash", value="no hash"), "phash"),
    ],
)
def test_a_ledger_with_a_hostile_name_is_refused_with_its_own(
    data: DataFolder, number: int, change: Callable[[dict[str, Any]], None], field: str
) -> None:
    path = data.ledger_path("r1")
    rewrite(path, number, change)
    before = foreign(data)
    with pytest.raises(DamagedLedger, match=field) as told:
        read(path)
    assert (told.value.path, told.value.line) == (path, number + 1)
    for words in (["forget", "--video", "r1-1", "--yes"], ["verify"], ["show", "r1"], ["runs"]):
        done = typed(data, *words)
        assert done.exception is None or isinstance(done.exception, SystemExit), words
        assert "Traceback" not in done.output
    assert foreign(data) == before


def test_forget_leaves_a_study_of_elsewhere_alone(data: DataFolder) -> None:
    """As it did not: logs of the study that a ledger names are deleted with its videos."""
    before = foreign(data)
    rewrite(data.ledger_path("r1"), 0, _set("config", "study", value="../../outside"))
    assert typed(data, "forget", "--video", "r1-1", "--yes").exit_code != 0
    assert foreign(data) == before
    rewrite(data.ledger_path("r1"), 0, _set("config", "study", value="s1"))
    assert typed(data, "forget", "--video", "r1-1", "--yes").exit_code == 0
    assert foreign(data) == before
    assert not (data.study_dir("s1") / "logs").exists()


@pytest.mark.parametrize(
    "place", ["runs/r1", "runs/r1/pictures", "runs/r1/report", "studies/s1/logs", "pairs/a.jsonl"]
)
def test_forget_follows_no_link(data: DataFolder, tmp_path: Path, place: str) -> None:
    """As a folder that was copied from a stranger by hand could hold one."""
    link, there = data.root / place, tmp_path / "outside" / "there"
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.exists():
        shutil.move(link, there)
    elif not link.suffix:
        write_whole(there / "000001-wall.png", b"mine")
    else:
        write_whole(there, b'{"kind": "pair", "frame": "f"}\n{"torn')
    link.symlink_to(there)
    before = foreign(data)
    assert typed(data, "forget", "--video", "r1-1", "--yes").exit_code == 2
    assert foreign(data) == before


def test_a_linked_run_is_not_read_and_a_hidden_folder_is_none(
    data: DataFolder, tmp_path: Path
) -> None:
    """So that whatever lists runs can also make their paths again."""
    shutil.copytree(data.run_dir("r1"), data.runs_dir / ".stversions")
    shutil.copytree(data.run_dir("r1"), tmp_path / "outside" / "r2")
    (data.runs_dir / "r2").symlink_to(tmp_path / "outside" / "r2")
    (data.runs_dir / "r3").symlink_to(data.run_dir("r1"))
    assert [data.ledger_path(run.run_id) for run in data.runs()] == data.ledgers()
    assert [path.parent.name for path in data.ledgers()] == ["r1", "r3"]
    told = typed(data, "verify")
    assert "it is not read" in told.output


def test_a_top_folder_may_lie_on_another_disk(data: DataFolder, tmp_path: Path) -> None:
    for folder in (data.frames_dir, data.studies_dir):
        shutil.move(folder, tmp_path / "disk" / folder.name)
        folder.symlink_to(tmp_path / "disk" / folder.name)
    assert typed(data, "forget", "--video", "r1-1", "--yes").exit_code == 0
    assert typed(data, "verify").exit_code == 0
    assert len(list(FrameStore(data.frames_dir).all())) == 2


@pytest.mark.parametrize("name", ["ledger.jsonl", "judgements", "pictures", "judgements/m.jsonl"])
def test_no_entry_has_a_run_s_own_files_deleted(data: DataFolder, name: str) -> None:
    kept = data.run_dir("r1") / name
    if not kept.exists():
        write_whole(kept / "x" if not kept.suffix else kept, b"x")
    entry = derived_files.DerivedEntry(path=f"runs/r1/{name}", kind="report", at=datetime.now(UTC))
    derived_files.remove(data, entry)
    assert kept.exists()


def test_a_spectrum_of_a_hostile_name_is_removed_and_written_nowhere(data: DataFolder) -> None:
    told: dict[str, Any] = {
        "at": START.isoformat(),
        "set_id": OUT,
        "sha256": "0" * 64,
        "encoder": "e",
        "platform": None,
        "per_keyword": 1,
        "by": "both",
        "frames": 1,
        "unique": 1,
        "videos": 1,
        "values": [],
        "keywords": [],
    }
    path = data.spectra_dir / "x" / "retrieval.json"
    write_whole(path, json.dumps(told).encode())
    with pytest.raises(StoreError):
        value_spectrum.read_retrieval(path)
    before = foreign(data)
    assert typed(data, "forget", "--video", "r1-1", "--yes").exit_code == 0
    assert not path.exists()
    assert foreign(data) == before


def test_what_lies_within(tmp_path: Path) -> None:
    inside = tmp_path / "home" / "a"
    write_whole(inside / "f", b"x")
    write_whole(tmp_path / "outside", b"mine")
    (inside / "link").symlink_to(tmp_path / "outside")
    home = tmp_path / "home"
    assert path_within(home, inside / "f") == inside / "f"
    for path in (home, home / "..", tmp_path / "outside", inside / "link", home / "a\0"):
        with pytest.raises(OutsideFolder):
            remove_within(home, path)
    assert (tmp_path / "outside").read_bytes() == b"mine"
    remove_within(home, inside / "missing")
    remove_within(home, inside / "f")
    assert not (inside / "f").exists()


def test_an_old_ledger_with_good_names_still_reads(data: DataFolder) -> None:
    rewrite(data.ledger_path("r1"), 0, _set("schema", value=1))
    started = read(data.ledger_path("r1")).started
    assert isinstance(started, RunStarted)
    assert (started.schema_, started.study) == (1, "s1")

"""The data folder: where things lie, which run a person means, whether it can be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from store.errors import DataUnwritable, RunNotFound
from store.runs.data_folder import DataFolder
from tests.store.samples import START, keep_run


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path / "data")
    for run_id in ("20250301-p12-aa", "20250301-p12-bb", "20250302-p03-cc"):
        keep_run(data, run_id, ["red"])
    return data


def test_the_layout_is_the_documented_one(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    assert data.ledger_path("r1") == tmp_path / "runs" / "r1" / "ledger.jsonl"
    assert data.run_dir("r1") == data.runs_dir / "r1"
    assert data.frames_dir == tmp_path / "frames"
    assert data.index_dir == tmp_path / "index"
    assert data.studies_dir == tmp_path / "studies"
    assert data.profiles_dir == tmp_path / "profiles"
    assert data.runs() == []


@pytest.mark.parametrize("text", ["20250302-p03-cc", "20250302"])
def test_a_run_is_found_by_its_id_or_its_beginning(data: DataFolder, text: str) -> None:
    assert data.find_run(text) == data.ledger_path("20250302-p03-cc")


def test_the_latest_run_is_the_one_that_was_started_last(data: DataFolder, tmp_path: Path) -> None:
    keep_run(data, "0-late", ["red"], at=START.replace(year=2026))
    data.ledger_path("20250302-p03-cc").write_text("{}\n{}\n")
    assert data.find_run("latest") == data.ledger_path("0-late")
    with pytest.raises(RunNotFound):
        DataFolder(tmp_path / "nothing").find_run("latest")


def test_a_run_is_found_by_its_path(data: DataFolder) -> None:
    path = data.ledger_path("20250301-p12-aa")
    assert DataFolder(Path("elsewhere")).find_run(str(path)) == path
    assert DataFolder(Path("elsewhere")).find_run(str(path.parent)) == path


def test_a_run_that_is_not_there_offers_the_nearest(data: DataFolder) -> None:
    with pytest.raises(RunNotFound, match=r"Nearest: 20250302-p03-cc.*Type: python -m store runs"):
        data.find_run("20250302-p03-cd")
    with pytest.raises(RunNotFound, match="Nearest: 20250301-p12-aa, 20250301-p12-bb"):
        data.find_run("20250301-p12")
    with pytest.raises(RunNotFound, match="no run ''"):
        data.find_run("")


def test_preparing_makes_the_folder_and_leaves_nothing_in_it(tmp_path: Path) -> None:
    data = DataFolder(tmp_path / "a" / "b")
    assert data.free_bytes() > 0
    assert not data.root.exists()
    data.prepare(need_mib=1)
    assert list(data.root.iterdir()) == []


def test_a_folder_that_cannot_be_written_or_has_no_room_is_said(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    with pytest.raises(DataUnwritable, match="or type: --data FOLDER"):
        DataFolder(in_the_way / "data").prepare()
    with pytest.raises(DataUnwritable, match="MiB free, 1000000000 MiB needed"):
        DataFolder(tmp_path).prepare(need_mib=1_000_000_000)

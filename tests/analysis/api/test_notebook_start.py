"""A notebook begins with one's own data, or with an example that calls itself made up."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from analysis.api.notebook_start import (
    find_ladder,
    find_replay,
    find_run,
    find_spectrum,
    find_study,
)
from analysis.errors import NothingToCompare, UnknownSpectrum, UnknownStudy
from analysis.examples.made_up_results import write_ladder, write_spectrum_example
from analysis.examples.study import write_example, write_replay
from store.errors import NothingKept, RunNotFound
from store.runs.data_folder import DataFolder
from tests.store.samples import START, keep_run

FINDERS = (find_run, find_study, find_replay, find_spectrum)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    data = write_example(folder / "data")
    write_replay(data, "example-kim-treatment")
    write_spectrum_example(data)
    write_ladder(folder / "ladder")
    return folder


@pytest.mark.parametrize("find", FINDERS)
def test_of_nothing_it_is_made_up_and_says_so(
    find: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(find)
    measured = find(tmp_path)
    told = capsys.readouterr()
    assert told.out.startswith("MADE UP: there is no ")
    assert "\nType: python -m agent " in told.out
    assert told.err == ""
    assert measured is not None
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_taken_and_named(
    whole: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(whole)
    assert find_run().runs[0].id == "example-kim-treatment-replay"
    assert find_run(run="example-mo-p").runs[0].id == "example-mo-passive"
    assert find_study().material.title == "example"
    pair = find_replay()
    assert (pair.first.id, pair.second.id) == (
        "example-kim-treatment",
        "example-kim-treatment-replay",
    )
    assert pair.compare().videos > 90
    assert find_spectrum().data.folder.root == Path("data")
    assert find_ladder().folder == Path("ladder")
    told = capsys.readouterr().out
    assert "MADE UP" not in told
    assert "In data: study <example: 12 runs, 1,245 videos>" in told


def test_what_was_asked_for_is_never_made_up(whole: Path, tmp_path: Path) -> None:
    data = whole / "data"
    with pytest.raises(RunNotFound):
        find_run(data, "exampel")
    with pytest.raises(NothingKept):
        find_run(tmp_path, "latest")
    with pytest.raises(UnknownStudy):
        find_study(data, "exampel")
    with pytest.raises(NothingToCompare, match=r"is no replay\. Type: python -m agent run"):
        find_replay(data, "example-kim-treatment")
    with pytest.raises(UnknownSpectrum):
        find_spectrum(data, "exampel")
    with pytest.raises(NothingToCompare):
        find_ladder(tmp_path)


def test_what_cannot_be_read_is_passed_over_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = DataFolder(tmp_path)
    later = START + timedelta(days=1)
    colours = ["red", "blue", "green", "red"]
    keep_run(folder, "r1", colours)
    keep_run(folder, "r2", [], end=False, at=later)
    keep_run(folder, "r3", ["red"], platform="replay", config={"of": "gone"}, at=later)
    keep_run(folder, "r4", ["red"], platform="replay", config={"of": "r1"}, at=later)
    keep_run(folder, "r5", colours, config={"study": "broken"}, at=later)
    home = folder.study_dir("broken")
    home.mkdir(parents=True)
    (home / "study.toml").write_text('name = "broken"\n', "utf-8")
    path = folder.ledger_path("r5")
    first, _, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([first, b"{}\n", *rest]))
    assert find_run(tmp_path).runs[0].id == "r4"
    assert "Passed over: " in (told := capsys.readouterr().out)
    assert "r5/ledger.jsonl:2 is damaged" in told
    assert find_study(tmp_path).material.title == "example"
    assert "r5/ledger.jsonl:2 is damaged" in (told := capsys.readouterr().out)
    assert "MADE UP: there is no study" in told
    assert find_replay(tmp_path).second.id == "example-kim-treatment-replay"
    told = capsys.readouterr().out
    assert "There is no run 'gone'" in told
    assert "share no judged video" in told
    assert "MADE UP: there is no replay" in told

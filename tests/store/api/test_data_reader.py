"""What a notebook reads of a data folder: words, tables, frames, and errors with what to type."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import store
from store.api.data_reader import DataReader, StudyNotFound
from store.api.run_reader import StepNotFound
from store.api.table_formats import FormatUnavailable
from store.errors import BadName, DamagedLedger, DataUrlRefused, NothingKept, RunNotFound
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Judgement, Video
from store.runs.rejudgements import JudgementWriter, RejudgedAnswer, RejudgementHeader
from store.runs.step_columns import REJUDGEMENT_COLUMNS, STEP_COLUMNS
from tests.store.samples import START, finished, frame, jpeg, keep_run, started, step

HOSTILE = "=HYPERLINK(1) <script>alert('x')</script> $\\frac{1}{0}$"


@pytest.fixture
def data(tmp_path: Path) -> DataReader:
    folder = DataFolder(tmp_path / "data")
    keep_run(folder, "r1", ["red", "blue", "green", "red"], config={"study": "colours"})
    keep_run(folder, "r2", ["red", "blue"], end=False, arm="passive")
    return store.open(tmp_path / "data")


def test_runs_are_told_in_words(data: DataReader) -> None:
    first, second = data.runs()
    assert (first.id, first.persona, first.platform, first.arm) == (
        "r1",
        "p12",
        "playground",
        "treatment",
    )
    assert (first.strategy, first.model, first.study) == ("simple", "scripted/colour", "colours")
    assert (first.status, first.videos, first.started) == ("complete", 4, START)
    assert (second.status, second.study) == ("interrupted", None)
    assert repr(first) == "<r1: p12 on playground, treatment, complete, 4 videos>"
    table = pd.DataFrame(data.runs())
    assert table["videos"].tolist() == [4, 2]
    assert data.studies() == ["colours"]
    assert [run.id for run in data.runs("colours")] == ["r1"]


def test_a_run_is_found_by_what_a_person_would_type(data: DataReader) -> None:
    assert data.run("r2").id == "r2"
    assert data.run("latest").id == data.run().id == "r2"
    with pytest.raises(RunNotFound, match=r"Type: python -m store runs"):
        data.run("r")


def test_a_run_that_is_being_written_is_running(data: DataReader) -> None:
    with LedgerWriter(data.run("r2").path, fsync=False):
        assert data.run("r2").status == "running"
    assert data.run("r2").status == "interrupted"


def test_steps_are_a_table_of_the_ledger_s_own_values(data: DataReader) -> None:
    table = data.steps()
    assert list(table.columns) == [column.name for column in STEP_COLUMNS]
    assert table.shape == (6, len(STEP_COLUMNS))
    kept = [
        (read.started, each)
        for run in data.folder.runs()
        for read in [ledger.read(run.path)]
        for each in read.steps
    ]
    cells = 0
    for column in STEP_COLUMNS:
        for shown, (first, each) in zip(table[column.name], kept, strict=True):
            expected = column.read(first, each)
            cells += 1
            if expected is None:
                assert not isinstance(shown, list)
                assert pd.isna(shown), column.name
            else:
                assert shown == expected, column.name
    assert cells == 6 * len(STEP_COLUMNS)


def test_answers_and_reasons_are_words_and_what_is_not_known_is_missing(data: DataReader) -> None:
    table = data.run("r1").steps()
    assert table["answer"].iloc[:2].tolist() == ["yes", "no"]
    assert pd.isna(table["answer"].iloc[2])
    assert isinstance(table["missing"].iloc[2], str)
    assert table["phase"].tolist() == ["before", "before", "after", "after"]
    assert str(table["at"].dtype) == "datetime64[us, UTC]"
    assert table["likes"].isna().all()
    assert table["dwell_s"].dtype == np.float64
    assert table["position"].dtype == np.int64


def test_a_choice_of_runs_or_of_a_study(data: DataReader) -> None:
    assert set(data.steps(study="colours")["run"]) == {"r1"}
    assert data.steps(runs=["r2", data.run("r1")])["run"].tolist() == ["r2"] * 2 + ["r1"] * 4
    assert len(data.steps(runs=[])) == 0
    with pytest.raises(StudyNotFound, match=r"There are: colours\. Type: "):
        data.steps(study="color")
    with pytest.raises(store.errors.StoreError, match="one of them"):
        data.steps(study="colours", runs=["r1"])


def test_the_same_table_in_three_formats(data: DataReader) -> None:
    frame_, polars, arrow = (data.steps(format=form) for form in ("pandas", "polars", "arrow"))
    assert polars.shape == (arrow.num_rows, arrow.num_columns) == frame_.shape
    assert polars["answer"].to_list() == arrow.column("answer").to_pylist()
    assert polars["frames"].to_list() == frame_["frames"].tolist()
    assert str(polars["dwell_s"].dtype) == "Float64"


def test_a_format_that_cannot_be_had_says_what_to_type(
    data: DataReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown: Any = "excel"
    with pytest.raises(FormatUnavailable, match='Type one of: "pandas", "polars", "arrow"'):
        data.steps(format=unknown)
    monkeypatch.setitem(sys.modules, "polars", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FormatUnavailable, match=r"pip install 'feedsway\[notebook\]'"):
        data.steps(format="polars")
    assert data.steps(format="arrow").num_rows == 6


def test_frames_are_pictures(data: DataReader) -> None:
    (picture,) = data.run("r1").step(1).frames
    assert (picture.mode, picture.size) == ("RGB", (90, 160))
    sha256 = data.run("r1").steps()["frames"][1][0]
    assert data.frame(sha256).tobytes() == picture.tobytes()
    assert [step_.record.position for step_ in data.run("r1").read_steps()] == [0, 1, 2, 3]
    with pytest.raises(StepNotFound, match=r"it has 4, counted from 0\. Type: "):
        data.run("r1").step(4)
    with pytest.raises(BadName):
        data.frame("../../secret")


def test_what_judges_said_later_is_a_table_of_its_own(data: DataReader) -> None:
    run = data.run("r1")
    judge = RejudgementHeader(
        run_id="r1",
        model="scripted/other",
        strategy="plain",
        prompts={},
        seed=1,
        at=START,
        code_version="0",
    )
    frame_hash = run.steps()["frames"][0][0]
    with JudgementWriter(judge.path(run.path.parent), judge) as writer:
        writer.append(
            [
                RejudgedAnswer(
                    persona="p03",
                    position=0,
                    frame=frame_hash,
                    mirrored=mirrored,
                    judgement=Judgement(answer="yes" if mirrored else "no", p_yes=0.25),
                )
                for mirrored in (False, True)
            ]
        )
    table = data.rejudgements()
    assert list(table.columns) == [column.name for column in REJUDGEMENT_COLUMNS]
    assert table["answer"].tolist() == ["no", "yes"]
    assert table["mirrored"].tolist() == [False, True]
    assert run.rejudgements("arrow").num_rows == 2
    assert len(data.run("r2").rejudgements()) == 0


def test_an_empty_folder_says_what_to_type(tmp_path: Path) -> None:
    data = store.open(tmp_path / "nothing")
    assert data.runs() == []
    assert data.studies() == []
    for ask in (data.run, data.steps, data.rejudgements, lambda: data.steps(runs=["r1"])):
        with pytest.raises(NothingKept, match=r"Type: python -m agent run --persona p12$"):
            ask()
    assert not (tmp_path / "nothing").exists()


def test_a_damaged_ledger_is_told_and_stops_nothing_else(data: DataReader) -> None:
    path = data.run("r1").path
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b'{"kind": "step"}\n', *lines[3:]]))
    with pytest.warns(UserWarning, match=r"r1/ledger\.jsonl:3 is damaged.*store verify"):
        table = data.steps()
    assert set(table["run"]) == {"r2"}
    for runs, study in ((["r1"], None), ([data.run("r1")], None), (None, "colours")):
        with pytest.raises(DamagedLedger):
            data.steps(study, runs)
    with pytest.raises(DamagedLedger):
        data.run("r1").steps()
    path.write_bytes(b"{}\n" + b"".join(lines[1:]))
    damaged = data.runs()[0]
    assert (damaged.id, damaged.status, damaged.persona) == ("r1", "damaged", None)
    assert "store verify" in str(damaged.problem)


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    picture = jpeg("red")
    with LedgerWriter(folder.ledger_path("r1"), fsync=False) as writer:
        writer.append(started("r1"))
        hostile = Video(id="=1+1", caption=HOSTILE, author="<b>x</b>\x1b[31m", hashtags=("@a",))
        writer.append(step(0, frame(picture), video=hostile))
        writer.append(finished(1))
    table = store.open(tmp_path).steps()
    assert table["caption"][0] == HOSTILE
    assert table["video"][0] == "=1+1"
    assert table["author"][0] == "<b>x</b>\\u001b[31m"
    assert "<script>" not in table.to_html()
    assert "<b>x" not in table._repr_html_()


def test_a_folder_in_a_store_elsewhere_is_read_from_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"file://{tmp_path}/shared"
    monkeypatch.setenv("FEEDSWAY_CACHE", str(tmp_path / "here"))
    with store.open(url) as there:
        keep_run(there.folder, "r1", ["red", "blue"])
    monkeypatch.setenv("FEEDSWAY_CACHE", str(tmp_path / "elsewhere"))
    with store.open(url) as again:
        assert str(again.folder.root).startswith(str(tmp_path / "elsewhere"))
        assert len(again.steps()) == 2
        assert again.run("r1").step(0).frames[0].size == (90, 160)
    with pytest.raises(DataUrlRefused, match="Type: --data"):
        store.open("ftp://nowhere/study")
    monkeypatch.setenv("FEEDSWAY_LEASE_S", "a while")
    with pytest.raises(store.errors.StoreError, match="FEEDSWAY_LEASE_S"):
        store.open(url)


def test_without_a_folder_it_is_the_one_of_the_commands(
    data: DataReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = data.folder.root
    monkeypatch.chdir(root.parent)
    assert len(store.open().runs()) == 2
    monkeypatch.chdir(root)
    assert store.open().runs() == []
    monkeypatch.setenv("FEEDSWAY_DATA", str(root))
    assert len(store.open().runs()) == 2

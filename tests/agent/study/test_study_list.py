"""The list of a data folder's studies: states, counts, questions, and what to type."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner, Result

from agent.cli import cli
from agent.study.matrix import StudyCell
from agent.study.study_file import Primary
from agent.study.study_list import QUESTIONS, ListedStudy, list_studies
from analysis.examples.study import write_example
from store.jsonl.locks import NamedLock
from store.runs.data_folder import DataFolder
from store.runs.study_looks import LOOKS, StudyLook, keep_look
from tests.agent.study.test_looks import LOOKED_AT


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_example(tmp_path_factory.mktemp("made")).root


@pytest.fixture
def data(made: Path, tmp_path: Path) -> DataFolder:
    """The example study, eleven of whose twelve runs are whole."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return DataFolder(tmp_path)


def listed(*words: str) -> Result:
    return CliRunner().invoke(cli, ["study", "--list", *words], prog_name="feedsway")


def only(data: DataFolder) -> ListedStudy:
    (found,) = list_studies(data)
    return found


def test_states_follow_from_ledgers_locks_and_files(data: DataFolder) -> None:
    folder = data.study_dir("example")
    study = only(data)
    assert (study.state, study.done, study.cells) == ("interrupted", 11, 12)
    assert study.started is not None
    assert study.report is None
    lock = NamedLock(folder / ".lock")
    lock.acquire()
    assert only(data).state == "running"
    lock.release()
    draws = json.loads((folder / "draws.json").read_text("utf-8"))
    whole = {
        str(run.started.config["cell"])
        for run in data.runs()
        if run.status == "complete" and run.started
    }
    kept = [one for one in draws if StudyCell.model_validate(one).key in whole]
    (folder / "draws.json").write_text(json.dumps(kept), "utf-8")
    (folder / "report").mkdir()
    (folder / "report" / "index.html").touch()
    study = only(data)
    assert (study.state, study.done, study.cells) == ("complete", 11, 11)
    assert study.report == folder / "report" / "index.html"
    shutil.rmtree(data.runs_dir)
    assert only(data).state == "not begun"


def test_a_study_by_looks_is_complete_when_a_look_stands_or_the_last_is_taken(
    tmp_path: Path,
) -> None:
    data = DataFolder(tmp_path)
    folder = data.study_dir("first-study")
    folder.mkdir(parents=True)
    (folder / "study.toml").write_text(LOOKED_AT, "utf-8")
    states = [only(data).state]
    for number in (1, 2, 3):
        keep_look(folder, look(number))
        states.append(only(data).state)
    assert states == ["not begun", "not begun", "not begun", "complete"]
    (folder / LOOKS).unlink()
    keep_look(folder, look(1).model_copy(update={"stands": True}))
    assert only(data).state == "complete"


def look(number: int) -> StudyLook:
    return StudyLook(
        number=number,
        of=3,
        at=datetime(2026, 1, number, tzinfo=UTC),
        runs=(),
        statistic=1.0,
        p=0.5,
        spent=0.01,
        found=False,
        stands=False,
    )


def test_a_damaged_study_hides_no_other(data: DataFolder) -> None:
    broken = data.study_dir("broken")
    broken.mkdir()
    (broken / "study.toml").write_bytes(b"\xff\x1b[2J = ")
    found = list_studies(data)
    states = [(one.name, one.state) for one in found]
    assert states == [("broken", "damaged"), ("example", "interrupted")]
    result = listed("--data", str(data.root))
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "broken  damaged\n" in result.stdout


def test_every_declared_test_has_its_question() -> None:
    assert QUESTIONS.keys() == set(get_args(Primary))


def test_the_list_is_words_or_json_and_says_how_to_begin(data: DataFolder, tmp_path: Path) -> None:
    nothing = listed("--data", str(tmp_path / "none"))
    assert nothing.stdout == ""
    assert nothing.stderr.endswith("Type: feedsway study --example > study.toml\n")
    assert listed("--data", str(tmp_path / "none"), "--json").stdout == "[]\n"
    told = listed("--data", str(tmp_path)).stdout.splitlines()
    assert told[0].startswith("example  interrupted, 11 of 12 runs, begun ")
    assert told[1] == f"  {QUESTIONS['controlled']}"
    file = tmp_path / "studies" / "example" / "study.toml"
    assert told[2].endswith(f"type: feedsway study {file} --data {tmp_path}")
    (fields,) = json.loads(listed("--data", str(tmp_path), "--json").stdout)
    assert fields["state"] == "interrupted"
    assert (fields["done"], fields["cells"], fields["report"]) == (11, 12, None)
    refused = CliRunner().invoke(cli, ["study", "x.toml", "--json"], prog_name="feedsway")
    assert refused.exit_code == 2
    assert refused.stderr == "Only a list is printed as JSON. Type: --list --json\n"

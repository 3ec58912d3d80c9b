"""docs/ledger.md says what the records say, and its examples run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from store.jsonl.base_record import Record
from store.runs import ledger_lines
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import Step
from tests.store.samples import keep_run

REPO = Path(__file__).parents[2]
DOC = (REPO / "docs" / "ledger.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOC, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keep_run(DataFolder(tmp_path / "data"), "r1", ["red", "blue", "green", "red"])
    return tmp_path


def fields() -> list[tuple[str, str]]:
    models = [
        value
        for value in vars(ledger_lines).values()
        if isinstance(value, type) and issubclass(value, Record) and value is not Record
    ]
    return [
        (model.__name__, field.alias or name)
        for model in models
        for name, field in model.model_fields.items()
    ]


@pytest.mark.parametrize(("record", "field"), fields())
def test_every_field_is_documented(record: str, field: str) -> None:
    assert f"`{field}`" in DOC


def test_the_example_is_a_step() -> None:
    (example,) = blocks("json")
    step = Step.model_validate_json(example)
    assert step.frames
    assert step.judgement.answer is not None


def test_the_first_python_example_runs(folder: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(REPO)!r})\n" + blocks("python")[0],
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "p12 complete 2 of 4\n"


def test_the_pandas_example_runs(folder: Path) -> None:
    pytest.importorskip("pandas")
    done = subprocess.run(
        [sys.executable, "-c", blocks("python")[1]],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "mean" in done.stdout


def test_the_jq_example_runs(folder: Path) -> None:
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    done = subprocess.run(
        ["sh", "-c", blocks("sh")[0]], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout == "a red thing\na red thing\n"

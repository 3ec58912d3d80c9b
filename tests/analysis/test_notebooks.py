"""Notebooks run on anybody's data, and what is committed with them is their output."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from analysis.examples.made_up_results import write_ladder, write_spectrum_example
from analysis.examples.study import write_example, write_replay
from tests.analysis.notebook_runs import HOME, NAMES, code_cells, read_notebook, run_notebook
from tests.analysis.notebook_runs import told_by as told
from tests.slow_cases import drills_but

NEEDS_NO_STUDY = "first_look.ipynb"
"""What one run alone is enough for."""


def test_the_notebooks_are_there() -> None:
    assert NAMES == [
        "alignment.ipynb",
        "designing.ipynb",
        "first_look.ipynb",
        "spectra.ipynb",
        "study_to_headline.ipynb",
        "two_judges.ipynb",
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where `data` and `ladder` have all that the notebooks are about."""
    folder = tmp_path_factory.mktemp("whole")
    data = write_example(folder / "data")
    write_replay(data, "example-kim-treatment")
    write_spectrum_example(data)
    write_ladder(folder / "ladder")
    return folder


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where `data` has one run of the playground and nothing else."""
    folder = tmp_path_factory.mktemp("stranger")
    subprocess.run(
        [sys.executable, "-m", "agent", "run", "--persona", "p12", "--before", "6", "--after", "6"],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=240,
    )
    return folder


@pytest.mark.drill
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_on_data_that_has_everything(name: str, whole: Path) -> None:
    done = run_notebook(name, whole)
    assert "MADE UP" not in told(done)
    assert any(output.output_type == "display_data" for output in _outputs(done))


@pytest.mark.drill
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_on_a_stranger_s_only_run(name: str, stranger: Path) -> None:
    said = told(run_notebook(name, stranger))
    assert ("MADE UP" in said) == (name != NEEDS_NO_STUDY)
    assert name == NEEDS_NO_STUDY or "Type: python -m agent" in said


@pytest.mark.parametrize("name", drills_but([NEEDS_NO_STUDY], NAMES))
def test_a_notebook_runs_on_nothing_and_gives_what_is_committed(name: str, tmp_path: Path) -> None:
    done = run_notebook(name, tmp_path)
    assert told(done).startswith("MADE UP")
    assert told(done) == told(read_notebook(name))
    assert not [output for output in _outputs(done) if output.get("name") == "stderr"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_begins_with_its_parameters(name: str) -> None:
    first, *others = code_cells(read_notebook(name))
    assert first.metadata["tags"] == ["parameters"]
    assert not any("tags" in cell.metadata for cell in others)
    named = dict(line.split(" = ", 1) for line in first.source.splitlines())
    free = {"data", "run", "study", "spectrum", "ladder"} & named.keys()
    assert free
    assert all(named[each].startswith("None  # ") for each in free)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_committed_is_the_output_of_a_whole_run(name: str) -> None:
    notebook = read_notebook(name)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell.outputs for cell in cells[1:])
    text = (HOME / name).read_text(encoding="utf-8")
    assert '"output_type": "error"' not in text
    assert '"stderr"' not in text
    assert not re.search(r"/(?:home|root|tmp|work|Users)/", text)
    assert len(text) < 300_000


def _outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in code_cells(notebook) for output in cell.outputs]

"""Notebooks run from top to bottom, and what is committed with them is their output."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.slow_cases import drills_but

HOME = Path(__file__).parents[2] / "analysis" / "notebooks"
NAMES = sorted(path.name for path in HOME.glob("*.ipynb"))
EXAMPLE = """
from pathlib import Path

from analysis.examples.made_up_results import write_ladder
from analysis.examples.study import STUDY, write_example, write_replay

data, study = write_example(Path("data")), STUDY
write_replay(data, "example-kim-treatment")
ladder = write_ladder(Path("ladder"))
"""
SPECTRUM = """
from analysis.examples.made_up_results import write_spectrum_example

write_spectrum_example(data)
"""

RUN = """
import sys
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

source, target, folder = sys.argv[1:]
notebook = nbformat.read(source, as_version=4)
manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=folder + "/kernel")
resources = {"metadata": {"path": folder}}
NotebookClient(notebook, timeout=60, km=manager, resources=resources).execute()
nbformat.write(notebook, target)
"""
"""In a process of its own: the client leaves its sockets to the end of the process."""


def read(name: str) -> Any:
    return nbformat.read(HOME / name, as_version=4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_notebooks_are_there() -> None:
    assert NAMES == [
        "alignment.ipynb",
        "designing.ipynb",
        "first_look.ipynb",
        "spectra.ipynb",
        "study_to_headline.ipynb",
        "two_judges.ipynb",
    ]


@pytest.mark.parametrize("name", drills_but(["study_to_headline.ipynb"], NAMES))
def test_a_notebook_runs_on_the_example(name: str, tmp_path: Path) -> None:
    notebook = read(name)
    (data,) = [cell for cell in code(notebook) if "data" in cell.metadata.get("tags", [])]
    data.source = EXAMPLE + (SPECTRUM if name == "spectra.ipynb" else "")
    for cell in code(notebook):
        cell.outputs = []
    source, target = tmp_path / name, tmp_path / "done.ipynb"
    nbformat.write(notebook, source)
    own = {
        folder: str(tmp_path / folder.lower())
        for folder in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(source), str(target), str(tmp_path)],
        env=os.environ | own | {"JUPYTER_PLATFORM_DIRS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    notebook = nbformat.read(target, as_version=4)
    said = [output for cell in code(notebook) for output in cell.outputs]
    assert sum(output.output_type == "display_data" for output in said) >= 1
    assert not [output.text for output in said if output.get("name") == "stderr"]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_committed_is_the_output_of_a_whole_run(name: str) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    cells = code(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell.outputs for cell in cells[1:])
    text = (HOME / name).read_text(encoding="utf-8")
    assert '"output_type": "error"' not in text
    assert '"stderr"' not in text
    assert not re.search(r"/(?:home|root|tmp|work|Users)/", text)
    assert len(text) < 300_000

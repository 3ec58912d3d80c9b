"""Runs a notebook in a folder; as a program it makes the committed outputs again."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

HOME = Path(__file__).parents[2] / "analysis" / "notebooks"
NAMES = sorted(path.name for path in HOME.glob("*.ipynb"))
RUN = """
import sys
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

source, target, folder, own = sys.argv[1:]
notebook = nbformat.read(source, as_version=4)
manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=own + "/kernel")
resources = {"metadata": {"path": folder}}
client = NotebookClient(notebook, timeout=60, km=manager, resources=resources, record_timing=False)
client.execute()
nbformat.write(notebook, target)
"""
"""In a process of its own: the client leaves its sockets to the end of the process."""


def read_notebook(name: str) -> Any:
    return nbformat.read(HOME / name, as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def run_notebook(name: str, folder: Path) -> Any:
    """Run a notebook as it is committed, in a folder; return it with its outputs."""
    with tempfile.TemporaryDirectory() as own:
        target = Path(own) / "done.ipynb"
        places = {
            place: str(Path(own) / place.lower())
            for place in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")
        }
        told = {name: value for name, value in os.environ.items() if name != "FEEDSWAY_DATA"}
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(HOME / name), str(target), str(folder), own],
            env=told | places | {"JUPYTER_PLATFORM_DIRS": "1"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return nbformat.read(target, as_version=4)


def told_by(notebook: Any) -> str:
    """Everything that its cells print."""
    outputs = (output for cell in code_cells(notebook) for output in cell.outputs)
    return "".join(output.text for output in outputs if output.output_type == "stream")


if __name__ == "__main__":
    for each in NAMES:
        with tempfile.TemporaryDirectory() as empty:
            nbformat.write(run_notebook(each, Path(empty)), HOME / each)

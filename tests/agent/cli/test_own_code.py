"""A folder that calls itself ``store`` is not run because somebody stands beside it."""

from __future__ import annotations

import ast
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.cli.test_script import AS_SCRIPT, MODULES

ROOT = Path(__file__).parents[3]
FOREIGN = ("analysis", "click", "numpy", "pathlib", "personas", "rich", "store")
"""What a stranger's folder may hold; ``agent`` itself is the folder's with ``python -m`` alone."""


def strangers_folder(place: Path, *names: str) -> Path:
    """A folder whose packages leave a mark as they are imported."""
    for name in names:
        (place / name).mkdir(parents=True)
        mark = f"open({str(place / 'ran')!r}, 'a').write({name!r})\nraise SystemExit(9)\n"
        (place / name / "__init__.py").write_text(mark, encoding="utf-8")
    return place


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "FEEDSWAY_CONFIG": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


@pytest.mark.parametrize(
    "words",
    [
        ("-m", "agent", "study", "--example"),
        ("-m", "agent", "daemon", "--example"),
        ("-m", "store", "runs"),
        ("-m", "analysis", "power", "--help"),
        ("-m", "personas", "list"),
        ("-c", f"import sys; sys.path.pop(0); {AS_SCRIPT}", "store", "runs"),  # as a script is
    ],
    ids=lambda words: " ".join(words[1:3])[:12],
)
def test_a_strangers_packages_are_not_imported(words: tuple[str, ...], tmp_path: Path) -> None:
    called = words[1] if words[0] == "-m" else ""
    folder = strangers_folder(tmp_path / "found", *(set(FOREIGN) - {called}))
    done = call(folder, *words)
    assert not (folder / "ran").exists(), (folder / "ran").read_text()
    assert done.returncode == 0, done.stderr


def test_a_run_and_its_children_import_nothing_of_the_folder(tmp_path: Path) -> None:
    """The playground is a child; so is the model's worker, which stays for a minute."""
    folder = strangers_folder(tmp_path / "found", *FOREIGN)
    run = ["-m", "agent", "run", "--persona", "p12", "--before", "1", "--after", "1"]
    done = call(folder, *run, "--model", "scripted/yes", "--speed", "16", "--data", "kept")
    assert not (folder / "ran").exists(), (folder / "ran").read_text()
    assert done.returncode == 0, done.stderr


RAY = """
import ray
from store.cluster.cluster_address import ClusterAddress
from store.cluster.ray_cluster import Cluster
def imported():
    import personas
    return personas.__file__
with Cluster.connect(ClusterAddress()):
    print(ray.get(ray.remote(imported).remote()))
"""


@pytest.mark.drill
def test_a_cluster_s_workers_import_nothing_of_the_folder(tmp_path: Path) -> None:
    folder = strangers_folder(tmp_path / "found", "personas")
    done = call(folder, "-P", "-c", RAY)
    assert not (folder / "ran").exists()
    assert done.stdout.strip() == str(ROOT / "personas" / "__init__.py"), done.stderr


def test_with_p_not_even_a_folder_called_agent_is_run(tmp_path: Path) -> None:
    folder = strangers_folder(tmp_path / "found", *MODULES)
    for module in MODULES:
        done = call(folder, "-P", "-m", module, "--help")
        assert done.returncode == 0, done.stderr
    assert not (folder / "ran").exists()
    assert call(folder, "-m", "agent", "--help").returncode == 9  # which docs/supply-chain.md says


def test_code_of_the_working_folder_is_found_by_its_children() -> None:
    """A checkout runs its own code, whatever is installed beside it."""
    code = "import runpy, subprocess, sys; sys.argv = ['agent', '--help']\ntry:\n"
    code += " runpy.run_module('agent', run_name='__main__')\nexcept SystemExit: pass\n"
    code += "child = [sys.executable, '-P', '-c', 'import agent; print(agent.__file__)']\n"
    code += "print(subprocess.run(child, capture_output=True, text=True).stdout)"
    told = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=told, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip().endswith(str(ROOT / "agent" / "__init__.py"))


def test_the_four_entries_guard_themselves_alike() -> None:
    """None may import the guard of another, which could be a stranger's."""
    guards = set()
    for module in MODULES:
        text = (ROOT / module / "__main__.py").read_text("utf-8")
        guards.add(text.partition('"""\n')[2].partition("    keep_to_own_code()\n")[0])
    assert len(guards) == 1
    assert "def keep_to_own_code" in guards.pop()


def test_every_python_that_is_started_keeps_to_its_own_code() -> None:
    """``-P`` comes right after the program, wherever the packages start Python."""
    starts = []
    for module in MODULES:
        for path in sorted((ROOT / module).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                words = node.elts if isinstance(node, ast.List | ast.Tuple) else []
                words = node.args if isinstance(node, ast.Call) else words
                for one, next_ in itertools.pairwise(words):
                    if ast.unparse(one) == "sys.executable":
                        starts.append((path.name, ast.unparse(next_)))
    assert len(starts) >= 11
    kept = {"'-P'", "*self.words"}  # the latter: a study's, whose words begin with it
    assert [one for one in starts if one[1] not in kept] == [("worker_recipe.py", "contents")]
    text = (ROOT / "agent" / "study" / "conductor.py").read_text("utf-8")
    assert 'words = ["-P", "-m", "agent", "run"' in text
    for name in ("feedsway.service", "Dockerfile"):
        recipe = (ROOT / "deploy" / name).read_text("utf-8")
        assert not re.search(r"python\S*\W+-m\W+(agent|store|analysis)", recipe)

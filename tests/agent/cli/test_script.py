"""The console script: one tree of commands, whose words lead on to commands of the script."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from agent.cli import cli
from agent.cli.script import GROUPS, main, script
from analysis.cli.main import main as analysis_commands
from personas.cli import main as personas_commands
from store.cli.main import main as store_commands
from tests.e2e.commands import is_root

MODULES: dict[str, click.Group] = {
    "agent": cli,
    "analysis": analysis_commands,
    "personas": personas_commands,
    "store": store_commands,
}
ROOT = Path(__file__).parents[3]
OTHER = 12345
"""A user that is nobody here."""
AS_SCRIPT = "import sys; from agent.cli.script import main; sys.argv[0] = 'feedsway'; main()"


def called(*words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script as its entry point does, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", AS_SCRIPT, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def every_command() -> Iterator[tuple[list[str], str]]:
    """Every command line of the script and of the four modules, with how it is called."""
    yield [], "feedsway"
    context = click.Context(script)
    for name in script.list_commands(context):
        yield [name], "feedsway"
        command = script.get_command(context, name)
        if isinstance(command, click.Group):
            yield from (([name, below], "feedsway") for below in command.commands)
    for module, group in MODULES.items():
        yield [], f"python -m {module}"
        yield from (([name], f"python -m {module}") for name in group.commands)


EVERY = list(every_command())


def test_the_tree_has_all_commands_of_the_four_modules() -> None:
    below = {tuple(words) for words, caller in EVERY if caller == "feedsway"}
    for module, group in MODULES.items():
        prefix = () if module == "agent" else (module,)
        assert {(*prefix, name) for name in group.commands} <= below
    assert len(EVERY) > 90
    assert not GROUPS.keys() & cli.commands.keys()


@pytest.mark.parametrize(("words", "caller"), EVERY, ids=lambda one: str(one))
def test_every_command_has_help_and_a_version_in_the_caller_s_words(
    words: list[str], caller: str
) -> None:
    group = script if caller == "feedsway" else MODULES[caller.split()[-1]]
    help_ = CliRunner().invoke(group, [*words, "-h"], prog_name=caller)
    assert help_.exit_code == 0, help_.output
    assert help_.output.startswith(f"Usage: {' '.join([caller, *words])}")
    assert ("python -m" in help_.output) <= (caller != "feedsway")
    version = CliRunner().invoke(group, [*words, "--version"], prog_name=caller)
    assert version.output == f"feedsway, version {importlib.metadata.version('feedsway')}\n"


def test_hints_of_the_script_are_commands_of_the_script(tmp_path: Path) -> None:
    tried = {
        ("run",): "Who watches? Type: feedsway run --persona p12\n",
        ("store", "runs"): "There is no run in data yet. Type: feedsway run --persona p12\n",
        ("personas", "show", "p99"): "Type: feedsway personas list\n",
        ("analysis", "summary", "x"): "Type: feedsway store runs\n",
        ("rejudge",): "Which run? Type: feedsway store runs\n",
        ("status", "--pause", "all"): "Type: feedsway daemon watch.toml\n",
    }
    for words, said in tried.items():
        done = called(*words, folder=tmp_path)
        assert done.stderr.endswith(said), done.stderr
        assert "python -m" not in done.stdout + done.stderr


def test_results_name_commands_of_the_script_too(tmp_path: Path) -> None:
    example = called("study", "--example", folder=tmp_path).stdout
    (tmp_path / "data" / "studies" / "first-study").mkdir(parents=True)
    file = tmp_path / "data" / "studies" / "first-study" / "study.toml"
    file.write_text(example, "utf-8")
    told = called("study", "--list", folder=tmp_path).stdout
    assert "To go on, type: feedsway study data/studies/first-study/study.toml\n" in told
    watch = called("daemon", "--example", folder=tmp_path).stdout
    assert "feedsway study --example > study.toml" in watch
    assert "python -m" not in example + told + watch


def test_the_installed_script_is_the_group_that_is_tested_here() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert told == {"feedsway": f"{main.__module__}:{main.__name__}"}


@pytest.mark.skipif(not is_root(), reason="only root gives a file away")
def test_another_s_file_is_told_of_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FEEDSWAY_CONFIG")
    (tmp_path / "feedsway.toml").touch()
    os.chown(tmp_path / "feedsway.toml", OTHER, -1)
    for words in (["store", "runs"], ["status"]):
        said = CliRunner().invoke(script, words, prog_name="feedsway").stderr
        assert said.count("another user's") == 1


def test_help_loads_no_other_package_s_commands(tmp_path: Path) -> None:
    code = "import sys; from agent.cli.script import script\ntry:\n script(['-h'], 'feedsway')\n"
    code += "finally: sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert "Groups of commands" in done.stdout
    loaded = set(done.stderr.split())
    assert "agent.cli" in loaded
    assert not loaded & {"store.cli.main", "analysis.cli.main", "personas.cli", "numpy", "pydantic"}

"""Commands in texts begin as the caller's did, and work when they are typed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import pytest

from store.terminal.command_words import SCRIPT, python_to_type, spell_commands
from store.terminal.exit_codes import CommandGroup, ErrorReporter
from store.terminal.printing import echo

TEXT = "Type: python -m agent run --persona p12, or python -m store runs"


def spelled(text: str, caller: str) -> str:
    with click.Context(click.Command("any"), info_name=caller):
        return spell_commands(text)


def test_the_script_s_own_commands_stand_at_its_top_and_the_others_in_groups() -> None:
    told = spelled(f"{TEXT}; python -m analysis report x; python -m personas list", SCRIPT)
    assert told == (
        "Type: feedsway run --persona p12, or feedsway store runs; feedsway analysis report x; "
        "feedsway personas list"
    )


def test_a_module_is_called_by_a_python_that_works_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert spelled(TEXT, "python -m agent") == TEXT  # conftest.py activates the environment
    monkeypatch.delenv("VIRTUAL_ENV")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "some folder" / ".venv"))
    monkeypatch.chdir(tmp_path)
    assert python_to_type() == "'some folder/.venv/bin/python'"
    assert "'some folder/.venv/bin/python' -m store runs" in spelled(TEXT, "python -m agent")


def test_a_python_of_no_environment_is_called_by_a_name_that_leads_to_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "bin" / "python3"
    own.parent.mkdir()
    own.touch()
    own.chmod(0o755)
    monkeypatch.delenv("VIRTUAL_ENV")
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(sys, "executable", str(own))
    monkeypatch.setenv("PATH", str(own.parent))
    assert python_to_type() == "python3"
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    assert python_to_type() == "bin/python3"


@pytest.mark.parametrize(
    "text",
    ["python -m agent.playground --port 0", "python -m pip install x", "mypython -m agent run", ""],
)
def test_what_is_no_command_of_ours_stays(text: str) -> None:
    assert spelled(text, SCRIPT) == text


def test_a_script_that_no_path_leads_to_is_called_by_its_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "bin" / SCRIPT
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin")
    assert spelled("python -m store runs", SCRIPT) == "bin/feedsway store runs"
    monkeypatch.chdir(script.parent)
    assert spelled("python -m store runs", SCRIPT) == "./feedsway store runs"
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}/usr/bin")
    assert spelled("python -m store runs", SCRIPT) == "feedsway store runs"
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / SCRIPT).symlink_to(script)  # as pipx does
    monkeypatch.setenv("PATH", str(tmp_path / "linked"))
    assert spelled("python -m store runs", SCRIPT) == "feedsway store runs"


def test_remarks_and_help_are_spelled_and_results_are_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @click.group(cls=CommandGroup, reporter=ErrorReporter({ValueError: 2}))
    def group() -> None:
        """Commands."""

    @group.command(epilog="\b\nExamples:\n  $ python -m store runs")
    @click.option("--x", help="See python -m agent run.")
    def tell(x: str | None) -> None:
        """Do python -m store index."""
        echo('{"said": "python -m agent run"}')
        echo("python -m agent run", err=True)
        raise ValueError("Type: python -m store runs")

    with pytest.raises(SystemExit):
        group.main(["tell", "--help"], prog_name=SCRIPT)
    told = capsys.readouterr().out
    assert "python" not in told
    assert told.count("feedsway") == 4  # usage, what it does, the option, the example
    with pytest.raises(SystemExit) as ended:
        group.main(["tell"], prog_name=SCRIPT)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == '{"said": "python -m agent run"}\n'
    assert said.err == "feedsway run\nType: feedsway store runs\n"

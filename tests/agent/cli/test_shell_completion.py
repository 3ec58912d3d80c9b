"""What a shell completes, asked as click's scripts ask, and in bash itself."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent import platforms
from agent.cli.completed_values import ENCODERS, MODELS, PLATFORMS, STRATEGIES, VALUE_SETS
from agent.cli.script import COMPLETE_VARIABLE, script
from agent.models.providers import PLANNED_JUDGES, find_capabilities
from personas.strategies import strategies
from personas.values import value_set
from store.encoders import check

RUN = "20261123-012242-p12-playground-8ad4"
LIMIT_S = 0.4
"""Of processor time, so that a busy machine does not count."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a run and a study, both damaged."""
    for folder in (f"runs/{RUN}", "studies/first-study"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    (tmp_path / "data" / "runs" / RUN / "ledger.jsonl").write_bytes(b"\xff{")
    (tmp_path / "data" / "studies" / "first-study" / "study.toml").write_text("x", "utf-8")
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "feedsway").write_text(
        f"#!{sys.executable}\nimport sys\nfrom agent.cli.script import main\nsys.exit(main())\n",
        encoding="utf-8",
    )
    (bin_ / "feedsway").chmod(0o755)
    return tmp_path


def environment(place: Path, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
        **more,
    }


def complete(place: Path, line: str, **more: str) -> list[str]:
    """Return what the script answers to bash about the last word of a line."""
    asked = {
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
        COMPLETE_VARIABLE: "bash_complete",
    }
    done = subprocess.run(
        ["feedsway"],
        cwd=place,
        env=environment(place, **asked, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("feedsway an", ["plain,analysis"]),
        ("feedsway store mer", ["plain,merge"]),
        ("feedsway run --dri", ["plain,--driver"]),
        ("feedsway run --persona p12", ["plain,p12"]),
        ("feedsway personas show p6", ["plain,p60"]),
        ("feedsway run --platform t", ["plain,tiktok"]),
        ("feedsway login y", ["plain,youtube"]),
        ("feedsway run --strategy i", ["plain,isq"]),
        ("feedsway run --model emb", ["plain,embedded/conse"]),
        ("feedsway store search x --encoder con", ["plain,conse"]),
        ("feedsway store show 2026", [f"plain,{RUN}"]),
        ("feedsway analysis report fi", ["plain,first-study"]),
        ("feedsway rejudge ", ["plain,first-study", "plain,latest", f"plain,{RUN}"]),
        ("feedsway analysis compare latest la", ["plain,latest"]),
        ("feedsway store show --data /nowhere ", ["file,"]),
        ("feedsway study ", ["file,"]),
        ("feedsway run --platform x", []),
    ],
)
def test_names_are_completed(place: Path, line: str, found: list[str]) -> None:
    assert complete(place, line) == found


def test_names_are_those_that_the_commands_know() -> None:
    assert PLATFORMS == platforms.NAMES
    assert strategies() == STRATEGIES
    for name in MODELS:
        find_capabilities(name)
    assert set(PLANNED_JUDGES) < set(MODELS)
    for name in ENCODERS:
        check(name)
    assert [value_set(name).id for name in VALUE_SETS] == list(VALUE_SETS)


def test_runs_are_completed_where_no_study_is_kept(place: Path) -> None:
    shutil.rmtree(place / "data" / "studies")
    assert f"plain,{RUN}" in complete(place, "feedsway film ")


def test_a_wrong_file_of_usual_values_is_no_noise(place: Path) -> None:
    (place / "feedsway.toml").write_text("modle = 1", "utf-8")
    asked = {"FEEDSWAY_CONFIG": str(place / "feedsway.toml")}
    assert complete(place, "feedsway personas show p12", **asked) == ["plain,p12"]
    assert complete(place, "feedsway store show ", **asked) == ["file,"]
    (place / "feedsway.toml").write_text('data = "kept"', "utf-8")
    (place / "data").rename(place / "kept")
    assert f"plain,{RUN}" in complete(place, "feedsway store show ", **asked)


@pytest.mark.parametrize("line", ["store show 2026", "run --platform t", "run --model e"])
def test_completing_is_quick(place: Path, line: str) -> None:
    took = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        complete(place, f"feedsway {line}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(took) < LIMIT_S


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_reads_the_printed_script(shell: str, tmp_path: Path) -> None:
    told = CliRunner().invoke(script, ["completion", shell], prog_name="feedsway")
    assert told.exit_code == 0
    assert COMPLETE_VARIABLE in told.output
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(told.output, encoding="utf-8")
    done = subprocess.run([shell, "-n", tmp_path / "script"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes(place: Path) -> None:
    asked = 'feedsway completion fish | source; complete -C "feedsway store show 2026"'
    done = subprocess.run(
        ["fish", "--no-config", "-c", asked],
        cwd=place,
        env=environment(place, HOME=str(place)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == (f"{RUN}\n", "")


@pytest.mark.skipif(shutil.which("script") is None, reason="no program `script` for a terminal")
def test_tab_completes_in_an_interactive_bash(place: Path) -> None:
    rc = 'PS1="$ "; eval "$(feedsway completion bash)"\n'
    (place / "rc").write_text(rc, encoding="utf-8")
    typed = "feedsway store show 2026\t\x01echo \x05\n exit\n"  # Ctrl-A, Ctrl-E: print the line
    done = subprocess.run(
        ["script", "-qec", f"bash --noprofile --rcfile {place / 'rc'} -i", "/dev/null"],
        input=typed,
        cwd=place,
        env=environment(place, TERM="xterm", HOME=str(place)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert f"\nfeedsway store show {RUN}" in done.stdout.replace("\r", "")

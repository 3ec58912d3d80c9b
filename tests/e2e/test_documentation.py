"""Every block of the README and every example of the agent's ``--help`` is run, as it is written.

Those that take long are drills. The other packages run their own examples in their own folders of
tests.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import click
import pytest

from agent.cli import cli
from analysis.examples.study import write_example
from tests.store.dataset.donation_samples import packed, tiktok, youtube
from tests.xvfb import screen

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
EXAMPLE = re.compile(r"^\s*(python -m agent .+)$", re.MULTILINE)
A_RUN = re.compile(r"\b20250301-p\d\d\b")  # as the examples call one
THE_TEST_COMMAND = "make test"  # this is it
LONG = (
    "--after 10",
    "--persona ./me.toml",
    "embedded/conse",
    "--everyone",
    "bench",
    "align",
    "judge-check",
    "spectrum",
    "agent doctor",
    "pairs latest",
    "probe --model",
    "calibrate",
    "agent plan",
    "study.toml --shard",
)
"""Words of the lines that take a quarter of a minute and more."""
ENDLESS = ("agent playground", "agent open", "agent daemon watch.toml")


def readme_commands() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def help_examples() -> list[str]:
    found: list[str] = []
    for command in cli.commands.values():
        found += examples(command)
    return list(dict.fromkeys(found))


def examples(command: click.Command) -> list[str]:
    return EXAMPLE.findall(command.epilog or "")


def test_every_command_has_an_example() -> None:
    assert [name for name, command in cli.commands.items() if not examples(command)] == []


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of the README's persona, and with the files that examples name."""
    folder = tmp_path_factory.mktemp("workplace")
    run_line("python -m agent run --persona p12 --before 8 --after 8", folder)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    run_line("python -m agent study --example > study.toml", folder)
    run_line("python -m agent daemon --example > watch.toml", folder)
    run_line("python -m agent pairs --model scripted/editor --frames 8", folder)  # to be probed
    shutil.copytree(ROOT / "tests" / "recordings" / "tiktok" / "2026-11-23", folder / "recording")
    put_histories(folder)
    (own,) = (line for line in readme_commands() if line.endswith("> me.toml"))
    run_line(own, folder)
    return folder


def put_histories(folder: Path) -> None:
    """Put the files there that the examples of ``agent import`` name."""
    taken = packed({"user_data_tiktok.json": tiktok(20)})
    (folder / "TikTok_Data_1700000000.zip").write_bytes(taken)
    (folder / "takeout.zip").write_bytes(packed({"Takeout/history/watch-history.json": youtube()}))
    capture = {
        "source_platform": "tiktok.com",
        "timestamp_collected": 1767312000000,
        "data": {"id": "7300000000000000001", "desc": "a caption", "stats": {"diggCount": 1}},
    }
    place = folder / "zeeschuimer-export-tiktok.com.ndjson"
    place.write_text(json.dumps(capture) + "\n", "utf-8")


def study_folder(folder: Path) -> Path:
    """Return a folder with a study, and answers that were saved before one was given."""
    write_example(folder / "data")
    (folder / "answers.csv").write_text("question,answer\n", encoding="utf-8")
    return folder


def environment(folder: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"FEEDSWAY_DATA": str(folder / "data"), "PATH": path, "BROWSER": "true"}  # opens nothing
    return {**os.environ, **own}


def run_line(line: str, folder: Path) -> str:
    """Run a line in a shell, in the folder; end it after a while if it never ends by itself."""
    process = subprocess.Popen(
        ["bash", "-c", line],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    if line.endswith(ENDLESS[-1]) or any(words in line for words in ENDLESS[:-1]):
        return until_it_serves(process)
    try:
        told, _ = process.communicate(timeout=280)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # what it started as well
        process.communicate()
        raise
    assert process.returncode == 0, told
    return told


def sign_in(line: str, workplace: Path, page: str, folder: Path) -> None:
    """Run an example of signing in where a window can open, at a page on this machine."""
    if line == f"python -m agent login {' '.join(shlex.split(line)[4:7])}":
        line += f" --url {page}"
    with screen(1280, 900, folder):
        run_line(line, workplace)


def until_it_serves(process: subprocess.Popen[str]) -> str:
    """Read what a server tells until its address is there, then interrupt it."""
    assert process.stdout is not None
    killer = threading.Timer(120, process.kill)
    killer.start()
    told = ""
    with process:
        for line in process.stdout:
            told += line
            if "http://127.0.0.1:" in line:
                os.killpg(process.pid, signal.SIGINT)
    killer.cancel()
    assert "http://127.0.0.1:" in told
    assert "Traceback" not in told
    return told


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_the_readme_s_first_command(tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "run", f"PYTHON={sys.executable}"],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=580,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "share of yes" in done.stdout


def each(lines: list[str]) -> list[Any]:
    """Have those lines be drills that take long."""
    return [
        pytest.param(line, marks=pytest.mark.drill)
        if any(words in line for words in LONG)
        else line
        for line in lines
    ]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("line", each([c for c in readme_commands() if c[:5] != "make "]))
def test_readme(workplace: Path, line: str) -> None:
    told = run_line(A_RUN.sub("latest", line), workplace)
    assert told.strip() or ">" in line


def test_readme_names_the_two_commands() -> None:
    assert {"make run", THE_TEST_COMMAND} <= set(readme_commands())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("line", each(help_examples()))
def test_examples_of_help(workplace: Path, line: str, sign_in_page: str, tmp_path: Path) -> None:
    words = shlex.split(line)
    if words[:4] == ["python", "-m", "agent", "login"]:
        sign_in(line, workplace, sign_in_page, tmp_path)
        return
    if words[:4] == ["python", "-m", "agent", "run"] and len(words) == 6:
        pytest.skip("this is what `make run` runs, and the workplace was made with it")
    if "first-study" in words:
        line, workplace = line.replace("first-study", "example"), study_folder(tmp_path)
    told = run_line(A_RUN.sub("latest", line), workplace)
    assert told.strip() or ">" in line

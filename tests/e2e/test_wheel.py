"""A wheel holds everything that is tracked, and works in a folder that knows no repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.agent.cli.test_script import MODULES

ROOT = Path(__file__).parents[2]
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
"""What pip does in the end, without an environment of its own for it."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of what git tracks, made without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked("LICENSE", "README.md", "pyproject.toml", *MODULES):
        if (ROOT / name).is_file():  # else deleted, and not committed yet
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / "source" / name)
    command = [sys.executable, "-c", BUILD, str(folder)]
    done = subprocess.run(
        command, cwd=folder / "source", capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("feedsway-*.whl")
    return made


def tracked(*folders: str) -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", *folders], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return set(listed.strip("\0").split("\0"))


def test_the_wheel_holds_every_tracked_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        (entries,) = (one for one in archive.namelist() if one.endswith("entry_points.txt"))
        assert "feedsway = agent.cli.script:main" in archive.read(entries).decode()
    expected = {name for name in tracked(*MODULES) if (ROOT / name).is_file()}
    assert len(expected) > 700
    assert sorted(expected - held) == []
    assert sorted(held - expected) == []


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_a_wheel_in_an_empty_folder_runs_what_the_readme_shows(wheel: Path, tmp_path: Path) -> None:
    """Third parties' packages are those of this environment; feedsway is the wheel's alone."""
    home, work = tmp_path / "environment", tmp_path / "work"
    venv.create(home, with_pip=False)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    command = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install"]
    command += ["--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(command, check=True, timeout=120)
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    work.mkdir()
    told = {name: os.environ[name] for name in ("HOME", "LANG", "TZ") if name in os.environ}
    around = {**told, "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    around |= {"FEEDSWAY_CONFIG": "", "FEEDSWAY_WARM_S": "0"}

    def run(line: str) -> str:
        done = subprocess.run(
            ["bash", "-c", line], cwd=work, env=around, capture_output=True, text=True, timeout=280
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    place = run("python -c 'import agent; print(agent.__path__[0])'").strip()
    assert Path(place) == site / "agent"
    next_ = run("feedsway run --persona p12 --before 8 --after 8").partition("\nNext\n")[2]
    commands = [line.strip() for line in next_.splitlines() if line.startswith("  feedsway ")]
    assert len(commands) == 4
    commands.remove("feedsway open")  # serves until it is ended
    for line in commands:  # what it says to type works as it is
        run(line if "--example" not in line else f"{line} > study.toml")
    text = (ROOT / "docs" / "commands.md").read_text("utf-8")
    shown = re.findall(r"^\$ (.+)$", text, re.MULTILINE)
    assert len(shown) > 8
    shown.remove("feedsway run --persona p12")  # as above, and longer
    for line in (
        *shown,
        "feedsway study study.toml --dry-run",
        "feedsway analysis notebooks notebooks",
        "feedsway spectrum --model scripted/yes --values foundations",
        "feedsway store verify",
        "feedsway doctor",
        "python -m store runs",
    ):
        run(line)
    assert len(list((work / "notebooks").glob("*.ipynb"))) == 6

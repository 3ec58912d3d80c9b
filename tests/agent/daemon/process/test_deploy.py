"""What stands in deploy/ and in the texts about looking in is true of this code."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.daemon.web.prometheus import exposition
from agent.daemon.web.status import read_status
from store.runs.data_folder import DataFolder
from tests.agent.daemon.made_data_folder import World

ROOT = Path(__file__).parents[4]
UNIT = ROOT / "deploy" / "feedsway.service"
STATUS = (ROOT / "docs" / "status.md").read_text("utf-8")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_the_unit_is_one(tmp_path: Path) -> None:
    text = UNIT.read_text("utf-8").replace("/opt/feedsway/.venv/bin/python", sys.executable)
    (tmp_path / UNIT.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / UNIT.name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_metric_is_documented_and_no_other(tmp_path: Path) -> None:
    world = World(DataFolder(tmp_path / "data"), datetime.now(UTC))
    world.keep("r1", "yyn")
    told = exposition(read_status(world.data, datetime.now(UTC), ())).decode()
    world.close()
    exported = set(re.findall(r"^# HELP (\S+)", told, re.MULTILINE))
    assert set(re.findall(r"^\| (`feedsway.*?`) \|", STATUS, re.MULTILINE))
    table = " ".join(re.findall(r"^\| (`feedsway[^|]*)\|", STATUS, re.MULTILINE))
    assert set(re.findall(r"`(feedsway\w+)`", table)) == exported


def test_the_image_takes_what_there_is() -> None:
    recipe = (ROOT / "deploy" / "Dockerfile").read_text("utf-8")
    for line in re.findall(r"^COPY (.+)$", recipe, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists()


def test_the_page_is_packaged() -> None:
    import tomllib

    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "site/*" in packaged["tool"]["setuptools"]["package-data"]["*"]
    assert {path.suffix for path in (ROOT / "agent" / "daemon" / "web" / "site").iterdir()} == {
        ".html",
        ".css",
        ".js",
        ".svg",
    }

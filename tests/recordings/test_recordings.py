"""Each recording beside this file is read today as a person has approved it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from agent.cli import cli
from agent.doctor.expected_videos import (
    PlayedBack,
    list_differences,
    play_back,
    read_described,
    read_expected,
)
from agent.drivers.web.browser import find_browser
from agent.platforms import tiktok
from agent.recordings.recording_file import NAME, read_recording
from agent.run.environment import RunBrowser
from agent.run.pacing import PaceLimits, SlowHands
from agent.run_config import HandPace, RunConfig
from personas.library import find
from store.runs.data_folder import DataFolder

HERE = Path(__file__).parent
FOLDERS = sorted(path.parent for path in HERE.rglob(NAME))
MOST_BYTES = 300_000


def played_back(folder: Path, data: Path) -> PlayedBack:
    config = RunConfig(persona=find("p01"), platform="recording", site=None, recording=folder)
    browser = RunBrowser(DataFolder(data), find_browser())
    pace, rng = HandPace(floor_s=0), np.random.default_rng(1)
    hands = SlowHands(pace, PaceLimits(), 0, rng, lambda: datetime.now(UTC))
    return asyncio.run(play_back(config, browser, hands))


def test_each_site_has_a_recording() -> None:
    assert {folder.parent.name for folder in FOLDERS} >= {"tiktok", "youtube", "instagram"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(HERE)))
def test_a_recording_is_read_as_expected(folder: Path, tmp_path: Path) -> None:
    expected = read_expected(folder)
    assert expected is not None, f"Type: python -m agent record --expect {folder}"
    assert len(expected["videos"]) == len(read_recording(folder).videos) > 0
    assert (folder / NAME).stat().st_size < MOST_BYTES
    played = played_back(folder, tmp_path)
    assert list_differences(expected["videos"], played.videos) == []
    assert {name: played.as_dict()[name] for name in ("platform", "walls", "fault")} == {
        name: expected[name] for name in ("platform", "walls", "fault")
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(HERE)))
def test_what_is_expected_is_what_was_read_on_the_day(folder: Path) -> None:
    """Redaction changed nothing that the adapter reads; a difference needs a reason in a README."""
    expected = read_expected(folder)
    assert expected is not None
    assert list_differences(read_described(folder), expected["videos"]) == []


def test_a_difference_is_found() -> None:
    assert list_differences([{"id": "a", "likes": 3}], [{"id": "a", "likes": 4}]) == [
        "video 0: likes is 4, not 3"
    ]
    assert list_differences([{"id": "a"}], []) == ["0 videos were read, not 1"]


@pytest.mark.drill
def test_a_newer_adapter_is_tried_on_a_recording(tmp_path: Path) -> None:
    """A wrong one is named by the canary, with the site gone; a right one holds."""
    folder = next(one for one in FOLDERS if one.parent.name == "tiktok")
    text = Path(tiktok.__file__).with_suffix(".toml").read_text(encoding="utf-8")
    right, wrong = tmp_path / "right.toml", tmp_path / "wrong.toml"
    right.write_text(text.replace("version = 1", "version = 2"), encoding="utf-8")
    gone = text.replace("^xgwrapper-", "^player-").replace("[data-more-menu-item-id]", "[data-x]")
    wrong.write_text(gone, encoding="utf-8")
    words = ["doctor", "--platform", "recording", "--of", str(folder)]
    found = {}
    for adapter in (right, wrong):
        given = [*words, "--adapter", str(adapter), "--json", "--data", str(tmp_path / "data")]
        done = CliRunner().invoke(cli, given)
        found[adapter] = done.exit_code, json.loads(done.stdout)["verdicts"]["id"]["verdict"]
    assert found == {right: (0, "holds"), wrong: (1, "fails")}

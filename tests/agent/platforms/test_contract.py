"""One contract, every platform: nothing skipped, nothing doubled, every field right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from tests.agent.platforms.running import Told, check, watch
from tests.e2e.commands import feedsway
from tests.slow_cases import drills_but

PLATFORMS = ("playground", "tiktok", "youtube", "instagram")
Watching = Callable[[str], Told]


def _kept(tmp_path_factory: pytest.TempPathFactory, videos: int) -> Watching:
    done: dict[str, Told] = {}

    def run(platform: str) -> Told:
        if platform not in done:
            done[platform] = watch(tmp_path_factory.mktemp(platform), platform, videos)
        return done[platform]

    return run


@pytest.fixture(scope="module")
def thirty(tmp_path_factory: pytest.TempPathFactory) -> Watching:
    return _kept(tmp_path_factory, 30)


@pytest.mark.parametrize("platform", drills_but(PLATFORMS[1:2], PLATFORMS))
def test_thirty_videos_are_each_seen_once_and_known(thirty: Watching, platform: str) -> None:
    told = thirty(platform)
    _holds(told, platform, 30)
    kinds = {step.excluded for step in told.steps}
    assert "ad" in kinds
    assert ("live" in kinds) == (platform != "instagram")


@pytest.mark.drill
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_hundred_videos_are_each_seen_once_and_known(tmp_path: Path, platform: str) -> None:
    told = watch(tmp_path, platform, 100)
    _holds(told, platform, 100)
    again = watch(tmp_path, "replay", 100, of=told.ledger.started.run_id)
    assert [step.video for step in again.steps] == [step.video for step in told.steps]


def test_a_replay_keeps_the_contract(thirty: Watching) -> None:
    told = thirty("tiktok")
    again = watch(told.data.root, "replay", 30, of=told.ledger.started.run_id)
    assert again.fault is None
    assert [step.video for step in again.steps] == [step.video for step in told.steps]
    assert [step.excluded for step in again.steps] == [step.excluded for step in told.steps]
    assert [step.frames for step in again.steps] == [step.frames for step in told.steps]


@pytest.mark.drill
def test_the_source_of_each_field_is_told(thirty: Watching) -> None:
    first, late = (thirty("tiktok").steps[place].video.sources for place in (0, 20))
    assert (first["caption"], first["id"]) == ("inline", "page")
    assert (late["caption"], late["likes"]) == ("network", "network")
    assert thirty("youtube").steps[0].video.sources["id"] == "url"


@pytest.mark.drill
def test_the_command_watches_a_skin_with_the_adapter_of_its_site(tmp_path: Path) -> None:
    words = ("run", "--persona", "p12", "--platform", "tiktok", "--skin", "remake=400")
    more = ("--before", "6", "--after", "6", "--no-index", "--data", str(tmp_path), "--json")
    done = feedsway(*words, *more)
    assert done.returncode == 0, done.stderr
    (path,) = DataFolder(tmp_path).ledgers()
    told = Told(read(path), DataFolder(tmp_path))
    assert (told.ledger.started.platform, len(told.steps)) == ("tiktok", 12)
    assert told.ledger.started.config["site"]["skin"] == "tiktok"
    check(told, "tiktok")


def _holds(told: Told, platform: str, videos: int) -> None:
    assert told.fault is None
    assert [fault.message for fault in told.ledger.faults] == []
    assert sum(step.eligible for step in told.steps) == videos
    check(told, platform)

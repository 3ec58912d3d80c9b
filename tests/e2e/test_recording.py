"""A recording of a skin, its server gone, is watched as the skin was: by the public commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.recordings.recording_file import (
    NAME,
    Line,
    pack_lines,
    read_recording,
)
from tests.e2e.commands import feedsway, ledgers, only

FIELDS = (
    "id",
    "url",
    "author",
    "author_name",
    "caption",
    "hashtags",
    "likes",
    "comments",
    "views",
    "duration_s",
    "ad",
    "live",
    "batch",
    "batch_requested_at",
)
COMMITTED = Path(__file__).parents[1] / "recordings"


def record(folder: Path, platform: str, videos: int, switches: str = "plain") -> dict[str, Any]:
    words = ["record", "--platform", platform, "--skin", switches, "--videos", str(videos)]
    done = feedsway(*words, "--data", str(folder), "--to", str(folder / "made"), "--json")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def watch(data: Path, recording: Path, videos: int, *more: str) -> list[dict[str, Any]]:
    """Run on a recording, and return what the ledger says of its videos."""
    half = str(videos // 2)
    words = ["run", "--platform", "recording", "--of", str(recording), "--persona", "p12"]
    words += ["--model", "scripted/no", "--no-index", "--max-missing", "0", "--json", *more]
    rest = str(videos - videos // 2)
    done = feedsway(*words, "--before", half, "--after", rest, "--data", str(data))
    assert done.returncode == 0, done.stderr
    ledger = only(data)
    assert ledger.started.platform == "recording"
    return [step.video.model_dump() for step in ledger.steps]


def same(recorded: list[dict[str, Any]], watched: list[dict[str, Any]]) -> None:
    assert len(recorded) == len(watched)
    for before, after in zip(recorded, watched, strict=True):
        for name in FIELDS:
            value = list(after[name]) if name == "hashtags" else after[name]
            expected = before[name]
            if name == "duration_s" and expected is not None:
                assert value == pytest.approx(expected, abs=1e-3)
            else:
                assert value == expected, name


@pytest.mark.drill
def test_a_recorded_skin_is_watched_again(tmp_path: Path) -> None:
    told = record(tmp_path, "tiktok", 2)
    assert told["faults"] == []
    same(told["videos"], watch(tmp_path, tmp_path / "made" / NAME, 2))


@pytest.mark.drill
@pytest.mark.parametrize(
    ("platform", "switches"),
    [("tiktok", "photos=3"), ("youtube", "layout=b"), ("instagram", "ads=2"), ("youtube", "plain")],
)
def test_recorded_skins_are_watched_again(platform: str, switches: str, tmp_path: Path) -> None:
    told = record(tmp_path, platform, 24, switches)
    assert platform != "instagram" or any(one["ad"] for one in told["videos"])
    eligible = sum(not scene["ad"] and not scene["live"] for scene in told["videos"])
    most = eligible - 3  # photo posts, and what did not load on a busy machine, do not count
    watched = watch(tmp_path, tmp_path / "made", most)
    same(told["videos"][: len(watched)], watched)
    assert len(watched) >= most


def write_undescribed(recording: Path, folder: Path) -> None:
    """Write a recording again without what tells before the run which videos count."""
    read = read_recording(recording)
    lines: list[Line] = [read.header, *read.inline]
    for at, scene in enumerate(read.scenes):
        lines += [one.answer for one in read.answers if one.due == at]
        lines.append(scene.model_copy(update={"described": None}))
    lines += [one.answer for one in read.answers if one.due == len(read.scenes)]
    folder.mkdir()
    (folder / NAME).write_bytes(pack_lines(lines))


@pytest.mark.drill
def test_a_run_for_which_too_few_count_says_what_to_type(tmp_path: Path) -> None:
    write_undescribed(next((COMMITTED / "tiktok").rglob(NAME)), tmp_path / "made")
    words = ["run", "--platform", "recording", "--of", str(tmp_path / "made"), "--persona", "p12"]
    words += ["--model", "scripted/no", "--no-index", "--data", str(tmp_path)]
    done = feedsway(*words, "--before", "4", "--after", "3")  # seven videos, one is an ad
    assert done.returncode == 1
    assert "Type: the same with --before 3 --adapt 0 --after 3" in " ".join(done.stderr.split())
    done = feedsway(*words, "--before", "2", "--after", "3")
    assert done.returncode == 0, done.stderr


def test_bad_recordings_and_options_are_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"no recording")
    base = ["run", "--persona", "p12", "--data", str(tmp_path), "--platform", "recording"]
    tiktok = str(next((COMMITTED / "tiktok").rglob(NAME)).parent)
    for words, says in (
        (base, "Type: --platform recording --of FOLDER"),
        ([*base, "--of", str(tmp_path)], "Type: python -m agent record --help"),
        ([*base, "--of", tiktok], "Type: --before 2 --adapt 0 --after 3"),
        (["record", "--platform", "playground"], "Type: --platform tiktok|youtube|instagram"),
        (["record"], "Type: --platform tiktok, or --show or --expect FOLDER"),
        (["doctor", "--platform", "recording"], "Type: --platform recording --of FOLDER"),
    ):
        done = feedsway(*words)
        assert done.returncode == 2, done.stderr
        assert says in done.stderr
        assert "Traceback" not in done.stderr
    assert ledgers(tmp_path) == []


def test_what_a_recording_holds_can_be_read(tmp_path: Path) -> None:
    folder = next((COMMITTED / "tiktok").rglob(NAME)).parent
    done = feedsway("record", "--show", str(folder), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["of_skin"] is True
    assert "https://www.tiktok.com/foryou" in told["addresses"]
    described = read_recording(folder).videos[0].described
    assert described is not None
    assert described["caption"] in told["texts"]
    assert "Decline optional cookies" in told["texts"]

"""Plays a recording back, and compares what the adapter reads with what a person has approved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from agent.doctor.feed_walk import walk_feed
from agent.doctor.site_recording import describe_video
from agent.drivers.base import ActiveVideo
from agent.errors import BadExpectations, FeedEmpty, RunFault
from agent.recordings.recording_file import find_recording, read_recording
from agent.recordings.session_redaction import VIDEO_FIELDS
from agent.run.environment import RunBrowser, open_feed
from agent.run_config import RunConfig
from store.runs.ledger_lines import Video
from store.untrusted.size_limits import ForeignFault, read_file

if TYPE_CHECKING:
    from agent.run.pacing import SlowHands

NAME = "expected.json"
WATCH_S = 0.2
MOST_BYTES = 8 * 2**20


class ApprovedReading(BaseModel):
    """What a person approved of a recording, as it stands in its file."""

    platform: str
    walls: list[str]
    fault: str | None
    videos: list[dict[str, Any]]


@dataclass
class PlayedBack:
    """What an adapter reads of a recording, in the order of the feed."""

    platform: str
    videos: list[dict[str, Any]] = field(default_factory=list)
    walls: list[str] = field(default_factory=list)
    fault: str | None = None
    """Class of what ended it before the recording's end; a wall that stands is one."""

    def as_dict(self) -> dict[str, Any]:
        told = {"platform": self.platform, "walls": self.walls, "fault": self.fault}
        return told | {"videos": self.videos}


async def play_back(config: RunConfig, run_browser: RunBrowser, hands: SlowHands) -> PlayedBack:
    """Play a recording back to its end."""
    from agent.drivers.web.playback_driver import PlaybackDriver

    assert config.recording is not None
    recording = read_recording(config.recording)
    played = PlayedBack(recording.header.platform)
    async with AsyncExitStack() as stack:
        opened = await open_feed(config, run_browser, "record", 0, stack)
        assert isinstance(opened.driver, PlaybackDriver)

        async def see(shown: ActiveVideo, video: Video) -> None:
            played.videos.append(tell_fields(describe_video(shown, video)))

        try:
            await walk_feed(opened, len(recording.videos) + 1, hands, WATCH_S, see)
        except FeedEmpty:
            played.fault = opened.feed.refusal
        except RunFault as fault:
            played.fault = type(fault).__name__
        played.walls = list(opened.driver.walls)
    return played


def tell_fields(video: Mapping[str, Any]) -> dict[str, Any]:
    """Return the compared fields of a described video, as JSON has them."""
    told = {name: video.get(name) for name in VIDEO_FIELDS}
    if told["duration_s"] is not None:
        told["duration_s"] = round(told["duration_s"], 3)
    return told | {"hashtags": list(told["hashtags"] or ())}


def list_differences(
    expected: Sequence[Mapping[str, Any]], videos: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Say, video by video, which fields are not as expected."""
    differ = [
        f"video {at}: {name} is {video.get(name)!r}, not {value!r}"
        for at, (wanted, video) in enumerate(zip(expected, videos, strict=False))
        for name, value in wanted.items()
        if video.get(name) != value
    ]
    if len(expected) != len(videos):
        differ.append(f"{len(videos)} videos were read, not {len(expected)}")
    return differ


def list_changes(approved: Mapping[str, Any], told: Mapping[str, Any]) -> list[str]:
    """Say what differs from what was approved: the platform, the walls, the fault, the videos."""
    wanted = {name: approved.get(name) for name in ("platform", "walls", "fault")}
    differ = [
        f"{name}: {told[name] or 'none'}, not {value or 'none'}"
        for name, value in wanted.items()
        if told[name] != value
    ]
    return differ + list_differences(approved["videos"], told["videos"])


def read_described(path: Path) -> list[dict[str, Any]]:
    """Return what the adapter of the day read, as the recording itself tells it."""
    recording = read_recording(path)
    return [tell_fields(scene.described or {}) for scene in recording.videos]


def find_expected(path: Path) -> Path:
    """Return where the expectations of a recording lie."""
    return find_recording(path).with_name(NAME)


def read_expected(path: Path) -> dict[str, Any] | None:
    """Read the expectations beside a recording; ``None`` where there are none yet."""
    place = find_expected(path)
    if not place.exists():
        return None
    try:
        return ApprovedReading.model_validate_json(read_file(place, MOST_BYTES)).model_dump()
    except (OSError, ForeignFault) as error:
        raise BadExpectations(str(place), str(error)) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))[:200]
        raise BadExpectations(str(place), f"{where}: {first['msg']}".removeprefix(": ")) from None

"""Speed never buys a wrong picture: every frame shows the very item that its step names."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from agent.playground.catalogue import load_catalogue
from agent.playground.fiducial_marker import read_mark
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from tests.e2e.commands import only, run
from tests.slow_cases import drills_but
from tests.store.samples import delivered


def frames_show_what_their_steps_name(data: Path, motion: str, videos: int) -> None:
    more = ("--motion", motion, "--model", "scripted/coin?p=0.3", "--feed", "random", "--no-index")
    run(data, *more, before=videos, after=0)
    frames = FrameStore(DataFolder(data).frames_dir)
    numbers = {item.id: item.number for item in load_catalogue().items}
    steps = only(data).steps
    for step in steps:
        with Image.open(io.BytesIO(frames.read(step.frames[0].sha256))) as picture:
            assert picture.size == (360, 640)
            assert read_mark(picture) == numbers[step.video.id], step.position
    assert sum(step.eligible for step in steps) == videos


@pytest.mark.parametrize("motion", drills_but(["instant"], ["smooth", "instant"]))
def test_frames_show_what_their_steps_name(tmp_path: Path, motion: str) -> None:
    frames_show_what_their_steps_name(tmp_path, motion, 20)


@pytest.mark.timing
@pytest.mark.drill
def test_several_frames_of_each_video_are_exposure(tmp_path: Path) -> None:
    more = ("--frames", "4", "--frame-span", "2", "--model", "scripted/coin?p=0.3", "--no-index")
    run(tmp_path, *more, "--speed", "4", before=6, after=0)
    frames = FrameStore(DataFolder(tmp_path).frames_dir)
    numbers = {item.id: item.number for item in load_catalogue().items}
    for step in only(tmp_path).steps:
        if not step.eligible:
            continue
        assert len(step.frames) == len({frame.sha256 for frame in step.frames}) == 4
        for frame in step.frames:
            with Image.open(io.BytesIO(frames.read(frame.sha256))) as picture:
                assert read_mark(picture) == numbers[step.video.id], step.position
        assert delivered(step) >= step.reaction.exposure_s >= 2


@pytest.mark.drill
@pytest.mark.timeout(900)
@pytest.mark.parametrize("motion", ["smooth", "instant"])
def test_two_hundred_frames_show_what_their_steps_name(tmp_path: Path, motion: str) -> None:
    frames_show_what_their_steps_name(tmp_path, motion, 200)

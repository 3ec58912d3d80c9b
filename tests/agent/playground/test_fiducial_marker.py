from __future__ import annotations

import io
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from agent.playground.clip_frames import SIZE
from agent.playground.clips import ClipStore
from agent.playground.fiducial_marker import CAPACITY, draw_mark, mark_corner, read_mark
from tests.agent.playground.site import small_catalogue


def jpeg(image: Image.Image, quality: int = 80) -> Image.Image:
    kept = io.BytesIO()
    image.save(kept, "JPEG", quality=quality)
    return Image.open(kept)


def noise(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (640, 360, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_every_number_is_read_back() -> None:
    for number in range(0, CAPACITY, 37):
        picture = noise(number)
        picture.paste(draw_mark(number), mark_corner())
        assert read_mark(jpeg(picture)) == number


@pytest.mark.parametrize("width", [270, 360, 390, 540, 720])
def test_a_mark_is_read_at_other_sizes_and_slightly_off(width: int) -> None:
    picture = noise(1)
    picture.paste(draw_mark(1234), mark_corner())
    height = width * 640 // 360
    scaled = picture.resize((width, height), Image.Resampling.BILINEAR)
    moved = Image.new("RGB", scaled.size, "grey")
    moved.paste(scaled, (1, 1))
    assert read_mark(jpeg(scaled)) == 1234
    assert read_mark(jpeg(moved)) == 1234


def test_pictures_without_a_mark_have_none() -> None:
    assert all(read_mark(noise(seed)) is None for seed in range(100))
    assert read_mark(Image.new("RGB", (360, 640), "white")) is None
    assert read_mark(Image.new("RGB", (8, 8))) is None


def test_numbers_beyond_the_mark_are_refused() -> None:
    with pytest.raises(ValueError, match="8191"):
        draw_mark(CAPACITY)


@pytest.mark.drill
def test_marks_are_read_from_every_clip_at_several_moments(cache: Path) -> None:
    store = ClipStore(cache)
    for item in small_catalogue().items:
        frames = decoded(store.clip(item))
        assert len(frames) >= 3
        assert {read_mark(jpeg(frame)) for frame in frames} == {item.number}


def decoded(clip: Path) -> list[Image.Image]:
    """One frame of every two seconds."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-i", str(clip)]
    raw = subprocess.run(
        [*command, "-vf", "fps=0.5", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        capture_output=True,
        check=True,
    ).stdout
    size = SIZE[0] * SIZE[1] * 3
    return [
        Image.frombytes("RGB", SIZE, raw[start : start + size])
        for start in range(0, len(raw), size)
    ]

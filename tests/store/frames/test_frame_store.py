"""Frames: kept under their own hash, described without knowing what they show."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from store.errors import DamagedFrame, DataUnreadable, DataUnwritable
from store.frames.frame_store import FrameStore, describe
from tests.store.samples import jpeg


def save(picture: Image.Image, quality: int = 85) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def scene(size: tuple[int, int] = (360, 640)) -> Image.Image:
    """A picture with large and small shapes."""
    rng = np.random.default_rng(3)
    picture = Image.new("RGB", size, (90, 120, 160))
    draw = ImageDraw.Draw(picture)
    for _ in range(40):
        left, top = rng.uniform(0, 1, 2) * size
        width, height = rng.uniform(10, 160, 2)
        colour = tuple(int(value) for value in rng.integers(0, 255, 3))
        draw.ellipse((left, top, left + width, top + height), fill=colour)
    return picture


@pytest.mark.parametrize("sync", [True, False])
def test_a_frame_lies_under_its_own_hash(tmp_path: Path, sync: bool) -> None:
    store = FrameStore(tmp_path / "frames")
    picture = jpeg("red")
    sha256 = store.put(picture, sync=sync)
    assert sha256 == hashlib.sha256(picture).hexdigest()
    assert store.path(sha256) == tmp_path / "frames" / sha256[:2] / f"{sha256}.jpg"
    assert store.path(sha256).read_bytes() == picture == store.read(sha256)
    assert list(store.all()) == [sha256]
    assert store.unfinished() == []


def test_a_frame_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    store = FrameStore(tmp_path)
    path = store.path(store.put(jpeg("red")))
    before = path.stat()
    store.put(jpeg("red"))
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_name_that_a_power_cut_left_without_its_bytes_is_filled(tmp_path: Path) -> None:
    store = FrameStore(tmp_path)
    path = store.path(store.put(jpeg("red")))
    path.write_bytes(b"")
    assert store.read(store.put(jpeg("red"))) == jpeg("red")


def test_changed_and_missing_bytes_are_noticed(tmp_path: Path) -> None:
    store = FrameStore(tmp_path)
    sha256 = store.put(jpeg("red"))
    path = store.path(sha256)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DamagedFrame):
        store.read(sha256)
    path.unlink()
    with pytest.raises(DataUnreadable):
        store.read(sha256)


def test_a_refusing_disk_leaves_no_temporary_file(tmp_path: Path) -> None:
    store = FrameStore(tmp_path)
    sha256 = hashlib.sha256(jpeg("red")).hexdigest()
    store.path(sha256).mkdir(parents=True)  # the rename cannot take a folder's place
    with pytest.raises(DataUnwritable):
        store.put(jpeg("red"))
    assert store.unfinished() == []
    (tmp_path / "file").write_text("")
    with pytest.raises(DataUnwritable):
        FrameStore(tmp_path / "file").put(jpeg("red"))


def test_description_gives_the_size_of_the_whole_picture() -> None:
    seen = describe(save(scene((360, 640))))
    assert (seen.width, seen.height, seen.quality) == (360, 640, "ok")
    assert len(seen.phash) == 16
    with pytest.raises(ValueError, match="no picture"):
        describe(b"no picture")


def test_the_hash_is_imagehash_s_own_and_close_to_that_of_the_full_picture() -> None:
    import imagehash

    picture = save(scene())
    full = imagehash.phash(Image.open(io.BytesIO(picture)))
    assert imagehash.hex_to_hash(describe(picture).phash) - full <= 2
    small = save(scene().resize((60, 106)))  # too small for a reduced decoding
    assert describe(small).phash == str(imagehash.phash(Image.open(io.BytesIO(small))))


@pytest.mark.parametrize("level", [0, 16, 128, 235, 255])
@pytest.mark.parametrize("noise", [0, 1])
def test_a_picture_of_one_tone_is_blank(level: int, noise: int) -> None:
    rng = np.random.default_rng(level)
    pixels = np.clip(level + rng.normal(0, noise, (640, 360, 3)), 0, 255).round().astype(np.uint8)
    assert describe(save(Image.fromarray(pixels))).quality == "blank"


@pytest.mark.parametrize("share", [1, 0.3, 0.1, 1 / 30])
def test_a_dark_picture_with_content_is_not_blank(share: float) -> None:
    assert describe(save(ImageEnhance.Brightness(scene()).enhance(share))).quality == "ok"


def test_a_faint_figure_on_black_is_not_blank() -> None:
    """It was filmed: a drawn one, all of one tone, is what a loading player shows."""
    picture = Image.new("RGB", (360, 640))
    picture.paste(ImageEnhance.Brightness(scene((200, 300))).enhance(0.08), (80, 200))
    assert describe(save(picture)).quality == "ok"
    drawn = Image.new("RGB", (360, 640))
    ImageDraw.Draw(drawn).rectangle((100, 200, 160, 260), fill=(80, 80, 80))
    assert describe(save(drawn)).quality == "blank"

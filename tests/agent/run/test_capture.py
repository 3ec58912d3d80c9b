"""A blank frame is taken again once, and is then recorded as what it is."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from agent.drivers.base import ActiveVideo, Capture
from agent.run.capture import sheet, take_frames
from agent.run.recorder import LedgerRecorder
from agent.run_config import Frames
from store.frames.frame_store import FrameStore
from store.runs.ledger import LedgerWriter
from tests.agent.run.test_loop import OneVideo
from tests.store.samples import START, jpeg


def blank() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (90, 160)).save(buffer, "JPEG")
    return buffer.getvalue()


SHARP, BLANK = jpeg("red"), blank()


class Flickering(OneVideo):
    """A player that paints nothing the first few times that it is looked at."""

    def __init__(self, blanks: int) -> None:
        super().__init__(held=True)
        self._blanks = blanks
        self.captures = 0

    async def capture(self, shown: ActiveVideo, picture: int = 0) -> Capture:
        self.captures += 1
        return Capture(BLANK if self.captures <= self._blanks else SHARP, shown.time_s, 0)


@pytest.mark.parametrize(
    ("blanks", "quality", "captures"), [(0, "ok", 1), (1, "ok", 2), (2, "blank", 2)]
)
def test_a_blank_frame_is_taken_again_once(
    tmp_path: Path, blanks: int, quality: str, captures: int
) -> None:
    player = Flickering(blanks)
    shown = asyncio.run(player.open("http://127.0.0.1/"))
    with LedgerWriter(tmp_path / "ledger.jsonl") as writer:
        recorder = LedgerRecorder(writer, FrameStore(tmp_path), None, lambda: START)
        taken = asyncio.run(take_frames(player, recorder, replace(shown), Frames(count=1)))
    assert [frame.quality for frame in taken.frames] == [quality]
    assert taken.jpegs == (SHARP if quality == "ok" else BLANK,)
    assert (player.captures, taken.frames[0].retakes) == (captures, captures - 1)


def test_a_sheet_holds_the_frames_row_by_row_in_order_of_time() -> None:
    frames = [jpeg(colour) for colour in ("red", "lime", "blue", "white", "yellow")]
    width, height = Image.open(io.BytesIO(frames[0])).size
    whole = Image.open(io.BytesIO(sheet(frames)))
    assert whole.size == (3 * width, 2 * height)
    for place, frame in enumerate(frames):
        left, top = place % 3 * width, place // 3 * height
        found = whole.crop((left, top, left + width, top + height))
        off = ImageChops.difference(found, Image.open(io.BytesIO(frame)))
        assert max(ImageStat.Stat(off).mean) < 10
    assert max(ImageStat.Stat(whole.crop((2 * width, height, *whole.size))).mean) < 10

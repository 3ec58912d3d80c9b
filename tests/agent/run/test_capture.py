"""A blank frame is taken again once, and is then recorded as what it is."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from agent.config import Frames
from agent.drivers.base import ActiveVideo, Capture
from agent.run.capture import take
from agent.run.recorder import LedgerRecorder
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

    async def capture(self, shown: ActiveVideo) -> Capture:
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
        taken = asyncio.run(take(player, recorder, replace(shown), Frames(count=1)))
    assert [frame.quality for frame in taken.frames] == [quality]
    assert taken.jpegs == (SHARP if quality == "ok" else BLANK,)
    assert (player.captures, taken.frames[0].retakes) == (captures, captures - 1)

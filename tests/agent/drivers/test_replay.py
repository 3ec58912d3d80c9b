"""A recorded run plays as it was: each moment its own frame, blank ones too."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from PIL import Image

from agent.drivers.replay import ReplayDriver
from agent.errors import FeedEmpty
from agent.run.capture import take_frames
from agent.run_config import Frames
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter, read
from store.runs.ledger_lines import Frame
from tests.store.samples import frame, jpeg, started, step


class Describer:
    """Describes pictures as the recorder does."""

    async def describe(self, jpeg: bytes, time_s: float, retakes: int) -> Frame:
        told = frame(jpeg)
        return told.model_copy(update={"time_s": time_s, "retakes": retakes})


def test_a_blank_frame_does_not_permute_the_others(tmp_path: Path) -> None:
    """The blank one is taken again, as a player's would be, and is still the first one."""
    data = DataFolder(tmp_path / "data")
    frames = FrameStore(data.frames_dir)
    pictures = [flat(), jpeg("red"), jpeg("green")]
    for picture in pictures:
        frames.put(picture)
    kept = [
        frame(picture).model_copy(update={"time_s": float(at)})
        for at, picture in enumerate(pictures)
    ]
    with LedgerWriter(data.ledger_path("r1"), fsync=False) as ledger:
        ledger.append(started("r1"))
        ledger.append(step(0, *kept))
    driver = ReplayDriver(read(data.ledger_path("r1")), frames)

    async def watch() -> tuple[bytes, ...]:
        shown = await driver.open("")
        return (await take_frames(driver, Describer(), shown, Frames(count=3, span_s=2.0))).jpegs

    assert asyncio.run(watch()) == tuple(pictures)
    beyond = ReplayDriver(read(data.ledger_path("r1")), frames, 1)
    with pytest.raises(FeedEmpty, match="r1 has no more videos"):
        asyncio.run(beyond.open("r1"))


def flat() -> bytes:
    """A picture of one tone."""
    out = io.BytesIO()
    Image.new("RGB", (90, 160), "black").save(out, "JPEG")
    return out.getvalue()

"""Takes the frames of one video; what plays between two of them counts as exposure."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Protocol

from agent.drivers.base import ActiveVideo, Driver
from agent.run_config import Frames
from store.runs.ledger_lines import Frame
from store.untrusted.size_limits import decode_picture

SHEET_QUALITY = 90
MOST_PICTURES = 16
"""Of a photo post: as many as a video may have frames."""


class Describer(Protocol):
    """Tells what a picture is like."""

    async def describe(self, jpeg: bytes, time_s: float, retakes: int) -> Frame: ...


@dataclass(frozen=True)
class VideoFrames:
    """What was taken of one video, in order of time."""

    jpegs: tuple[bytes, ...]
    frames: tuple[Frame, ...]
    shown: ActiveVideo
    """The video with the exposure that taking the frames needed."""
    timings: dict[str, float]
    """Milliseconds of wall time, by stage."""
    counted_at: float
    """The clock when the exposure of ``shown`` was counted."""
    released_s: float = 0.0
    """Wall time for which the player was released between frames."""


def sheet(jpegs: Sequence[bytes]) -> bytes:
    """Put frames into one JPEG, row by row in order of time, each in a cell of the largest."""
    from PIL import Image

    images = [decode_picture(jpeg) for jpeg in jpegs]
    columns = math.ceil(math.sqrt(len(images)))
    width, height = (max(one.size[axis] for one in images) for axis in (0, 1))
    whole = Image.new("RGB", (columns * width, math.ceil(len(images) / columns) * height))
    for number, image in enumerate(images):
        whole.paste(image, (number % columns * width, number // columns * height))
    out = io.BytesIO()
    whole.save(out, "JPEG", quality=SHEET_QUALITY)
    return out.getvalue()


async def take_frames(
    driver: Driver, describer: Describer, shown: ActiveVideo, settings: Frames
) -> VideoFrames:
    """Take the frames, evenly from the first one on; of a photo post, each of its pictures.

    Where neither a player nor a picture is shown, take one.
    """
    taking, describing, waiting = 0.0, 0.0, 0.0
    jpegs: list[bytes] = []
    frames: list[Frame] = []
    count = settings.count if shown.shown and shown.has_video else 1
    count = min(shown.pictures, MOST_PICTURES) or count
    first_s, counted_at = shown.exposure_s, perf_counter()
    for number in range(count):
        picture = number if shown.pictures else 0
        if number and not shown.pictures:
            started = perf_counter()
            until = first_s + number * settings.span_s / (count - 1)
            played = await driver.watch(shown, until, then_hold=True)  # a frame shows one moment
            shown = replace(shown, exposure_s=max(shown.exposure_s, played))
            counted_at = perf_counter()
            waiting += counted_at - started
        started = perf_counter()
        capture = await driver.capture(shown, picture)
        taken = perf_counter()
        frame = await describer.describe(capture.jpeg, capture.time_s, capture.retakes)
        if frame.quality != "ok":  # a blank one is taken again once, then recorded as what it is
            capture = await driver.capture(shown, picture)
            frame = await describer.describe(capture.jpeg, capture.time_s, capture.retakes + 1)
        taking += taken - started
        describing += perf_counter() - taken
        jpegs.append(capture.jpeg)
        frames.append(frame)
    timings = {"capture": taking * 1000, "describe": describing * 1000}
    if waiting:
        timings["exposure"] = waiting * 1000
    return VideoFrames(tuple(jpegs), tuple(frames), shown, timings, counted_at, waiting)

"""Real runs in small: pictures, records, a data folder and an encoder by colour."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from PIL import Image

from store.encoders import Vectors, unit
from store.frames.frame_store import FrameStore, describe
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import (
    Fault,
    Frame,
    Intention,
    Judgement,
    ObservedVideo,
    PersonaRecord,
    Reaction,
    RunFinished,
    RunStarted,
    Step,
    StepOpened,
    Video,
    Windows,
)
from store.runs.run_provenance import Provenance

START = datetime(2025, 3, 1, 12, tzinfo=UTC)
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "black", "white")


def jpeg(colour: str, number: int = 0, size: tuple[int, int] = (90, 160)) -> bytes:
    """A picture of one colour with a pattern of its own."""
    rng = np.random.default_rng([number, *colour.encode()])
    tile = rng.integers(0, 255, (8, 5)).astype(np.uint8)
    pattern = Image.fromarray(tile).resize(size, Image.Resampling.NEAREST)
    picture = Image.blend(Image.new("RGB", size, colour), pattern.convert("RGB"), 0.25)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()


class ColourEncoder:
    """Places pictures by their mean colour and texts by the colour that they name."""

    id = "test-colour"
    dim = 4
    stages = None

    def __init__(self) -> None:
        self.seen = 0

    def images(self, images: Sequence[Image.Image]) -> Vectors:
        self.seen += len(images)
        means = [np.asarray(image.convert("RGB"), dtype=float).mean((0, 1)) for image in images]
        return self._place(means)

    def texts(self, texts: Sequence[str]) -> Vectors:
        named = [next(word for word in text.split() if word in COLOURS) for text in texts]
        pixels = [Image.new("RGB", (1, 1), word).getpixel((0, 0)) for word in named]
        return self._place([np.asarray(pixel, dtype=float) for pixel in pixels])

    def _place(self, colours: Sequence[Any]) -> Vectors:
        centred = np.array([[*colour, 128.0] for colour in colours]) - [128, 128, 128, 0]
        return unit(centred)


def started(run_id: str, **changes: Any) -> RunStarted:
    """The first line of a run."""
    values: dict[str, Any] = {
        "run_id": run_id,
        "at": START,
        "persona": PersonaRecord(
            id="p12", traits=("I surf.", "I bake.", "I sing."), source="feedsway", licence="MIT"
        ),
        "platform": "playground",
        "strategy": "simple",
        "model": "scripted/colour",
        "account": "p12-treatment-1",
        "windows": Windows(before=2, adapt=0, after=2),
        "seed": 1,
        "config": {"gain": 1.0},
        "config_hash": "c" * 64,
        "prompts": {"simple": "d" * 64},
        "encoder": "test-colour",
        "driver": "playwright",
        "browser": "Chromium 141",
        "viewport": (412, 915),
        "locale": "en-US",
        "provenance": Provenance(
            code_version="0.1.0", code_dirty=False, python="3.11.7", system="Linux", libraries={}
        ),
    }
    return RunStarted(**(values | changes))


def frame(picture: bytes) -> Frame:
    """A frame's record, as the run loop makes it."""
    import hashlib

    seen = describe(picture)
    return Frame(
        sha256=hashlib.sha256(picture).hexdigest(),
        width=seen.width,
        height=seen.height,
        time_s=1.25,
        phash=seen.phash,
        quality=seen.quality,
    )


def step(position: int, *frames: Frame, answer: str | None = "yes", **changes: Any) -> Step:
    """A step of a run."""
    values: dict[str, Any] = {
        "position": position,
        "at": START + timedelta(seconds=10 * position),
        "phase": "before" if position < 2 else "after",
        "video": Video(id=f"v{position}", caption=f"caption {position} 🌊\nsecond line"),
        "frames": frames,
        "judgement": Judgement(
            answer=answer, missing=None if answer else "unreadable", p_yes=0.7 if answer else None
        ),
        "reaction": Reaction(
            action="stay" if answer == "yes" else "swipe",
            dwell_asked_s=8.0,
            dwell_s=8.1,
            exposure_s=0.4,
            held_s=1.9,
        ),
        "move": None,
        "timings_ms": {"find": 4.0, "shot": 21.0},
    }
    return Step(**(values | changes))


def opening(of: Step, like: bool = False) -> StepOpened:
    """The line that a step was opened by."""
    reaction = of.reaction
    asked = Intention(action=reaction.action, like=like, dwell_s=reaction.dwell_asked_s)
    told = {name: getattr(of, name) for name in ObservedVideo.model_fields if name != "kind"}
    return StepOpened(**told, intention=asked, exposure_s=reaction.exposure_s)


def delivered(of: Step) -> float:
    """Seconds of video that were watched, which this run knows."""
    assert of.reaction.dwell_s is not None
    return of.reaction.dwell_s


def finished(steps: int, eligible: int | None = None) -> RunFinished:
    """The last line of a run."""
    eligible = steps if eligible is None else eligible
    return RunFinished(at=START + timedelta(hours=1), steps=steps, eligible=eligible)


def fault(position: int) -> Fault:
    """Something that went wrong."""
    at = START + timedelta(seconds=10 * position - 1)
    return Fault(at=at, position=position, fault="BrowserLost", message="It went.", recovered=True)


def keep_run(
    data: DataFolder,
    run_id: str,
    colours: Sequence[str],
    *,
    end: bool = True,
    first: int = 0,
    **changes: Any,
) -> None:
    """Write a run of one step a colour: frames first, then its ledger.

    Runs whose pictures are numbered from another ``first`` on have none in common.
    """
    frames = FrameStore(data.frames_dir)
    with LedgerWriter(data.ledger_path(run_id), fsync=False) as writer:
        writer.append(started(run_id, **changes))
        for position, colour in enumerate(colours):
            picture = jpeg(colour, first + position)
            frames.put(picture, sync=False)
            answer = ("yes", "no", None)[position % 3]
            video = Video(id=f"{run_id}-{position}", caption=f"a {colour} thing")
            writer.append(step(position, frame(picture), answer=answer, video=video))
        if end:
            writer.append(finished(len(colours)))

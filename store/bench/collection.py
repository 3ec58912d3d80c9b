"""A collection to measure on: real pictures, cut and coloured anew, as runs with real ledgers.

One step in five shows what was shown before, as a feed does.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from store.encoders import Vectors, unit
from store.errors import DataUnreadable
from store.frames.frame_store import FrameStore, describe
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import (
    Frame,
    Judgement,
    PersonaRecord,
    Reaction,
    RunFinished,
    RunStarted,
    Step,
    Video,
    Windows,
)
from store.runs.run_provenance import Provenance
from store.untrusted.size_limits import UnreadablePicture, open_picture

STEPS = 200
PLATFORMS = ("playground", "tiktok", "youtube")
PERSONAS = tuple(f"p{number:02}" for number in range(1, 26))
_SIZE = (180, 320)
_AGAIN = 0.2
_START = datetime(2025, 1, 1, tzinfo=UTC)

Tell = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


class Mixture:
    """Vectors spread as embeddings are: a common direction, clusters, noise of few dimensions.

    A picture's own pixels choose its cluster and its place in it, so that the same picture has the
    same vector always and an index can be made anew from the frames.
    """

    id = "bench-mixture"
    dim = 512
    stages = None
    clusters = 400

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._common = unit(rng.normal(size=(1, self.dim)))[0]
        self._centres = unit(rng.normal(size=(self.clusters, self.dim)))
        spectrum = 1 / np.sqrt(np.arange(1, self.dim + 1))
        self._spectrum = spectrum / np.linalg.norm(spectrum)

    def images(self, images: Sequence[Image.Image]) -> Vectors:
        return self._place([hashlib.sha256(image.tobytes()).digest() for image in images])

    def texts(self, texts: Sequence[str]) -> Vectors:
        return self._place([hashlib.sha256(text.encode()).digest() for text in texts])

    def _place(self, marks: Sequence[bytes]) -> Vectors:
        found: list[NDArray[np.float64]] = []
        for mark in marks:
            rng = np.random.default_rng(int.from_bytes(mark, "big"))
            cluster = int(rng.integers(self.clusters))
            noise = rng.normal(size=self.dim) * np.roll(self._spectrum, 37 * cluster)
            found.append(0.6 * self._common + 0.6 * self._centres[cluster] + 0.45 * noise)
        return unit(np.array(found))


def sources(folder: Path | None) -> list[Image.Image]:
    """Pictures to cut from: those of a folder, or scikit-image's photographs.

    Raises ``DataUnreadable`` where there is none.
    """
    if folder is None:
        spec = importlib.util.find_spec("skimage")
        places = (spec.submodule_search_locations or []) if spec else []
        folder = Path(next(iter(places), ".")) / "data"
    found = []
    for path in sorted(folder.iterdir()):
        try:
            with open_picture(path) as picture:
                picture.thumbnail((640, 640))
                found.append(picture.convert("RGB"))
        except UnreadablePicture:  # something else lies there too
            continue
    if not found:
        raise DataUnreadable(folder, "there is no picture in it")
    return found


def make(
    data: DataFolder, frames: int, pictures: Sequence[Image.Image], tell: Tell, studies: int = 0
) -> int:
    """Write runs with so many frames, divided among studies if there are any.

    Returns how many pictures differ.
    """
    rng = np.random.default_rng(1)
    store = FrameStore(data.frames_dir)
    shown: list[tuple[Video, Frame]] = []
    for number, first in enumerate(range(0, frames, STEPS)):
        steps = min(STEPS, frames - first)
        with LedgerWriter(data.ledger_path(f"bench-{number:04}"), fsync=False) as writer:
            study = {"study": f"study-{number % studies}"} if studies else {}
            started = _started(number, steps, study)
            writer.append(started)
            for position in range(steps):
                if shown and rng.random() < _AGAIN:
                    video, frame = shown[int(rng.integers(len(shown)))]
                else:
                    video, frame = _new(store, pictures, len(shown), rng)
                    shown.append((video, frame))
                at = started.at + timedelta(seconds=10 * position)
                writer.append(_step(position, at, video, frame, rng))
                tell("making pictures", first + position + 1, frames)
            writer.append(RunFinished(at=started.at, steps=steps, eligible=steps))
    return len({frame.sha256 for _, frame in shown})


def jpegs(pictures: Sequence[Image.Image], rng: np.random.Generator) -> Iterator[bytes]:
    while True:
        picture = pictures[int(rng.integers(len(pictures)))]
        share = rng.uniform(0.4, 1.0)
        height = min(picture.height, picture.width * 16 / 9) * share
        width = height * 9 / 16
        left = rng.uniform(0, picture.width - width)
        top = rng.uniform(0, picture.height - height)
        cut = picture.resize(_SIZE, box=(left, top, left + width, top + height))
        cut = ImageOps.mirror(cut) if rng.random() < 0.5 else cut
        cut = ImageEnhance.Brightness(cut).enhance(rng.uniform(0.6, 1.3))
        cut = ImageEnhance.Color(cut).enhance(rng.uniform(0.3, 1.7))
        out = io.BytesIO()
        cut.save(out, "JPEG", quality=80)
        yield out.getvalue()


def _new(
    store: FrameStore, pictures: Sequence[Image.Image], number: int, rng: np.random.Generator
) -> tuple[Video, Frame]:
    jpeg = next(jpegs(pictures, rng))
    seen = describe(jpeg)
    sha256 = store.put(jpeg, sync=False)
    frame = Frame(sha256=sha256, width=seen.width, height=seen.height, time_s=1.0, phash=seen.phash)
    author = f"author.{number % 5_000:04}"
    return Video(id=f"v{number}", author=author, caption=f"number {number} by @{author}"), frame


def _step(
    position: int, at: datetime, video: Video, frame: Frame, rng: np.random.Generator
) -> Step:
    answer = rng.choice(["yes", "no", ""], p=[0.3, 0.65, 0.05])
    judged = (
        Judgement(answer=answer, p_yes=float(rng.random()), reply=answer.title())
        if answer
        else Judgement(answer=None, missing="unreadable", reply="Perhaps")
    )
    return Step(
        position=position,
        at=at,
        phase="before",
        video=video,
        frames=(frame,),
        judgement=judged,
        reaction=Reaction(
            action="swipe", dwell_asked_s=1.0, dwell_s=1.0, exposure_s=0.1, held_s=0.1
        ),
        move=None,
        timings_ms={"find": 4.0, "shot": 21.0},
    )


def _started(number: int, steps: int, config: Mapping[str, str]) -> RunStarted:
    persona = PERSONAS[number % len(PERSONAS)]
    return RunStarted(
        run_id=f"bench-{number:04}",
        at=_START + timedelta(hours=number),
        persona=PersonaRecord(id=persona, traits=(), source="bench", licence="none"),
        platform=PLATFORMS[number % len(PLATFORMS)],
        strategy="simple",
        model="none",
        account=f"bench-{number}",
        windows=Windows(before=steps, after=0),
        seed=number,
        config=dict(config),
        config_hash="0" * 64,
        prompts={},
        encoder=Mixture.id,
        driver="none",
        browser="none",
        viewport=(0, 0),
        locale="unknown",
        provenance=Provenance(
            code_version="bench", code_dirty=None, python="", system="", libraries={}
        ),
    )

"""Film strips as files to hand on: a picture for a slide, or a video for a talk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from agent.explorer.errors import FilmFailed
from agent.explorer.film_drawing import FrameLoader
from agent.explorer.film_picture import draw_picture
from agent.explorer.film_strips import StripAddress, StripPair, read_pair
from agent.explorer.film_video import SPEEDS, make_video
from store.dataset.pseudonyms import KnownPeople
from store.dataset.published_pictures import Blur
from store.frames.frame_store import FrameStore
from store.runs import ledger
from store.runs.data_folder import DataFolder

FilmKind = Literal["png", "mp4"]
FILM_KINDS: dict[str, tuple[FilmKind, str]] = {
    "png": ("png", "image/png"),
    "mp4": ("mp4", "video/mp4"),
}
"""By the ending of a file's name, with the type that a browser is told."""


@dataclass(frozen=True)
class FilmRequest:
    """What is to be made of which two strips."""

    a: StripAddress
    b: StripAddress
    kind: FilmKind
    first: int = 0
    """Position that it begins with."""
    last: int | None = None
    """Position that it ends with; ``None`` for the last."""
    speed: int = SPEEDS[1]
    """Positions a second, of a video."""
    blur: bool = False
    """Whether faces, and handles on screen, are blurred as in a dataset's export."""


def choose_strips(data: DataFolder, request: FilmRequest) -> StripPair:
    """Read what a request shows; raises ``FilmFailed``, ``NoSuchPage`` and ``StoreError``."""
    pair = read_pair(data, request.a, request.b)
    end = max(pair.positions, default=0) if request.last is None else request.last
    pair = pair.cut(request.first, end)
    if not pair.positions:
        raise FilmFailed(
            f"There is no video at positions {request.first} to {end}. Choose others. "
            "In a terminal, type: the same without --positions"
        )
    return pair


def make_film(
    data: DataFolder,
    request: FilmRequest,
    pair: StripPair,
    told: Callable[[], None] = lambda: None,
) -> bytes:
    """Return the file's bytes; ``told`` is called for each frame. Raises ``FilmFailed``."""
    blur = Blur(_find_people(data, pair)) if request.blur else None
    frames = FrameLoader(FrameStore(data.frames_dir), blur, told)
    if request.kind == "png":
        return draw_picture(pair, frames)
    return make_video(pair, frames, request.speed)


def _find_people(data: DataFolder, pair: StripPair) -> KnownPeople:
    people = KnownPeople()
    for run in {pair.a.address.run, pair.b.address.run}:
        kept = ledger.read(data.ledger_path(run))
        for step in kept.seen:
            people.add(kept.started.platform, step.video.id, step.video.author)
    return people

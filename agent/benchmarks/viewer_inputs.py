"""Videos of the playground as a viewer gets them: a frame of the clip, and the caption.

The frame is the clip's own picture, its title included; the site's furniture (buttons, the caption
at the foot) is not drawn over it.
"""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.playground.catalogue import Catalogue, CatalogueItem
from agent.playground.clips import ClipStore
from personas.persona import Persona

Tell = Callable[[int, int], None]
"""Called with how many are done, and how many there are."""

_AT = 0.4  # share of the clip's length at which its frame is taken


@dataclass(frozen=True)
class Exhibit:
    """One video, ready to be judged. Its theme is planted truth that no judge is given."""

    id: str
    theme: str
    frame: bytes
    """A JPEG file."""
    caption: str
    """With hashtags, as the page shows it."""


def match_themes(personas: Sequence[Persona], themes: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each theme is one of each persona's; one row a persona."""
    shown = np.array(themes)
    return np.array([np.isin(shown, persona.themes) for persona in personas])


def draw_videos(
    catalogue: Catalogue, per_theme: int | None, rng: np.random.Generator
) -> tuple[CatalogueItem, ...]:
    """Draw plain videos, as many of each theme; ``None`` takes all. Ads and live cards are out."""
    videos: dict[str, list[CatalogueItem]] = defaultdict(list)
    for item in catalogue.items:
        if item.kind == "video":
            videos[item.theme].append(item)
    drawn: list[CatalogueItem] = []
    for theme in sorted(videos):
        group = videos[theme]
        count = len(group) if per_theme is None else min(per_theme, len(group))
        drawn += [group[place] for place in rng.choice(len(group), count, replace=False)]
    return tuple(drawn)


def take_exhibits(items: Sequence[CatalogueItem], clips: ClipStore, tell: Tell) -> list[Exhibit]:
    """Take a frame of every video's clip, making the clips that are missing.

    Raises
    ------
    PlaygroundError
        A clip cannot be made.
    """
    groups: dict[str, list[CatalogueItem]] = defaultdict(list)
    for item in items:
        groups[item.footage].append(item)
    exhibits: list[Exhibit] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for shown in pool.map(lambda group: _exhibits(group, clips), groups.values()):
            exhibits += shown
            tell(len(exhibits), len(items))
    place = {item.id: number for number, item in enumerate(items)}
    return sorted(exhibits, key=lambda exhibit: place[exhibit.id])


def _exhibits(items: Iterable[CatalogueItem], clips: ClipStore) -> list[Exhibit]:
    items = list(items)
    clips.make(items)
    return [
        Exhibit(
            id=item.id,
            theme=item.theme,
            frame=_frame(clips.clip(item), _AT * item.seconds),
            caption=item.tagged_caption,
        )
        for item in items
    ]


def _frame(clip: Path, at_s: float) -> bytes:
    import imageio_ffmpeg  # looks for its program when imported

    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-ss", f"{at_s:.2f}"]
    command += ["-i", str(clip), "-frames:v", "1", "-q:v", "3", "-f", "mjpeg", "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout

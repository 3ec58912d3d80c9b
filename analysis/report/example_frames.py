"""What yes and no looked like: frames drawn at random, small enough to be sent around.

Drawn from the after windows of treatment runs, by persona and answer; no two that look alike.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from analysis.data.exposures import AFTER, NO, YES
from analysis.report.ledger_rows import RowDetails
from analysis.report.number_sources import Name, NumberSource, TracedNumber
from analysis.report.report_group import GroupRows
from analysis.report.row_uses import window_rows
from analysis.statistics.estimate import Ints
from store.errors import StoreError
from store.frames.frame_store import FrameStore
from store.frames.near_duplicates import near_duplicates
from store.untrusted.size_limits import open_picture

PERSONAS, FRAMES = 8, 6  # personas shown at most, and frames of each answer
MOST_BYTES = 1_900_000  # of JPEG data in the whole report; as text in the page it is a third more
_SIZE, _QUALITY = (150, 266), 62


@dataclass
class Budget:
    """Bytes of pictures that may still be put into the page."""

    left: int = MOST_BYTES


@dataclass(frozen=True)
class Sheet:
    """One persona: its traits, and frames that it said yes and no to.

    ``yes_of`` and ``no_of`` are the numbers of videos that were drawn from.
    """

    persona: Name
    trait: Name
    yes: tuple[Markup, ...]
    no: tuple[Markup, ...]
    yes_of: TracedNumber
    no_of: TracedNumber


@dataclass(frozen=True)
class Sheets:
    """The contact sheets of one group."""

    shown: tuple[Sheet, ...]
    some: TracedNumber
    personas: TracedNumber
    source: NumberSource


def sheets(scene: GroupRows, rng: np.random.Generator, budget: Budget) -> Sheets | None:
    """Draw frames; ``None`` where there are no frames to draw from."""
    material = scene.measures.material
    seen, frames = material.seen, material.frames
    if seen is None or frames is None:
        return None
    rows = window_rows(scene.measures.rows, AFTER) & scene.rows(["treatment"])
    rows &= seen.frame != None  # noqa: E711 (elementwise)
    source = scene.source(
        "report.example_frames.sheets",
        ["treatment"],
        rows,
        otherwise="before the change or without a frame",
    )
    owners = np.array([run.persona for run in scene.views.runs])
    personas = np.unique(owners[scene.views.run[rows]])
    chosen = np.sort(rng.permutation(personas)[:PERSONAS])
    traits = material.traits
    shown = []
    for persona in chosen.tolist():
        mine = rows & (owners[scene.views.run] == persona)
        pools = [np.flatnonzero(mine & (scene.views.answer == answer)) for answer in (YES, NO)]
        strips = [_strip(_draw(seen, pool, rng), seen, frames, budget) for pool in pools]
        shown.append(
            Sheet(
                persona=Name(persona),
                trait=Name(" ".join(traits[persona][:2])),
                yes=strips[0],
                no=strips[1],
                yes_of=source.count(
                    len(pools[0]), f"videos of {persona} with yes that were drawn from"
                ),
                no_of=source.count(
                    len(pools[1]), f"videos of {persona} with no that were drawn from"
                ),
            )
        )
    if not any(sheet.yes or sheet.no for sheet in shown):
        return None
    return Sheets(
        shown=tuple(shown),
        some=source.count(len(shown), "personas shown"),
        personas=source.count(len(personas), "personas with frames"),
        source=source,
    )


def _draw(seen: RowDetails, pool: Ints, rng: np.random.Generator) -> Ints:
    """Rows at random, no two of which look alike."""
    order = rng.permutation(pool)
    twins = near_duplicates([str(phash) for phash in seen.phash[order]])
    fresh = np.array([twin is None for twin in twins], dtype=bool)
    return np.asarray(order[fresh][:FRAMES], dtype=np.int64)


def _strip(rows: Ints, seen: RowDetails, frames: FrameStore, budget: Budget) -> tuple[Markup, ...]:
    """Pictures of these rows; a frame that is lost, or too much, is left out."""
    made = []
    for row in rows.tolist():
        small = small_jpeg(frames, str(seen.frame[row]))
        if small is None or len(small) > budget.left:
            continue
        budget.left -= len(small)
        caption = seen.caption[row] or "no caption"
        reason = f"\n{seen.reason[row]}" if seen.reason[row] else ""
        picture = jpeg_tag(small, caption, f"{caption}{reason}")
        framed = '<figure tabindex="0">{}<figcaption>{}</figcaption></figure>'
        made.append(Markup(framed).format(picture, caption))
    return tuple(made)


def jpeg_tag(jpeg: bytes, alt: str, title: str, style: str = "") -> Markup:
    named = Markup('class="{}" ').format(style) if style else Markup("")
    return Markup('<img {}src="data:image/jpeg;base64,{}" alt="{}" title="{}"/>').format(
        named, base64.b64encode(jpeg).decode(), alt, title
    )


def small_jpeg(frames: FrameStore, sha256: str, size: tuple[int, int] = _SIZE) -> bytes | None:
    """The frame as a small JPEG; ``None`` where it is lost."""
    from PIL import Image

    try:
        jpeg = frames.read(sha256)
    except StoreError:
        return None
    with open_picture(jpeg) as picture:
        picture.draft("RGB", size)
        small = picture.convert("RGB")
    small.thumbnail(size, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue()

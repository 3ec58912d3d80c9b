"""Finds the frames that show a set of values: for each keyword the best matching ones.

Each keyword gets frames of distinct videos, no two of which look alike. How far they stand out is
measured against the whole index, since the best of many stand out by themselves. Refuses to ask
anybody anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from agent.errors import BadConfig
from personas.values import ValueSet
from store.encoders.base import Encoder
from store.entries import Filters, Hit
from store.index import Index
from store.spectra import Found, Keyword, Retrieval, ValueRecord


@dataclass(frozen=True)
class Wanted:
    """What is looked for."""

    values: ValueSet
    platform: str | None = None
    per_keyword: int = 5


def retrieve(wanted: Wanted, index: Index, encoder: Encoder, now: datetime) -> Retrieval:
    """Look for the frames of every keyword.

    Raises
    ------
    BadConfig
        No frame is indexed, or none of this platform.
    """
    where = Filters(platform=wanted.platform)
    asked = [(value.id, word) for value in wanted.values.values for word in value.keywords]
    vectors = encoder.texts([word for _, word in asked])
    with index.hold():
        frames, looked_at = index.sample(where)
        if not frames:
            over = f" of {wanted.platform}" if wanted.platform else ""
            raise BadConfig(f"No frame{over} is indexed yet. Type: python -m store index")
        chance = standing_out(frames, wanted.per_keyword)
        keywords = []
        for (value, word), vector in zip(asked, vectors, strict=True):
            similar: NDArray[np.float64] = (looked_at @ vector).astype(np.float64)
            hits = index.search(vector, wanted.per_keyword, where)
            keywords.append(
                Keyword(
                    value=value, keyword=word, found=_found(hits), chance=chance,
                    typical=float(similar.mean()), spread=float(similar.std()),
                )
            )  # fmt: skip
    return Retrieval(
        at=now, set_id=wanted.values.id, sha256=wanted.values.sha256, encoder=encoder.id,
        platform=wanted.platform, per_keyword=wanted.per_keyword, frames=frames,
        values=tuple(
            ValueRecord(id=each.id, name=each.name, definition=each.definition)
            for each in wanted.values.values
        ),
        keywords=tuple(keywords),
    )  # fmt: skip


def standing_out(frames: int, best: int) -> float:
    """Mean of the largest of so many standard normal numbers (Blom's approximation, 1958)."""
    from scipy.special import ndtri

    ranks = np.arange(1, min(best, frames) + 1)
    return float(ndtri(1 - (ranks - 0.375) / (frames + 0.25)).mean())


def _found(hits: Sequence[Hit]) -> tuple[Found, ...]:
    return tuple(
        Found(
            rank=rank, similarity=hit.similarity, entry=hit.entry.id, platform=hit.entry.platform,
            video=hit.entry.video, frame=hit.entry.sha256, caption=hit.entry.caption,
        )
        for rank, hit in enumerate(hits, 1)
    )  # fmt: skip

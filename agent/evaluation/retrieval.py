"""Finds the frames that show a set of values: for each keyword the best matching ones.

A frame matches by its picture and by the words that its maker put to it. For each keyword both
likenesses are standardised over all frames, and their mean is the match: what stands out in both
ways comes first. A frame without a caption matches by its picture alone, on the scale of the
others, so that it is neither put back nor preferred. Each keyword gets frames of distinct videos,
no two of which look alike. Refuses to ask anybody anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agent.errors import BadConfig
from personas.values import ValueSet
from store.encoders import Encoder, unit
from store.index.chroma import TIE
from store.index.entries import Filters, Hit, distinct
from store.index.search import Index
from store.results.value_spectrum import FITS, Keyword, Retrieval, RetrievedFrame, ValueRecord, fits

By = Literal["both", "picture"]
Floats = NDArray[np.float64]

_LOOKED_AT = 50
"""Frames, for each one that is wanted, among which distinct ones are looked for."""

_ENOUGH = 30
"""Captioned frames from which their spread is known."""


@dataclass(frozen=True)
class RetrievalQuery:
    """What is looked for."""

    values: ValueSet
    platform: str | None = None
    per_keyword: int = 5
    by: By = "both"
    """Match pictures and captions, or pictures alone, as the paper does."""


@dataclass(frozen=True)
class _Likeness:
    """How like each frame is to each keyword, shape ``(K, F)``."""

    picture: Floats
    words: Floats
    """``nan`` where a frame has no caption, or captions do not count."""
    match: Floats
    """Standard deviations by which a frame stands out."""

    @classmethod
    def of(cls, picture: Floats, words: Floats | None) -> _Likeness:
        """Put both together; pictures alone where there are no words."""
        by_picture = _standardised(picture)
        if words is None:
            return cls(picture, np.full_like(picture, np.nan), by_picture)
        by_both = (by_picture + _standardised(words)) / 2
        alone = by_picture * _spread(by_both)
        return cls(picture, words, np.where(np.isnan(by_both), alone, by_both))


def retrieve(wanted: RetrievalQuery, index: Index, encoder: Encoder, now: datetime) -> Retrieval:
    """Look for the frames of every keyword.

    Raises
    ------
    BadConfig
        No frame is indexed, or none of this platform.
    """
    frames, vectors = index.everything(Filters(platform=wanted.platform))
    if not frames:
        over = f" of {wanted.platform}" if wanted.platform else ""
        raise BadConfig(f"No frame{over} is indexed yet. Type: python -m store index")
    asked = [(value.id, word) for value in wanted.values.values for word in value.keywords]
    queries = encoder.texts([word for _, word in asked])
    likeness = _Likeness.of(
        (queries @ unit(vectors).T).astype(np.float64),
        _by_words(queries, frames, encoder) if wanted.by == "both" else None,
    )
    found = [_found(likeness, place, frames, wanted) for place in range(len(asked))]
    return Retrieval(
        at=now,
        set_id=wanted.values.id,
        sha256=wanted.values.sha256,
        encoder=encoder.id,
        platform=wanted.platform,
        per_keyword=wanted.per_keyword,
        by=wanted.by,
        frames=len(frames),
        unique=sum(hit.duplicate_of is None for hit in frames),
        videos=len({(hit.entry.platform, hit.entry.video) for hit in frames}),
        values=tuple(
            ValueRecord(id=each.id, name=each.name, definition=each.definition)
            for each in wanted.values.values
        ),
        keywords=tuple(
            Keyword(value=value, keyword=word, found=hits)
            for (value, word), hits in zip(asked, found, strict=True)
        ),
    )


def _by_words(queries: NDArray[np.float32], frames: Sequence[Hit], encoder: Encoder) -> Floats:
    captions = list(dict.fromkeys(hit.entry.caption for hit in frames))
    place = {caption: row for row, caption in enumerate(captions)}
    like = (queries @ encoder.texts(captions).T).astype(np.float64)
    if "" in place:
        like[:, place[""]] = np.nan
    return like[:, [place[hit.entry.caption] for hit in frames]]


def _standardised(like: Floats) -> Floats:
    """Each row in standard deviations from its mean; what is not known stays so."""
    known = ~np.isnan(like)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    off = like - np.nan_to_num(like).sum(axis=1, keepdims=True) / count
    spread = np.sqrt((np.nan_to_num(off) ** 2).sum(axis=1, keepdims=True) / count)
    standard: Floats = off / np.maximum(spread, 1e-9)
    return standard


def _spread(by_both: Floats) -> Floats:
    """Standard deviation of each row, shape ``(K, 1)``; the usual one where few are known.

    The mean of two likenesses spreads less than one of them, which is how ``FITS`` differ too.
    """
    count = (~np.isnan(by_both)).sum(axis=1, keepdims=True)
    spread = np.sqrt(
        (np.nan_to_num(by_both) ** 2).sum(axis=1, keepdims=True) / np.maximum(count, 1)
    )
    usual = FITS["both"] / FITS["picture"]
    known: Floats = np.where(count >= _ENOUGH, spread, usual)
    return known


def _found(
    likeness: _Likeness, place: int, frames: Sequence[Hit], wanted: RetrievalQuery
) -> tuple[RetrievedFrame, ...]:
    """Best frames of one keyword, distinct."""
    match = likeness.match[place]
    kept: list[int] = []
    count = 0
    while len(kept) < wanted.per_keyword and count < len(frames):
        count = max(4 * count, 10 * wanted.per_keyword)
        kept = _distinct(match, frames, count)[: wanted.per_keyword]
    return tuple(
        RetrievedFrame(
            rank=rank,
            similarity=float(likeness.picture[place, at]),
            words=None if np.isnan(likeness.words[place, at]) else float(likeness.words[place, at]),
            match=float(match[at]),
            fits=fits(float(match[at]), wanted.by),
            entry=hit.entry.id,
            platform=hit.entry.platform,
            video=hit.entry.video,
            frame=hit.entry.sha256,
            caption=hit.entry.caption,
        )
        for rank, (at, hit) in enumerate(((at, frames[at]) for at in kept), 1)
    )


def _distinct(match: Floats, frames: Sequence[Hit], count: int) -> list[int]:
    """Places of distinct frames among the best so many, best first.

    Ties go by id, so that a rebuilt index answers the same.
    """
    order = np.argsort(-match, kind="stable")
    near = np.flatnonzero(match >= match[order[min(count, len(frames)) - 1]] - TIE)
    steps = np.round(match / TIE)
    best = sorted(near.tolist(), key=lambda at: (-steps[at], frames[at].entry.id))
    place = {frames[at].entry.id: at for at in best}
    return [place[hit.entry.id] for hit in distinct([frames[at] for at in best])]

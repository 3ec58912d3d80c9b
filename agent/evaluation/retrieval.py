"""Finds the frames that show a set of values: for each keyword the best matching ones.

A frame matches by its picture and by the words that its maker put to it. For each keyword both
likenesses are standardised over all frames, and their mean is the match: what stands out in both
ways comes first. A frame without a caption matches by its picture alone, on the scale of the
others, so that it is neither put back nor preferred. Each keyword gets frames of distinct videos,
no two of which look alike. Refuses to ask anybody anything.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
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

_CAPTIONS = 4096
"""Captions embedded at once, a multiple of every encoder's own batches."""

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
class _Row:
    """How like each frame is to one keyword, shape ``(F,)``."""

    picture: Floats
    words: Floats
    """``nan`` where a frame has no caption, or captions do not count."""
    match: Floats
    """Standard deviations by which a frame stands out."""


@dataclass(frozen=True)
class _Likeness:
    """How like frames and captions are to each keyword: one number each, and no vector."""

    picture: NDArray[np.float32]
    """Shape ``(K, F)``."""
    captions: NDArray[np.float32] | None
    """Shape ``(K, C)``; ``nan`` for the empty one; ``None`` where captions do not count."""
    caption_of: NDArray[np.int64]
    """Which caption each frame has."""

    def row(self, place: int) -> _Row:
        """Put both likenesses to one keyword together; pictures alone where there are no words."""
        picture = self.picture[place].astype(np.float64)
        by_picture = _standardised(picture)
        if self.captions is None:
            return _Row(picture, np.full_like(picture, np.nan), by_picture)
        words = self.captions[place].astype(np.float64)[self.caption_of]
        by_both = (by_picture + _standardised(words)) / 2
        alone = by_picture * _spread(by_both)
        return _Row(picture, words, np.where(np.isnan(by_both), alone, by_both))


@dataclass(frozen=True)
class _Frames:
    """What is known of all frames: their ids, and how like they are to each keyword."""

    ids: list[str]
    likeness: _Likeness
    unique: int
    videos: int


def retrieve(wanted: RetrievalQuery, index: Index, encoder: Encoder, now: datetime) -> Retrieval:
    """Look for the frames of every keyword.

    Raises
    ------
    BadConfig
        No frame is indexed, or none of this platform.
    """
    asked = [(value.id, word) for value in wanted.values.values for word in value.keywords]
    frames = _read(wanted, index, encoder, [word for _, word in asked])
    if not frames.ids:
        over = f" of {wanted.platform}" if wanted.platform else ""
        raise BadConfig(f"No frame{over} is indexed yet. Type: python -m store index")
    found = _find_all(frames, index, wanted)
    return Retrieval(
        at=now,
        set_id=wanted.values.id,
        sha256=wanted.values.sha256,
        encoder=encoder.id,
        platform=wanted.platform,
        per_keyword=wanted.per_keyword,
        by=wanted.by,
        frames=len(frames.ids),
        unique=frames.unique,
        videos=frames.videos,
        values=tuple(
            ValueRecord(id=each.id, name=each.name, definition=each.definition)
            for each in wanted.values.values
        ),
        keywords=tuple(
            Keyword(value=value, keyword=word, found=hits)
            for (value, word), hits in zip(asked, found, strict=True)
        ),
    )


def _read(
    wanted: RetrievalQuery, index: Index, encoder: Encoder, keywords: Sequence[str]
) -> _Frames:
    """Go through all frames, page by page, and keep no vector of any."""
    queries = encoder.texts(keywords)
    ids: list[str] = []
    blocks = [np.empty((len(keywords), 0), np.float32)]
    captions: dict[str, int] = {}
    caption_of: list[int] = []
    videos: set[tuple[str, str]] = set()
    unique = 0
    for hits, vectors in index.pages(Filters(platform=wanted.platform)):
        blocks.append(queries @ unit(vectors).T)
        for hit in hits:
            ids.append(hit.entry.id)
            caption_of.append(captions.setdefault(hit.entry.caption, len(captions)))
            videos.add((sys.intern(hit.entry.platform), hit.entry.video))
            unique += hit.duplicate_of is None
    by_words = _by_words(queries, list(captions), encoder) if wanted.by == "both" else None
    likeness = _Likeness(np.concatenate(blocks, axis=1), by_words, np.array(caption_of, np.int64))
    return _Frames(ids, likeness, unique, len(videos))


def _by_words(
    queries: NDArray[np.float32], captions: Sequence[str], encoder: Encoder
) -> NDArray[np.float32]:
    like = np.empty((len(queries), len(captions)), dtype=np.float32)
    for start in range(0, len(captions), _CAPTIONS):
        part = captions[start : start + _CAPTIONS]
        like[:, start : start + len(part)] = queries @ encoder.texts(part).T
    like[:, [place for place, caption in enumerate(captions) if not caption]] = np.nan
    return like


def _standardised(like: Floats) -> Floats:
    """Likenesses in standard deviations from their mean; what is not known stays so."""
    count = max(int((~np.isnan(like)).sum()), 1)
    off = like - np.nan_to_num(like).sum() / count
    spread = np.sqrt((np.nan_to_num(off) ** 2).sum() / count)
    standard: Floats = off / max(spread, 1e-9)
    return standard


def _spread(by_both: Floats) -> float:
    """Standard deviation of what is known; the usual one where that is little.

    The mean of two likenesses spreads less than one of them, which is how ``FITS`` differ too.
    """
    count = int((~np.isnan(by_both)).sum())
    if count < _ENOUGH:
        return FITS["both"] / FITS["picture"]
    return float(np.sqrt((np.nan_to_num(by_both) ** 2).sum() / count))


def _find_all(
    frames: _Frames, index: Index, wanted: RetrievalQuery
) -> list[tuple[RetrievedFrame, ...]]:
    """Best frames of each keyword, distinct; among ever more of them where too few are."""
    found: dict[int, tuple[RetrievedFrame, ...]] = {}
    due = list(range(len(frames.likeness.picture)))
    known: dict[str, Hit] = {}
    count = 0
    while due:
        count = max(4 * count, 10 * wanted.per_keyword)
        best = {place: _best(frames.likeness.row(place).match, frames.ids, count) for place in due}
        ids = {frames.ids[at]: None for near in best.values() for at in near}
        known |= {hit.entry.id: hit for hit in index.read([key for key in ids if key not in known])}
        for place, near in best.items():
            hits = [known[frames.ids[at]] for at in near if frames.ids[at] in known]
            kept = distinct(hits)[: wanted.per_keyword]
            if len(kept) == wanted.per_keyword or count >= len(frames.ids):
                at_of = {frames.ids[at]: at for at in near}
                found[place] = _retrieved(frames.likeness.row(place), kept, at_of, wanted.by)
        due = [place for place in due if place not in found]
    return [found[place] for place in sorted(found)]


def _retrieved(
    row: _Row, kept: Sequence[Hit], at_of: Mapping[str, int], by: By
) -> tuple[RetrievedFrame, ...]:
    return tuple(
        RetrievedFrame(
            rank=rank,
            similarity=float(row.picture[at]),
            words=None if np.isnan(row.words[at]) else float(row.words[at]),
            match=float(row.match[at]),
            fits=fits(float(row.match[at]), by),
            entry=hit.entry.id,
            platform=hit.entry.platform,
            video=hit.entry.video,
            frame=hit.entry.sha256,
            caption=hit.entry.caption,
        )
        for rank, (at, hit) in enumerate(((at_of[hit.entry.id], hit) for hit in kept), 1)
    )


def _best(match: Floats, ids: Sequence[str], count: int) -> list[int]:
    """Places of the best so many frames and of all that tie with the last, best first.

    Ties go by id, so that a rebuilt index answers the same.
    """
    last = max(len(match) - count, 0)
    near = np.flatnonzero(match >= np.partition(match, last)[last] - TIE)
    steps = dict(zip(near.tolist(), np.round(match[near] / TIE).tolist(), strict=True))
    return sorted(steps, key=lambda at: (-steps[at], ids[at]))

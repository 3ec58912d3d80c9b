"""Near-duplicates by perceptual hash, and by the vectors of an encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 4
"""Bits of 64 in which two near-duplicates may differ.

Measured on 242 pictures at 360 x 640: the same picture compressed again or 15 % brighter never
differs by more than 4 bits, moved by 2 pixels in 93 % of cases. Unrelated pairs start at about 16
and thin out 3.5-fold for every 2 bits, which leaves a chance of some 1e-7 a pair at 4: among
50,000 frames fewer than 1 in 100 finds a wrong twin. At 8 one in ten would.
"""

ALIKE = 0.98
"""Cosine from which two frames are alike to an encoder.

Measured with ``conse`` on 480 frames of the playground: the same picture compressed again, 15 %
brighter or moved by 2 pixels stays at or above it in 94 to 97 % of cases, and of 114,805 pairs
with unlike hashes 29 are as near (some of them cuts of one clip). An encoder that sees less takes
more for alike: the count by vectors is a lower bound of what is unique, that by hashes an upper.
"""
_BLOCK = 256
_AT_ONCE = 1024
"""Hashes of which all pairs are compared at once."""


class Leaders:
    """Hashes of which no two are near; every other hash is near the first that it met.

    Duplicates are compared with leaders and never with each other, so that a slow pan does not
    chain two different pictures together.
    """

    def __init__(self, threshold: int = THRESHOLD) -> None:
        self._threshold = threshold
        self._hashes: NDArray[np.uint64] = np.empty(1024, dtype=np.uint64)
        self._count = 0

    def place(self, phash: str) -> tuple[int, bool]:
        """Return a hash's leader, counted from 0, and whether the hash has just become it."""
        value = np.uint64(int(phash, 16))
        near = np.bitwise_count(self._hashes[: self._count] ^ value) <= self._threshold
        if near.any():
            return int(near.argmax()), False
        self.put(phash)
        return self._count - 1, True

    def put(self, phash: str) -> None:
        """Make a hash a leader that is known to be one."""
        if self._count == len(self._hashes):
            self._hashes = np.concatenate([self._hashes, np.empty_like(self._hashes)])
        self._hashes[self._count] = np.uint64(int(phash, 16))
        self._count += 1


def near_duplicates(phashes: Iterable[str], threshold: int = THRESHOLD) -> list[int | None]:
    """Position of the earlier hash that each one is a near-duplicate of; ``None`` for firsts."""
    leaders = Leaders(threshold)
    firsts: list[int] = []
    found: list[int | None] = []
    for position, phash in enumerate(phashes):
        leader, new = leaders.place(phash)
        if new:
            firsts.append(position)
        found.append(None if new else firsts[leader])
    return found


def are_near_duplicates(phashes: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each hash is a near-duplicate of an earlier one, as ``near_duplicates`` finds it."""
    if len(phashes) > _AT_ONCE:
        return np.array([earlier is not None for earlier in near_duplicates(phashes)], dtype=bool)
    values = np.array([int(phash, 16) for phash in phashes], dtype=np.uint64)
    near = np.tril(np.bitwise_count(values[:, None] ^ values) <= THRESHOLD, -1)
    leads: NDArray[np.bool_] = ~near.any(axis=1)
    for place in np.flatnonzero(~leads).tolist():
        leads[place] = not leads[near[place]].any()
    return ~leads


def alike_hashes(phashes: Sequence[str], threshold: int = THRESHOLD) -> list[tuple[int, int]]:
    """Find every two hashes that are near, equal ones by the first of them.

    Unlike ``near_duplicates`` this leaves no pair out: what is near to several leaders belongs
    with all of them.
    """
    first: dict[str, int] = {}
    found = [(first.setdefault(phash, place), place) for place, phash in enumerate(phashes)]
    places = list(first.values())
    hashes = np.array([int(phash, 16) for phash in first], dtype=np.uint64)
    for start in range(0, len(hashes), _BLOCK):
        block = hashes[start : start + _BLOCK, None]
        near = np.bitwise_count(block ^ hashes[None, start:]) <= threshold
        for one, two in np.argwhere(near).tolist():
            if one < two:
                found.append((places[start + one], places[start + two]))
    return found


def nearest_elsewhere(phashes: Sequence[str], others: Sequence[str]) -> NDArray[np.int64]:
    """Bits by which each hash differs from the nearest of the others; 65 where there is none."""
    if not others:
        return np.full(len(phashes), 65)
    known = np.array(sorted({int(phash, 16) for phash in others}), dtype=np.uint64)
    own = np.array([int(phash, 16) for phash in phashes], dtype=np.uint64)
    blocks = [own[start : start + _BLOCK, None] for start in range(0, len(own), _BLOCK)]
    nearest = [np.bitwise_count(block ^ known).min(axis=1) for block in blocks]
    return np.concatenate(nearest).astype(np.int64) if nearest else np.empty(0, np.int64)


def alike_vectors(
    vectors: NDArray[np.float32],
    progress: Callable[[int, int], None] | None = None,
    threshold: float = ALIKE,
) -> NDArray[np.bool_]:
    """Whether each unit vector is alike to an earlier one that is alike to none.

    Shape ``(n, dim)``; ``threshold`` is a cosine; ``progress`` is told how many are compared, of
    how many.
    """
    found = np.zeros(len(vectors), dtype=bool)
    leaders = np.empty_like(vectors)
    count = 0
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        found[start : start + _BLOCK] = (block @ leaders[:count].T >= threshold).any(axis=1)
        first = count
        for place in np.flatnonzero(~found[start : start + _BLOCK]):
            vector = block[place]
            if (leaders[first:count] @ vector >= threshold).any():
                found[start + place] = True
            else:
                leaders[count] = vector
                count += 1
        if progress is not None:
            progress(start + len(block), len(vectors))
    return found


class Marks:
    """Which key is a near-duplicate of which earlier one, as keys arrive."""

    def __init__(self) -> None:
        self._leaders = Leaders()
        self._keys: list[str] = []
        self._marks: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._marks)

    def __contains__(self, key: str) -> bool:
        return key in self._marks

    def learn(self, key: str, phash: str, mark: str) -> None:
        """Take over a mark that was given elsewhere; an empty one marks a first."""
        self._marks[key] = mark
        if not mark:  # no comparison: there are tens of thousands, and a run waits
            self._leaders.put(phash)
            self._keys.append(key)

    def mark(self, key: str, phash: str) -> str:
        """Key of the first hash that this one is near to, or nothing; it never changes."""
        if key not in self._marks:
            leader, new = self._leaders.place(phash)
            if new:
                self._keys.append(key)
            self._marks[key] = "" if new else self._keys[leader]
        return self._marks[key]

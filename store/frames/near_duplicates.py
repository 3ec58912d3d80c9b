"""Near-duplicates by perceptual hash, and by the vectors of an encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from store.frames.hash_bands import HashBands

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
        self._bands = HashBands(threshold)

    def place(self, value: int) -> tuple[int, bool]:
        """Return a hash's leader, counted from 0, and whether the hash has just become it."""
        near = self._bands.near(value)
        if len(near):
            return int(near.min()), False
        self.put(value)
        return len(self._bands) - 1, True

    def put(self, value: int) -> None:
        """Make a hash a leader that is known to be one."""
        self._bands.put(value)


def near_duplicates(phashes: Iterable[str], threshold: int = THRESHOLD) -> list[int | None]:
    """Position of the earlier hash that each one is a near-duplicate of; ``None`` for firsts."""
    leaders = Leaders(threshold)
    firsts: list[int] = []
    values, positions, which = _distinct(phashes)
    leading = np.empty(len(values), dtype=np.int64)
    for at in np.argsort(positions).tolist():
        leader, new = leaders.place(int(values[at]))
        if new:
            firsts.append(int(positions[at]))
        leading[at] = firsts[leader]
    return [
        None if leader == position else leader
        for position, leader in enumerate(leading[which].tolist())
    ]


def _distinct(
    phashes: Iterable[str],
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """Hashes once each, the first position of each, and which of them stands at each position."""
    values = np.fromiter((int(phash, 16) for phash in phashes), dtype=np.uint64)
    found = np.unique_all(values)
    return found.values, found.indices, found.inverse_indices


def are_near_duplicates(phashes: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each hash is a near-duplicate of an earlier one, as ``near_duplicates`` finds it."""
    if len(phashes) > _AT_ONCE:
        return np.array([earlier is not None for earlier in near_duplicates(phashes)], dtype=bool)
    values, positions, which = _distinct(phashes)
    order = np.argsort(positions)
    near = np.bitwise_count(values[order, None] ^ values[order]) <= THRESHOLD
    leads = np.ones(len(values), dtype=bool)
    for place, earlier in np.argwhere(near).tolist():
        if earlier < place and leads[earlier]:
            leads[place] = False
    leading = np.zeros(len(which), dtype=bool)
    leading[positions[order[leads]]] = True
    return ~leading


def alike_hashes(phashes: Iterable[str], threshold: int = THRESHOLD) -> Iterator[tuple[int, int]]:
    """Find every two hashes that are near, equal ones by the first of them.

    Unlike ``near_duplicates`` this leaves no pair out: what is near to several leaders belongs
    with all of them. The earlier position comes first.
    """
    values, positions, which = _distinct(phashes)
    yield from zip(positions[which].tolist(), range(len(which)), strict=True)
    order = np.argsort(positions)
    met = HashBands(threshold)
    for position, value in zip(positions[order].tolist(), values[order].tolist(), strict=True):
        for place in np.unique(met.near(value)).tolist():
            yield int(positions[order[place]]), position
        met.put(value)


def nearest_elsewhere(
    phashes: Iterable[str], others: Iterable[str], most: int
) -> NDArray[np.int64]:
    """Bits by which each hash differs from the nearest of the others; 65 for more than ``most``."""
    known = HashBands(most)
    for value in _distinct(others)[0].tolist():
        known.put(value)
    own, _, which = _distinct(phashes)
    nearest = np.full(len(own), 65)
    for at, value in enumerate(own.tolist()):
        near = known.near(value)
        if len(near):
            nearest[at] = known.differences(value, near).min()
    return nearest[which]


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
            self._leaders.put(int(phash, 16))
            self._keys.append(key)

    def mark(self, key: str, phash: str) -> str:
        """Key of the first hash that this one is near to, or nothing; it never changes."""
        if key not in self._marks:
            leader, new = self._leaders.place(int(phash, 16))
            if new:
                self._keys.append(key)
            self._marks[key] = "" if new else self._keys[leader]
        return self._marks[key]

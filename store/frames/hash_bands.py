"""Hashes by bands of their bits, so that near ones are found without comparing all.

Multi-index hashing (Norouzi, Punjani and Fleet, CVPR 2012): two hashes that differ by few bits
differ by fewer in one of their bands. Only what shares a band, but for those few, is compared.
What is found is exactly what comparing all would find.
"""

from __future__ import annotations

from array import array
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

_BITS = 64
_BANDS = 5
"""Bands of 12 or 13 bits: wider ones hold fewer hashes each, and need more look-ups."""
_SCAN = 4096
"""Hashes up to which comparing all is faster, for each 16 look-ups."""


class HashBands:
    """64-bit hashes in order of arrival, and which of them are within some bits of another."""

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold
        self._values: NDArray[np.uint64] = np.empty(1024, dtype=np.uint64)
        self._count = 0
        self._bands = _bands(threshold)
        self._places: list[dict[int, array[int]]] = [{} for _ in self._bands]
        """Of each band, the places of the hashes by what stands in it, in order of arrival."""
        self._placed = 0
        look_ups = sum(len(masks) for _, _, masks in self._bands)
        self._scan = max(_SCAN, look_ups * _SCAN // 16)

    def __len__(self) -> int:
        return self._count

    def put(self, value: int) -> None:
        if self._count == len(self._values):
            self._values = np.concatenate([self._values, np.empty_like(self._values)])
        self._values[self._count] = value
        self._count += 1

    def near(self, value: int) -> NDArray[np.int64]:
        """Places of all hashes within the threshold, in no order, some of them twice."""
        if self._count <= self._scan:
            bits = np.bitwise_count(self._values[: self._count] ^ np.uint64(value))
            return np.flatnonzero(bits <= self._threshold)
        self._place()
        alike = []
        for (shift, ones, masks), by_band in zip(self._bands, self._places, strict=True):
            band = (value >> shift) & ones
            alike += [by_band[band ^ mask] for mask in masks if band ^ mask in by_band]
        if not alike:
            return np.empty(0, dtype=np.int64)
        found = np.concatenate([np.frombuffer(places, dtype=np.uintc) for places in alike])
        differ = np.bitwise_count(self._values[found] ^ np.uint64(value))
        near: NDArray[np.int64] = found[differ <= self._threshold].astype(np.int64)
        return near

    def differences(self, value: int, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Bits by which a hash differs from those at some places."""
        bits: NDArray[np.uint8] = np.bitwise_count(self._values[places] ^ np.uint64(value))
        return bits

    def _place(self) -> None:
        """Sort into bands what has been put in since the last time."""
        for place in range(self._placed, self._count):
            value = int(self._values[place])
            for (shift, ones, _), by_band in zip(self._bands, self._places, strict=True):
                band = (value >> shift) & ones
                places = by_band.get(band)
                if places is None:
                    by_band[band] = array("I", (place,))
                else:
                    places.append(place)
        self._placed = self._count


def _bands(threshold: int) -> list[tuple[int, int, list[int]]]:
    """Where each band begins, its ones, and what to change in it for all that is near enough.

    With ``threshold = bands * radius + rest``, one of the first ``rest + 1`` bands differs by at
    most ``radius`` bits, or one of the others by fewer: else all together would differ by more.
    """
    count = min(threshold + 1, _BANDS)
    radius, rest = divmod(threshold, count)
    edges = [_BITS * number // count for number in range(count + 1)]
    bands = []
    for number in range(count):
        width = edges[number + 1] - edges[number]
        most = min(radius if number <= rest else radius - 1, width)
        masks = [
            sum(1 << bit for bit in bits)
            for size in range(most + 1)
            for bits in combinations(range(width), size)
        ]
        if masks:
            bands.append((edges[number], (1 << width) - 1, masks))
    return bands

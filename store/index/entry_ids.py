"""Ids of the frames that ledgers name, 16 bytes each, to compare an index with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

_BYTES = 16


@dataclass(frozen=True, slots=True)
class IndexDifference:
    """How an index differs from what ledgers name."""

    rows: int
    extra: int
    """Rows that no ledger names."""
    missing: int
    """Frames that the index lacks."""


class EntryIds:
    """Ids of entries, kept by a part of their BLAKE2 hash: none of 10^9 would be mistaken."""

    def __init__(self) -> None:
        self._packed = bytearray()

    def add(self, key: str) -> None:
        self._packed += _digest(key)

    def update(self, others: EntryIds) -> None:
        self._packed += others._packed

    def __len__(self) -> int:
        return len(self._known())

    def compare(self, pages: Iterable[Sequence[str]]) -> IndexDifference:
        """Compare with the rows of an index, no two of which have one id."""
        known = self._known()
        rows = met = 0
        for page in pages:
            packed = b"".join(map(_digest, page))
            rows += len(page)
            met += int(np.isin(_array(packed), known).sum())
        return IndexDifference(rows, rows - met, len(known) - met)

    def _known(self) -> np.typing.NDArray[np.bytes_]:
        return np.unique(_array(self._packed))


def _array(packed: bytes | bytearray) -> np.typing.NDArray[np.bytes_]:
    return np.frombuffer(bytes(packed), dtype=f"S{_BYTES}")


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=_BYTES).digest()

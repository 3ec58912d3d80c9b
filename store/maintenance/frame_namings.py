"""Which steps name which frame, and what they say of it: columns of some 70 bytes a naming."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from store.runs.ledger_lines import Frame, ObservedVideo

_ROW = struct.Struct("<32sqQqq")
_COLUMNS = np.dtype(
    {
        "names": ["sha256", "position", "phash", "width", "height"],
        "formats": ["S32", "<i8", "<u8", "<i8", "<i8"],
    }
)
_WIDEST = 2**62
"""Pixels of a side: no picture has more, and no column takes every number that a ledger may."""
_HASH = re.compile(r"[0-9a-f]{64}")
_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class FrameNaming:
    """What one step says of a frame."""

    step: str
    """``<run>/<position>``"""
    phash: int
    width: int
    height: int


class RunNamings:
    """The frames that the steps of one run name."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.packed = bytearray()

    def add(self, video: ObservedVideo) -> None:
        for frame in video.frames:
            self.packed += _pack(video.position, frame)


class FrameNamings:
    """The frames of many runs, each once, in the order in which they were first named."""

    def __init__(self, runs: Iterable[RunNamings]) -> None:
        self._runs, packed, ends = [], bytearray(), [0]
        for run in runs:
            self._runs.append(run.run)
            packed += run.packed
            ends.append(len(packed) // _ROW.size)
        self._ends = np.array(ends)
        self._rows = np.frombuffer(packed, dtype=_COLUMNS)
        self._known, first, of_row = np.unique(
            self._rows["sha256"], return_index=True, return_inverse=True
        )
        self._order = np.argsort(first)
        self._by_frame = np.argsort(of_row, kind="stable")
        self._starts = np.searchsorted(of_row[self._by_frame], np.arange(len(self._known) + 1))

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[tuple[str, list[FrameNaming]]]:
        """Give each frame's SHA-256 and its namings, in the order of the runs."""
        for place in self._order.tolist():
            start, stop = self._starts[place : place + 2].tolist()
            rows = self._by_frame[start:stop].tolist()
            yield _told(self._known[place]), [self._naming(row) for row in rows]

    def __contains__(self, sha256: object) -> bool:
        if not isinstance(sha256, str) or not _HASH.fullmatch(sha256):
            return False
        digest = bytes.fromhex(sha256).rstrip(b"\0")  # as NumPy keeps it
        place = int(np.searchsorted(self._known, digest))
        return place < len(self._known) and bool(self._known[place] == digest)

    def count_unnamed(self, frames: Iterable[str]) -> int:
        """Count those that no step names; a text that is no SHA-256 is one of them."""
        unnamed, rest = 0, iter(frames)
        while some := list(islice(rest, _AT_ONCE)):
            digests = [bytes.fromhex(one) for one in some if _HASH.fullmatch(one)]
            named = np.isin(np.array(digests, dtype="S32"), self._known)
            unnamed += len(some) - int(named.sum())
        return unnamed

    def _naming(self, row: int) -> FrameNaming:
        _, position, phash, width, height = self._rows[row].item()
        run = self._runs[int(np.searchsorted(self._ends, row, side="right")) - 1]
        return FrameNaming(f"{run}/{position}", phash, width, height)


def _pack(position: int, frame: Frame) -> bytes:
    width, height = (min(max(side, -1), _WIDEST) for side in (frame.width, frame.height))
    digest = bytes.fromhex(frame.sha256)
    return _ROW.pack(digest, position, int(frame.phash, 16), width, height)


def _told(digest: bytes) -> str:
    return digest.ljust(32, b"\0").hex()  # NumPy cuts zeros off the end

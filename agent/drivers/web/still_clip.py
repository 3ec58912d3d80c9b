"""Made-up clips for playback: one still picture in WebM, of any length."""

from __future__ import annotations

import struct
from functools import cache
from pathlib import Path

SIZE = (180, 320)
"""Pixels of the still, as ``data/still.vp9`` has it."""
STEP_MS = 250
CLUSTER_MS = 30_000
"""A block's time is two bytes, counted from its cluster's."""
_AGAIN = b"\x88"
"""A VP9 frame that shows the first one again (uncompressed header, ``show_existing_frame``)."""
_HEADER = (
    ("4286", 1),
    ("42f7", 1),
    ("42f2", 4),
    ("42f3", 8),
    ("4282", b"webm"),
    ("4287", 2),
    ("4285", 2),
)


@cache
def read_still() -> bytes:
    """Return the still: one VP9 key frame."""
    return (Path(__file__).parent / "data" / "still.vp9").read_bytes()


def make_still_clip(seconds: float) -> bytes:
    """Return a WebM file that declares so many seconds."""
    width, height = SIZE
    video = _element("b0", width) + _element("ba", height)
    track = b"".join(
        (
            _element("d7", 1),
            _element("73c5", 1),
            _element("83", 1),
            _element("86", b"V_VP9"),
            _element("e0", video),
        )
    )
    info = _element("2ad7b1", 10**6) + _element("4489", struct.pack(">d", seconds * 1000))
    info += _element("4d80", b"feedsway") + _element("5741", b"feedsway")
    header = b"".join(_element(name, value) for name, value in _HEADER)
    segment = _element("1549a966", info) + _element("1654ae6b", _element("ae", track))
    return _element("1a45dfa3", header) + _element("18538067", segment + _clusters(seconds))


def _clusters(seconds: float) -> bytes:
    end_ms = max(1, int(seconds * 1000))
    return b"".join(
        _element(
            "1f43b675",
            _element("e7", begin)
            + b"".join(
                _block(at - begin) for at in range(begin, min(begin + CLUSTER_MS, end_ms), STEP_MS)
            ),
        )
        for begin in range(0, end_ms, CLUSTER_MS)
    )


def _block(offset_ms: int) -> bytes:
    flags, frame = (b"\x00", _AGAIN) if offset_ms else (b"\x80", read_still())
    return _element("a3", b"\x81" + struct.pack(">h", offset_ms) + flags + frame)


def _element(name: str, value: int | bytes) -> bytes:
    """Return an EBML element (RFC 8794), its size in eight bytes."""
    if isinstance(value, int):
        value = value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
    return bytes.fromhex(name) + struct.pack(">Q", len(value) | 1 << 56) + value

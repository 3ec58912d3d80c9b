"""JPEG files without what is said beside the picture: place, device, maker, comments.

Refuses to decode: the picture's own bytes stay as they are.
"""

from __future__ import annotations

_KEPT = (0xE0, 0xEE)
"""JFIF and Adobe: without them a decoder takes the colours for others."""
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA


def bare(jpeg: bytes) -> bytes:
    """Leave out every APPn and comment segment that decoding does not need.

    Raises
    ------
    ValueError
        The bytes are no JPEG file.
    """
    if jpeg[:2] != bytes((0xFF, _START)):
        raise ValueError("not a JPEG file")
    kept = [jpeg[:2]]
    at = 2
    try:
        while True:
            while jpeg[at + 1] == 0xFF:  # padding
                at += 1
            marker, end = jpeg[at + 1], at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
            if jpeg[at] != 0xFF:
                raise ValueError("not a JPEG file: no marker where one must be")
            if marker == _END:
                return b"".join([*kept, jpeg[at : at + 2]])
            if marker == _SCAN:
                end = _scan_end(jpeg, end)
            if marker in _KEPT or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
                kept.append(jpeg[at:end])
            at = end
    except IndexError:
        raise ValueError("not a JPEG file: it ends too early") from None


def _scan_end(jpeg: bytes, at: int) -> int:
    """Where coded data ends: at a marker that is neither a stuffed byte nor a restart."""
    while True:
        at = jpeg.find(b"\xff", at)
        if at < 0:
            raise ValueError("not a JPEG file: it ends too early")
        if jpeg[at + 1] != 0 and not 0xD0 <= jpeg[at + 1] <= 0xD7:
            return at
        at += 2

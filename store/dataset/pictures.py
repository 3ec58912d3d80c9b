"""JPEG files without what is said beside the picture: place, device, maker, comments.

Refuses to decode: the picture's own bytes stay as they are.
"""

from __future__ import annotations

_JFIF, _ADOBE = 0xE0, 0xEE
_NEEDED = {_JFIF: (b"JFIF\0", 14), _ADOBE: (b"Adobe", 12)}
"""What begins the two segments by which a decoder tells colours, and their bytes up to a thumbnail.

Everything else that an application may write into a file is left out, JFXX with its thumbnail too.
"""
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA


def bare(jpeg: bytes) -> bytes:
    """Leave out every APPn and comment segment that decoding does not need, and thumbnails.

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
            if 0xE0 <= marker <= 0xEF:
                kept.append(_application(marker, jpeg[at + 4 : end]))
            elif marker != 0xFE:
                kept.append(jpeg[at:end])
            at = end
    except IndexError:
        raise ValueError("not a JPEG file: it ends too early") from None


def _application(marker: int, content: bytes) -> bytes:
    """What stays of an application's segment: nothing, or how to take the colours."""
    begins, size = _NEEDED.get(marker, (b"", 0))
    if not size or not content.startswith(begins) or len(content) < size:
        return b""
    told = content[:size]
    if marker == _JFIF:
        told = told[:-2] + bytes(2)  # width and height of the thumbnail
    return bytes((0xFF, marker)) + (size + 2).to_bytes(2) + told


def _scan_end(jpeg: bytes, at: int) -> int:
    """Where coded data ends: at a marker that is neither a stuffed byte nor a restart."""
    while True:
        at = jpeg.find(b"\xff", at)
        if at < 0:
            raise ValueError("not a JPEG file: it ends too early")
        if jpeg[at + 1] != 0 and not 0xD0 <= jpeg[at + 1] <= 0xD7:
            return at
        at += 2

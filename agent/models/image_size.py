"""Pictures as models get them: no larger than they make use of."""

from __future__ import annotations

import io

from PIL import Image

from agent.errors import ModelFailed
from store.untrusted.size_limits import UnreadablePicture, decode_picture, open_picture

LONGEST_SIDE = 1536
"""Pixels. The large services make larger pictures smaller themselves (their limits are 1,568 and
2,048) and price them by size; four frames of a phone in one sheet stay as they are."""
_QUALITY = 90


def opened(frame: bytes) -> Image.Image:
    """Decode a frame, made smaller where too large; ``ModelFailed`` where it is no picture."""
    try:
        picture = decode_picture(frame)
    except UnreadablePicture as error:
        raise ModelFailed(f"A frame is not shown: {error}") from error
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return picture


def scaled(frame: bytes) -> bytes:
    """Return the same JPEG file if small enough, else a smaller one; raises as `opened`."""
    try:
        with open_picture(frame) as picture:
            fits = max(picture.size) <= LONGEST_SIDE
    except UnreadablePicture as error:
        raise ModelFailed(f"A frame is not shown: {error}") from error
    if fits:
        return frame
    file = io.BytesIO()
    opened(frame).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()

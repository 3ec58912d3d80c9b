"""Strangers' bytes and pictures, each within a limit that is checked first."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 50_000_000
"""Of a picture that is decoded (150 MB as RGB); a camera of 48 megapixels is within."""
MOST_PICTURE_BYTES = 64 * 2**20
"""Of a picture's file."""
MOST_REPLY_BYTES = 8 * 2**20
"""Of what a service answers to one question; a reply of 1,024 tokens has some kilobytes."""
MOST_POST_BYTES = 64 * 2**10
"""Of what a page of ours is sent."""
MOST_TABLE_BYTES = 2**30
"""Of a table or text that is imported: ten million rows of a hundred bytes."""
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Pictures that are decoded; Pillow knows many more, whose decoders are seldom looked at."""

_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    MemoryError,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise over damaged files."""


class ForeignFault(ValueError):
    """Root of what the door refuses; its message says what is wrong, not where."""


class TooManyBytes(ForeignFault):
    """More bytes came than are taken."""

    def __init__(self, most: int) -> None:
        super().__init__(f"it has more than {most:,} bytes")


class UnreadablePicture(ForeignFault):
    """Bytes that are no picture, or one that is not decoded."""

    def __init__(self, told: str) -> None:
        super().__init__(f"it is no picture that can be read ({told})")


async def collect_bytes(chunks: AsyncIterable[bytes], most: int) -> bytes:
    """Collect a body, and stop at the first byte beyond the limit.

    Raises
    ------
    TooManyBytes
        It is longer than ``most`` bytes.
    """
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > most:
            raise TooManyBytes(most)
    return bytes(body)


def read_file(path: Path, most: int) -> bytes:
    """Read a file of at most so many bytes.

    Raises
    ------
    TooManyBytes
        It is longer.
    OSError
        It cannot be read.
    """
    with path.open("rb") as file:
        raw = file.read(most + 1)
    if len(raw) > most:
        raise TooManyBytes(most)
    return raw


def open_table(path: Path) -> TextIO:
    """Open a text file in UTF-8 of at most ``MOST_TABLE_BYTES``, its line ends as they are.

    Raises
    ------
    TooManyBytes
        It is longer.
    OSError
        It cannot be read.
    """
    if path.stat().st_size > MOST_TABLE_BYTES:
        raise TooManyBytes(MOST_TABLE_BYTES)
    return path.open(encoding="utf-8-sig", newline="")


@contextmanager
def open_picture(source: bytes | Path, most_pixels: int = MOST_PIXELS) -> Iterator[Image]:
    """Open a picture whose header is within the limits.

    What a damaged file raises while it is decoded, within the block, becomes one error. So a
    block holds decoding and nothing else.

    Raises
    ------
    UnreadablePicture
        It is no picture, is damaged or too large, or its format is not taken.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        raw = source if isinstance(source, bytes) else read_file(source, MOST_PICTURE_BYTES)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # ours is stricter
            opened = Image.open(io.BytesIO(raw), formats=FORMATS)
        with opened as picture:
            width, height = picture.size
            if width * height > most_pixels:
                raise UnreadablePicture(f"{width} x {height} pixels, at most {most_pixels:,}")
            yield picture
    except UnreadablePicture:
        raise
    except UnidentifiedImageError:
        raise UnreadablePicture("none of " + ", ".join(FORMATS)) from None
    except (*_DAMAGED, Image.DecompressionBombError) as error:
        raise UnreadablePicture(str(error) or type(error).__name__) from None


def decode_picture(source: bytes | Path, mode: str = "RGB") -> Image:
    """Decode a whole picture.

    Raises
    ------
    UnreadablePicture
        As ``open_picture`` does.
    """
    with open_picture(source) as picture:
        return picture.convert(mode)

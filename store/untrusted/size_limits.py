"""Strangers' bytes, each within a limit that is checked first: files, TOML, pictures, bodies."""

from __future__ import annotations

import io
import json
import re
import struct
import tomllib
import warnings
import zlib
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from PIL.Image import Image


MOST_PIXELS = 50_000_000
"""Of a picture that is decoded (150 MB as RGB); a camera of 48 megapixels is within."""
MOST_PICTURE_BYTES = 64 * 2**20
MOST_REPLY_BYTES = 8 * 2**20
"""Of what a service answers to one question; a reply of 1,024 tokens has some kilobytes."""
MOST_BATCH_BYTES = 512 * 2**20
"""Of the results of a batch; 5,000 long replies with the probabilities of their tokens are within.
"""
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
    """Collect a body; raises ``TooManyBytes`` at the first byte beyond the limit."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > most:
            raise TooManyBytes(most)
    return bytes(body)


def read_file(path: Path, most: int) -> bytes:
    """Read a file; raises ``TooManyBytes`` and ``OSError``."""
    with path.open("rb") as file:
        raw = file.read(most + 1)
    if len(raw) > most:
        raise TooManyBytes(most)
    return raw


def open_table(path: Path, encoding: str = "utf-8-sig") -> TextIO:
    """Open a text file, in UTF-8 if nothing else is said, its line ends as they are.

    Raises ``OSError``, and ``TooManyBytes`` beyond ``MOST_TABLE_BYTES``.
    """
    if path.stat().st_size > MOST_TABLE_BYTES:
        raise TooManyBytes(MOST_TABLE_BYTES)
    return path.open(encoding=encoding, newline="")


@contextmanager
def open_picture(source: bytes | Path, most_pixels: int = MOST_PIXELS) -> Iterator[Image]:
    """Open a picture whose header is within the limits, or raise ``UnreadablePicture``.

    What a damaged file raises while it is decoded, within the block, becomes that error too. So a
    block holds decoding and nothing else.
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
    """Decode a whole picture; raises as ``open_picture``."""
    with open_picture(source) as picture:
        return picture.convert(mode)


MOST_TOML_BYTES = 2**20
"""Of a file that people write; the longest study file has some kilobytes."""
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


class BadToml(ForeignFault):
    """Bytes that are no TOML, or more of it than is read."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.line = line
        """Counted from 1; ``None`` where none is at fault."""


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file of TOML.

    Raises ``OSError``, and ``BadToml`` also for a file that is too long, no UTF-8, or holds a
    number or lists within lists beyond what is read.
    """
    try:
        return parse_toml(read_file(path, MOST_TOML_BYTES))
    except TooManyBytes as error:
        raise BadToml(str(error)) from None


def parse_toml(content: bytes) -> dict[str, Any]:
    """Read the bytes of a file of TOML; raises ``BadToml``."""
    if len(content) > MOST_TOML_BYTES:
        raise BadToml(str(TooManyBytes(MOST_TOML_BYTES)))
    try:
        table = tomllib.loads(content.decode())
        _refuse_long_numbers(table)
        return table
    except UnicodeDecodeError:
        raise BadToml("it is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        # before Python 3.14 the parser tells the line in its message only
        place = _PLACE.search(str(error))
        line = int(place[1]) if place and place[1] else None
        raise BadToml(str(error), line) from None
    except RecursionError:
        raise BadToml("its lists lie too deep within each other") from None
    except ValueError:  # of Python, over a number of thousands of digits
        raise BadToml("a number or a date in it is none that can be read") from None


def _refuse_long_numbers(table: dict[str, Any]) -> None:
    """Raise ``ValueError`` over a number that TOML does not promise: of more than 64 bits."""
    waiting: list[Any] = [table]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list):
            waiting += one.values() if isinstance(one, dict) else one
        elif isinstance(one, int) and not -(2**63) <= one < 2**63:
            raise ValueError("it has more than 64 bits")


Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class LimitedBodies:
    """Part of an ASGI application: answers 413 as soon as a body is known to be too long."""

    def __init__(self, app: Asgi, most: int = MOST_POST_BYTES) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen, begun = _told_length(scope), False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most:
                raise TooManyBytes(self._most)
            return message

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            if seen > self._most:
                raise TooManyBytes(self._most)
            seen = 0
            await self._app(scope, counted, watched)
        except TooManyBytes as error:
            if begun:
                raise
            await _refuse(send, str(error))


_MOST_DIGITS = 20
"""Of a length; whoever tells more has more than is taken."""


def _told_length(scope: MutableMapping[str, Any]) -> int:
    told = dict(scope["headers"]).get(b"content-length", b"0")
    return int(told[:_MOST_DIGITS]) if told.isdigit() else 0


async def _refuse(send: Send, why: str) -> None:
    body = json.dumps({"error": f"The body is refused: {why}."}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})

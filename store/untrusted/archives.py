"""Strangers' tar archives, read member by member within limits, without writing anything."""

from __future__ import annotations

import struct
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import BadGzipFile
from typing import IO, Protocol, cast

from store.untrusted.size_limits import ForeignFault

_AT_ONCE = 1 << 20
_LONGEST_READ = 16 << 20
"""Bytes that a header may ask for; pax headers of our own have some hundreds."""
_DAMAGED = (
    tarfile.TarError,
    BadGzipFile,
    zlib.error,
    ValueError,
    ArithmeticError,
    LookupError,
    AttributeError,
    TypeError,
    EOFError,
    RecursionError,
    struct.error,
)
"""What ``tarfile`` raises over bytes that are no archive."""


class SeekableStream(Protocol):
    """What an archive is read from: a file, or what a decompressor makes of one."""

    def read(self, size: int, /) -> bytes: ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...

    def tell(self) -> int: ...


class BadArchive(ForeignFault):
    """An archive that cannot be read to its end, or holds more than is taken."""


class Member:
    """One member, whose bytes are read once, in pieces."""

    def __init__(self, tar: tarfile.TarFile, info: tarfile.TarInfo) -> None:
        self.name, self.size, self.mtime = info.name, info.size, info.mtime
        self.is_file = info.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not info.issparse()
        """Whether it is a plain file: no folder, link or device, and without holes."""
        self._tar, self._info = tar, info

    def pieces(self) -> Iterator[bytes]:
        """Give the bytes of a plain file; raises ``BadArchive`` where some are missing."""
        left = self.size
        with _reading():
            stream = self._tar.extractfile(self._info)
        if stream is None:
            raise BadArchive(f"holds what no backup does ({self.name[:200]!a})")
        while left:
            with _reading():
                piece = stream.read(min(left, _AT_ONCE))
            if not piece:
                raise BadArchive("is cut off")
            left -= len(piece)
            yield piece


def read_members(stream: SeekableStream, most_files: int, most_bytes: int) -> Iterator[Member]:
    """Read an uncompressed tar archive, within limits of all members together.

    Raises ``BadArchive`` where it is damaged, or before a member that exceeds a limit is given.
    """
    bounded = cast("IO[bytes]", _BoundedStream(stream))
    with _reading():
        tar = tarfile.open(fileobj=bounded, mode="r:")  # noqa: SIM115 - closes none
    files = 0
    while True:
        with _reading():
            info = tar.next()
            tar.members.clear()  # type: ignore[attr-defined]  # nobody asks for them again
        if info is None:
            return
        files, most_bytes = files + 1, most_bytes - max(0, info.size)
        if info.size < 0 or files > most_files or most_bytes < 0:
            raise BadArchive(f"holds more than is taken ({info.name[:200]!a})")
        yield Member(tar, info)


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except BadArchive:
        raise
    except _DAMAGED as error:
        raise BadArchive(f"is no whole archive ({type(error).__name__})") from None


class _BoundedStream:
    """A stream of which nobody reads more at once than an honest header asks for."""

    def __init__(self, stream: SeekableStream) -> None:
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _LONGEST_READ:
            raise ValueError("a header asks for too much")
        return self._stream.read(size)

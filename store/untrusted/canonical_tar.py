"""Archives of one layout, byte for byte: each name and size says what every other byte must be.

An uncompressed tar (POSIX pax) of plain files in a known order, without owners, times and
anything between. So nothing in a stranger's archive is interpreted: what is not as it must be is
damage at a named place, and no link, device, hole or second entry of a name can be in it.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterable, Iterator
from typing import IO

from store.untrusted.size_limits import ForeignFault

BLOCK = tarfile.BLOCKSIZE
_AT_ONCE = 1 << 20
_SIZE = slice(124, 136)
"""Where a header has the size of its member, in octal digits."""
_MODE = 0o644


class NotLaidOut(ForeignFault):
    """Bytes that no archive of this layout begins with, or that end too early."""


def tar_header(name: str, size: int) -> bytes:
    """Return the only header that a member of this name and size may have."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, _MODE
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def write_tar(stream: IO[bytes], members: Iterable[tuple[str, int, Iterable[bytes]]]) -> None:
    """Write an archive of names, sizes and bytes, in the order given."""
    written = 0
    for name, size, pieces in members:
        header = tar_header(name, size)
        stream.write(header)
        for piece in pieces:
            stream.write(piece)
        padding = -size % BLOCK
        stream.write(bytes(padding))
        written += len(header) + size + padding
    stream.write(bytes(_end_of(written)))


def _end_of(written: int) -> int:
    """Count the zeros after so many bytes: two blocks, and up to a whole record."""
    return 2 * BLOCK + -(written + 2 * BLOCK) % tarfile.RECORDSIZE


class CanonicalReader:
    """Reads an archive from its first byte to its last, once, and hashes all of it.

    ``faults``: places of the archive's own structure that are not as they must be.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self._read = 0
        self.faults: list[str] = []

    @property
    def sha256(self) -> str:
        """Of everything that was read."""
        return self._hash.hexdigest()

    def first(self, name: str, most: int) -> bytes:
        """Return the first member, which has this name.

        Raises ``NotLaidOut`` where it is another, or has more than ``most`` bytes.
        """
        plain = self._take(BLOCK)
        digits = plain[_SIZE].strip(b"\0 ")
        size = int(digits, 8) if digits and not digits.strip(b"01234567") else -1
        if not 0 <= size <= most or plain != tar_header(name, size):
            raise NotLaidOut(f"does not begin with the header of {name}")
        content = b"".join(self._pieces(name, size))
        self._padding(name, size)
        return content

    def pieces(self, name: str, size: int) -> Iterator[bytes]:
        """Give the bytes of the next member; raises ``NotLaidOut`` where the file ends in it."""
        expected = tar_header(name, size)
        if self._take(len(expected), name) != expected:
            self.faults.append(f"the header before {name}")
        yield from self._pieces(name, size)
        self._padding(name, size)

    def end(self) -> None:
        """Read to the last byte; raises ``NotLaidOut`` where it comes too early."""
        zeros = _end_of(self._read)
        if self._take(zeros, "its end").strip(b"\0"):
            self.faults.append("the zeros at the end")
        while more := self._stream.read(_AT_ONCE):
            self._hash.update(more)
            if "bytes after the end" not in self.faults:
                self.faults.append("bytes after the end")

    def _pieces(self, name: str, size: int) -> Iterator[bytes]:
        while size:
            piece = self._take(min(size, _AT_ONCE), name)
            size -= len(piece)
            yield piece

    def _padding(self, name: str, size: int) -> None:
        if self._take(-size % BLOCK, name).strip(b"\0"):
            self.faults.append(f"the zeros after {name}")

    def _take(self, size: int, where: str = "its first header") -> bytes:
        taken = self._stream.read(size)
        if len(taken) < size:
            raise NotLaidOut(f"is cut off at {where}")
        self._hash.update(taken)
        self._read += size
        return taken

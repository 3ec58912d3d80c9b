"""Files of JSON lines that only grow: whole lines, synced, one writer at a time.

A line is committed when it ends in a newline. What follows the last newline was never acknowledged
to its writer: readers drop it, the next writer cuts it off. Each line is sealed into the file's
hash chain (``hash_chain``); whoever reads records gets them without their seals.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from pydantic_core import from_json

from store.errors import DataUnwritable, RunLocked
from store.jsonl.atomic import make_folder, open_private, sync_folder, write_whole
from store.jsonl.hash_chain import (
    GONE,
    START,
    ChainWalk,
    body_of,
    chain_after,
    ends_in_seal,
    follows,
    looks_sealed,
    seal_lines,
)
from store.jsonl.locks import LockHeld, NamedLock
from store.jsonl.mirrors import Mirror, mirror_of

_TAIL = 1 << 16


class LineFile:
    """One file open for appending; made, with its folder, if it is not there.

    Without ``kept_open`` each append opens and closes it, for a writer of very many files. Raises
    ``OSError`` where it cannot be written.
    """

    dropped: int
    """Bytes of a torn last line that were cut off when the file was opened."""

    def __init__(self, path: Path, *, fsync: bool = True, kept_open: bool = True) -> None:
        self._path = path
        self._fsync, self._kept_open = fsync, kept_open
        self._mirror: Mirror | None = None
        make_folder(path.parent, sync=fsync)
        new = not path.exists()
        self._file = open_private(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        try:
            end = _find_end(path)
            self.dropped, self._size = end.torn, end.size
            self._chain, self._gap = end.chain, end.gap
            if self.dropped:
                os.ftruncate(self._file, self._size)
            if fsync:
                os.fsync(self._file)
                if new:
                    sync_folder(path.parent)
            self._mirror = mirror_of(path)
            if self._mirror is not None:
                self._mirror.open_lines(path)
        except OSError:
            self.close()
            raise
        if not kept_open:
            self._close_file()

    def append(self, lines: bytes) -> None:
        """Seal lines, each with its newline, and commit all of them or none.

        A mirror is told first, so that it never has less. Raises ``OSError`` where the disk or the
        mirror refused; the next append is valid all the same.
        """
        sealed, chain = seal_lines(lines.split(b"\n")[:-1], self._chain)
        self._write(self._gap + sealed)
        self._chain, self._gap = chain, b""

    def _write(self, lines: bytes) -> None:
        if self._mirror is not None:
            self._mirror.put_lines(self._path, self._size, lines, wait=True)
        if not self._kept_open:
            self._file = os.open(self._path, os.O_RDWR | os.O_APPEND)  # never made anew
        try:
            if os.fstat(self._file).st_size != self._size:  # an earlier failure could not undo
                os.ftruncate(self._file, self._size)
            if os.write(self._file, lines) < len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if self._fsync:
                os.fsync(self._file)
        except OSError:
            self._undo()
            raise
        else:
            self._size += len(lines)
        finally:
            if not self._kept_open:
                self._close_file()

    def _undo(self) -> None:
        """If even this fails, the next append tries again."""
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            return

    def close(self) -> None:
        self._close_file()
        if self._mirror is not None:
            self._mirror.close_lines(self._path)

    def _close_file(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


@dataclass(frozen=True, slots=True)
class _FileEnd:
    """Where the next line of a file goes, and what it goes on from."""

    size: int
    torn: int
    chain: bytes
    gap: bytes
    """A newline, where the last line's own was changed into something else."""


def _find_end(path: Path) -> _FileEnd:
    """Read no more of a file than its last lines, but of an older one, which has no chain yet."""
    block = _TAIL
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        while True:
            start = file.seek(max(0, size - block))
            lines, torn = divide(file.read())
            if not start or len(lines) > 1:  # the first of several may be cut at the block's edge
                break
            block *= 4
        gap = b"\n" if lines and not torn and _lacks_newline(file, size) else b""
        chain = chain_after(lines[-1]) if lines else START
        if lines and not looks_sealed(lines[-1]):
            file.seek(0)
            walk = ChainWalk()
            for line in file.read(size - torn).split(b"\n")[:-1]:
                walk.take(line)
            chain = walk.end
    return _FileEnd(size - torn, torn, chain, gap)


def _lacks_newline(file: IO[bytes], size: int) -> bool:
    file.seek(size - 1)
    return file.read(1) != b"\n"


def divide(raw: bytes, chain: bytes = START) -> tuple[list[bytes], int]:
    """Divide a file into its lines as they stand, and the number of bytes of a torn last one.

    Torn is what a writer that was cut off can leave: bytes without a newline, and zeros where a
    power cut took the middle or the end of a line. A line of which a byte was changed is none: it
    stands, for its reader to refuse. ``chain``: what the first line goes on from.
    """
    end = raw.rfind(b"\n") + 1
    lines = raw[:end].split(b"\n")[:-1]
    tail = raw[end:]
    if ends_in_seal(tail):  # a newline that was changed
        return [*lines, tail], 0
    if tail or not lines:
        return lines, len(tail)
    before = chain_after(lines[-2]) if len(lines) > 1 else chain
    if _is_torn(lines[-1], before, sealed=len(lines) > 1 and looks_sealed(lines[-2])):
        return lines[:-1], len(lines[-1]) + 1
    return lines, 0


def _is_torn(line: bytes, before: bytes, *, sealed: bool) -> bool:
    zeros = line.count(0)
    if zeros == 1:  # a space is one bit away from a zero
        near = (line.replace(b"\0", bytes([1 << bit])) for bit in range(8))
        return not any(follows(one, before) for one in near)
    if zeros or sealed or looks_sealed(line):
        return zeros > 0
    return not is_json(line)


def committed(raw: bytes) -> tuple[list[bytes], int]:
    """Committed records without their seals, and the number of bytes of a torn last one."""
    lines, torn = divide(raw)
    bodies = map(body_of, lines)
    return [body for body in bodies if body != GONE], torn


def is_json(line: bytes) -> bool:
    try:
        from_json(line)
    except ValueError:
        return False
    return True


class LineWriter:
    """Holds a file of lines open for appending, and keeps a second writer out by a lock.

    Raises ``RunLocked``, with the run's id, where another writer has it open, and
    ``DataUnwritable``.
    """

    def __init__(
        self,
        path: Path,
        lock: NamedLock,
        run_id: str,
        *,
        fsync: bool = True,
        kept_open: bool = True,
    ) -> None:
        self.path = path
        self._fsync, self._kept_open = fsync, kept_open
        self._lock = lock
        try:
            self._lock.acquire()
        except LockHeld as error:
            raise RunLocked(run_id, str(error)) from None
        except OSError as error:
            raise DataUnwritable(path, error.strerror or str(error)) from None
        try:
            self._file = LineFile(path, fsync=fsync, kept_open=kept_open)
        except OSError as error:
            self._lock.release()
            raise DataUnwritable(path, error.strerror or str(error)) from None

    @property
    def dropped(self) -> int:
        return self._file.dropped

    def _commit(self, lines: bytes) -> None:
        try:
            self._file.append(lines)
        except OSError as error:
            raise DataUnwritable(self.path, error.strerror or str(error)) from None

    def _replace(self, content: bytes) -> None:
        """Put other lines in the place of all that are there, and go on after them."""
        try:
            write_whole(self.path, content, sync=self._fsync)
            self._file.close()
            self._file = LineFile(self.path, fsync=self._fsync, kept_open=self._kept_open)
        except OSError as error:
            raise DataUnwritable(self.path, error.strerror or str(error)) from None

    def close(self) -> None:
        try:
            self._file.close()
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

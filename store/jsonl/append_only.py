"""Files of JSON lines that only grow: whole lines, synced, one writer at a time.

A line is committed when it ends in a newline. What follows the last newline was never acknowledged
to its writer: readers drop it, the next writer cuts it off.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Self

from pydantic_core import from_json

from store.errors import DataUnwritable, RunLocked
from store.jsonl.atomic import make_folder, open_private, sync_folder, write_whole
from store.jsonl.locks import LockHeld, NamedLock
from store.jsonl.mirrors import Mirror, mirror_of


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
            total = os.fstat(self._file).st_size
            _, self.dropped = committed(path.read_bytes())
            self._size = total - self.dropped
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
        """Commit lines, each with its newline, or none of them.

        A mirror is told first, so that it never has less. Raises ``OSError`` where the disk or the
        mirror refused; the next append is valid all the same.
        """
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


def committed(raw: bytes) -> tuple[list[bytes], int]:
    """Committed lines, and the number of bytes of a torn last one.

    A last line with its newline that is no JSON at all is torn as well: a power cut can leave the
    end of a line on the disk without its middle. One that is JSON but no record is damage.
    """
    end = raw.rfind(b"\n") + 1
    lines = raw[:end].split(b"\n")[:-1]
    torn = len(raw) - end
    if lines and not torn and not is_json(lines[-1]):
        torn = len(lines.pop()) + 1
    return lines, torn


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

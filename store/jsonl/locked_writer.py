"""A file of JSON lines with one writer at a time: locked, appended, synced.

Refuses to know what the lines mean (``ledger``, ``rejudgements``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from store.errors import DataUnwritable, RunLocked
from store.jsonl.append_only import LineFile
from store.jsonl.atomic import write_whole
from store.jsonl.locks import LockHeld, NamedLock


class LineWriter:
    """Holds a file of lines open for appending, and keeps a second writer out.

    Parameters
    ----------
    path
        Made, with its folder, if it is not there.
    lock
        The file that names who writes.
    run_id
        The run that the lines belong to.
    fsync
        Wait after each append until it is on the disk.
    kept_open
        Hold the file open between appends; see ``LineFile``.

    Raises
    ------
    RunLocked
        Another writer has it open.
    DataUnwritable
        The file or its folder cannot be written.
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
        """Bytes of a torn last line that were cut off when the file was opened."""
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
        """Release the file and the lock; closing twice does no harm."""
        self._file.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

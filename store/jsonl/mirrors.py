"""Data folders that are caches of a store elsewhere, and who keeps the two alike.

Files are written here as in any folder, and what writes them tells the folder's mirror. A folder
without one costs a look at an empty table.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from store.errors import DataUnreadable, DataUnwritable

CACHE_MARK = ".mirror.json"
"""File of a data folder that is such a cache; it says whose."""


Progress = Callable[[int, int], None]
"""Told how many files of how many are done."""


class Mirror(Protocol):
    """Puts up what is written in one data folder, and brings what is only in the store.

    Its methods raise ``OSError`` where the store cannot be reached or refuses.
    """

    def hold(self, lock: Path, patience_s: float) -> None:
        """Lease what a lock stands for, beside other machines; raises ``LockHeld``."""
        ...

    def release(self, lock: Path) -> None: ...

    def open_lines(self, path: Path) -> None:
        """Make sure that a file of lines, which is about to grow, ends here as in the store."""
        ...

    def put_lines(self, path: Path, start: int, lines: bytes, *, wait: bool) -> None:
        """Put up lines that were appended at an offset, after all that was put up before."""
        ...

    def close_lines(self, path: Path) -> None:
        """Put the parts of a file of lines together, which grows no more for a while."""
        ...

    def put_file(self, path: Path, content: bytes) -> None: ...

    def delete(self, path: Path) -> None:
        """Delete a file, or all below a folder."""
        ...

    def fetch(self, path: Path) -> None:
        """Bring a file that is not here, if the store has it."""
        ...

    def fetch_below(self, folder: Path, progress: Progress) -> int:
        """Bring every frame and reply below a folder that is not here; tell how many came."""
        ...

    def free(self) -> int:
        """Delete frames and replies here that the store has; tell how many went."""
        ...

    def follow(self, folder: Path) -> None:
        """Put up what another program appends to a folder's files with each further commit."""
        ...


_MIRRORS: dict[str, Mirror] = {}
"""By the real path of the data folder."""


def register_mirror(root: Path, mirror: Mirror) -> None:
    _MIRRORS[os.path.realpath(root)] = mirror


def forget_mirror(root: Path) -> None:
    _MIRRORS.pop(os.path.realpath(root), None)


def mirror_of(path: Path) -> Mirror | None:
    """Return who mirrors the data folder that a path lies in; ``None`` for most folders."""
    if not _MIRRORS:
        return None
    place = os.path.realpath(path)
    for root, mirror in _MIRRORS.items():
        if place == root or place.startswith(root + os.sep):
            return mirror
    return None


def fetch_missing(path: Path) -> None:
    """Bring a file that only the store has, where there is one; raises ``DataUnreadable``."""
    if not _MIRRORS or path.exists() or (mirror := mirror_of(path)) is None:
        return
    try:
        mirror.fetch(path)
    except OSError as error:
        raise DataUnreadable(path, str(error)) from None


def follow(folder: Path) -> None:
    """Have what another program appends to a folder's files go up too, where there is a mirror.

    Raises ``DataUnwritable`` where another machine went on with one of them.
    """
    if (mirror := mirror_of(folder)) is None:
        return
    try:
        mirror.follow(folder)
    except OSError as error:
        raise DataUnwritable(folder, str(error)) from None


def _say_nothing(_done: int, _total: int) -> None:
    """Tell nobody."""


def fetch_below(folder: Path, progress: Progress = _say_nothing) -> int:
    """Bring all that only the store has, before a whole folder is read; tell how many came.

    Raises ``DataUnreadable`` where the store cannot be reached.
    """
    if (mirror := mirror_of(folder)) is None:
        return 0
    try:
        return mirror.fetch_below(folder, progress)
    except OSError as error:
        raise DataUnreadable(folder, str(error)) from None

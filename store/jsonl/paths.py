"""Which strings may name a file, what lies in its folder, and folders that appear whole.

A hash, a run id, a study's or an account's name becomes part of a path, and may come from a
stranger's ledger. So it is checked where a record is read, and the path again where it is used.
"""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from store.errors import BadName, OutsideFolder
from store.jsonl.atomic import make_folder, sync_folder
from store.jsonl.locks import LockHeld, NamedLock
from store.jsonl.mirrors import mirror_of

LONGEST_NAME = 200
"""Characters; file systems take 255 bytes, and endings are added."""
_LONGEST_PART = 255
_SEPARATORS = "/\\"
_FRAME_HASH = r"^[0-9a-f]{64}$"


def check_name(text: str) -> str:
    """Return a name that may be one part of a path, or raise ``BadName``.

    It is not empty nor longer than ``LONGEST_NAME``, begins with no dot, and holds no separator and
    no character of Unicode's categories C (controls, formats, surrogates).
    """
    if not is_name(text):
        raise BadName(text)
    return text


def is_name(text: str) -> bool:
    return len(text) <= LONGEST_NAME and not text.startswith(".") and is_part(text)


def is_part(text: str) -> bool:
    """Whether a text is one part of a path, hidden files included."""
    if any(c in _SEPARATORS or unicodedata.category(c)[0] == "C" for c in text):
        return False
    return text not in ("", ".", "..") and len(text.encode()) <= _LONGEST_PART


def _validated(text: str) -> str:
    if not is_name(text):
        raise ValueError(f"{text[:80]!a} could lead out of its folder, and is no name")
    return text


PathName = Annotated[str, AfterValidator(_validated)]
"""A run id, or the name of a study, an account or a platform."""
FrameHash = Annotated[str, StringConstraints(pattern=_FRAME_HASH)]
"""SHA-256, 64 hexadecimal digits."""
PerceptualHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
"""64 bits, 16 hexadecimal digits."""


def path_within(folder: Path, path: Path) -> Path:
    """Return a path that is about to be opened or removed, or raise ``OutsideFolder``.

    Links are followed, of the folder and of the path: what counts is where the bytes lie.
    """
    try:
        home, there = os.path.realpath(folder), os.path.realpath(path)
    except ValueError:  # a NUL in it
        raise OutsideFolder(path, folder) from None
    if there == home or os.path.commonpath([home, there]) != home:
        raise OutsideFolder(path, folder)
    return path


def remove_within(folder: Path, path: Path) -> None:
    """Delete a file, or a folder with all that is in it, if it is there.

    Raises ``OutsideFolder`` before anything is deleted, and ``OSError``.
    """
    path_within(folder, path)
    if (mirror := mirror_of(path)) is not None:
        mirror.delete(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def staged_folder(place: Path, suffix: str, refuse: Callable[[str], Exception]) -> Iterator[Path]:
    """Give an empty folder to write to, which takes its place, synced, once all went well.

    It lies beside the place, as ``.NAME`` with the suffix. What a killed call left there is cleared
    by the next one; a call that fails leaves nothing. ``refuse`` makes the error for a place that
    cannot be taken, of a few words. Raises ``OSError`` where the disk refused.
    """
    place = place.resolve()
    if place == Path.cwd() or (place.exists() and os.path.ismount(place)):
        raise refuse("is in use as a folder to work in, or as a disk")
    building = place.with_name(f".{place.name}{suffix}")
    make_folder(place.parent)
    lock = NamedLock(building.with_name(f"{building.name}.lock"))
    try:
        lock.acquire()
    except LockHeld as error:
        raise refuse(f"is being made by {error}") from None
    try:
        _clear(building)
        make_folder(building)
        yield building
        sync_all(building)
        building.replace(place)
        sync_folder(place.parent)
    finally:
        _clear(building)  # in its place by now, or never acknowledged
        lock.release()
        lock.path.unlink(missing_ok=True)


def sync_all(folder: Path) -> None:
    for top, _, names in os.walk(folder, topdown=False):
        for name in names:
            descriptor = os.open(Path(top, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(top))


def _clear(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)

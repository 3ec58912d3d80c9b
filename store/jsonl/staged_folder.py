"""Folders made beside their place and renamed at the end, so that they are there whole or not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from store.jsonl.atomic import make_folder, sync_folder
from store.jsonl.locks import LockHeld, NamedLock


@contextmanager
def staged_folder(place: Path, suffix: str, refuse: Callable[[str], Exception]) -> Iterator[Path]:
    """Give an empty folder to write to, which takes its place once all went well.

    It lies beside the place, as ``.NAME`` with the suffix. What a killed call left there is cleared
    by the next one; a call that fails leaves nothing.

    Parameters
    ----------
    place
        Where the folder appears, synced; not there yet, or empty.
    refuse
        Makes the error for a place that cannot be taken, of a few words.

    Raises
    ------
    OSError
        The disk refused.
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
    """Wait until a folder and everything in it is on the disk."""
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

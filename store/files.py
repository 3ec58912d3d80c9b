"""Bytes put on the disk so that they are there whole or not at all.

Refuses to know what the bytes mean.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from pathlib import Path

TEMPORARY = ".tmp"
"""Suffix of a file that is still being written; one left behind by a killed process is harmless."""


def write_whole(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Write a file under a temporary name beside its place, then rename it.

    Parameters
    ----------
    path
        Where the file appears. Its folder is made if needed.
    content
        All of it.
    sync
        Wait until the bytes and the new name are on the disk.

    Raises
    ------
    OSError
        When the disk refuses. Nothing is left behind then.
    """
    make_folder(path.parent, sync=sync)
    # unique among living threads, so that two writers of one file do not meet
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}{TEMPORARY}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        sync_folder(path.parent)


def make_folder(folder: Path, *, sync: bool = True) -> None:
    """Make a folder with its parents; with ``sync``, their names survive a power cut."""
    if folder.is_dir():
        return
    make_folder(folder.parent, sync=sync)
    folder.mkdir(exist_ok=True)
    if sync:
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk (a no-op where folders cannot be opened)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_slug(name: str, told: object) -> str:
    """Return a file's name that a person can read, and that differs where ``repr(told)`` does."""
    mark = hashlib.sha256(repr(told).encode()).hexdigest()[:8]
    plain = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
    return f"{plain[:60]}-{mark}"

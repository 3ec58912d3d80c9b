"""Files that are there whole or not at all, and for whose eyes.

What is made can be read by its owner alone. In a folder that was given to a group (setgid, and
writable by the group) it can be read and written by that group as well, and so on downwards.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import threading
from pathlib import Path

from store.jsonl.mirrors import mirror_of

TEMPORARY = ".tmp"
"""Suffix of a file that is still being written; one left behind by a killed process is harmless."""


PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
SHARED_FOLDER, SHARED_FILE = 0o2770, 0o660


def is_shared(folder: Path) -> bool:
    """Whether a folder, or what it would be made in, was given to a group."""
    while not folder.exists():
        folder = folder.absolute().parent
    mode = folder.stat().st_mode
    return bool(mode & stat.S_ISGID) and bool(mode & stat.S_IWGRP)


def restrict_umask(folder: Path) -> int:
    """Have all that this process and its children make be no more open than the folder's files.

    For what others' code writes: the index, browser profiles, logs. Returns the former umask.
    """
    return os.umask(0o007 if is_shared(folder) else 0o077)


def open_private(path: Path, flags: int) -> int:
    """Open a file, which is made for its owner or its folder's group; returns a descriptor."""
    new = not path.exists()
    descriptor = os.open(path, flags, PRIVATE_FILE)
    if new and is_shared(path.parent):
        os.fchmod(descriptor, SHARED_FILE)  # whatever the umask
    return descriptor


def write_whole(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Write a file as a whole, here and where its data folder is mirrored; see ``write_here``."""
    if (mirror := mirror_of(path)) is not None:
        mirror.put_file(path, content)
    write_here(path, content, sync=sync)


def write_here(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Write a file under a temporary name beside its place, then rename it.

    Its folder is made if needed. With ``sync`` the bytes and the new name are on the disk at the
    end. Raises ``OSError``, and leaves nothing behind then.
    """
    make_folder(path.parent, sync=sync)
    # unique among living threads, so that two writers of one file do not meet
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}{TEMPORARY}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(open_private(temporary, flags), "wb") as file:
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
    """Make a folder with its parents, for its owner or the group of the folder above.

    With ``sync``, their names survive a power cut.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent, sync=sync)
    try:
        folder.mkdir(PRIVATE_FOLDER)
    except FileExistsError:  # by another process, in between
        return
    if is_shared(folder.parent):
        folder.chmod(SHARED_FOLDER)
    if sync:
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Wait until a folder's names are on the disk; Windows cannot be asked to."""
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

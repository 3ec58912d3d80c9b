"""Everything that is kept in one file, and back again, whole or not at all.

It may be taken while runs go on: lines are appended whole, so that a file of them is copied up to
its last whole one, and ledgers are copied before the frames, which were there before any ledger
named them. Left out is what can be made again (indexes), what belongs to the living (locks, the
daemon's address and logs) and, unless asked for, browser profiles: they are as good as passwords.

Refuses to know what the files mean, beyond their places and endings.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from store.data import LEDGER, DataFolder
from store.errors import (
    BadBackup,
    DataUnwritable,
    ForgettingPending,
    NoPlaceToRestore,
    ProfileInUse,
)
from store.files import TEMPORARY, make_folder, sync_folder
from store.lines import committed
from store.locks import Held, NamedLock

MANIFEST = "feedsway-backup.json"
"""Last member of a whole backup: what must be in it."""
FORMAT = 1
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600
_PASSING = ("Cache", "Singleton", "Crashpad")
"""In the names of what a browser makes anew."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Packed:
    """What a backup holds."""

    files: int
    bytes: int
    profiles: bool


def backup(
    data: DataFolder, file: Path, at: datetime, *, profiles: bool, progress: Progress | None = None
) -> Packed:
    """Write a backup, which only its owner can read.

    Parameters
    ----------
    file
        Made anew; appears when it is whole.
    at
        Now; kept in it.
    profiles
        Whether browser profiles go in as well.

    Raises
    ------
    BadBackup
        There is such a file already, or it would lie among what it holds.
    ForgettingPending
        A request to forget was cut off: it comes first.
    ProfileInUse
        A browser writes a profile that is to go in.
    """
    if file.exists():
        raise BadBackup(file, "is there already")
    if file.resolve().is_relative_to(data.root.resolve()):
        raise BadBackup(file, "lies in the folder that it is to hold")
    if data.forgetting.exists():
        raise ForgettingPending
    temporary = file.with_name(f".{file.name}{TEMPORARY}")
    try:
        make_folder(file.parent)
        with ExitStack() as held:
            if profiles:
                _hold_profiles(data, held)
            packed = _write(data, temporary, at, profiles=profiles, progress=progress)
        temporary.replace(file)
        sync_folder(file.parent)
    except OSError as error:
        raise DataUnwritable(file, error.strerror or str(error)) from None
    finally:
        temporary.unlink(missing_ok=True)
    return packed


def _hold_profiles(data: DataFolder, held: ExitStack) -> None:
    for profile in sorted(data.profiles_dir.glob("*/*/")):
        lock = NamedLock(profile.parent / f".{profile.name}.lock")
        try:
            lock.acquire()
        except Held as error:
            raise ProfileInUse(profile.name, str(error)) from None
        held.callback(lock.release)


def _write(
    data: DataFolder, file: Path, at: datetime, *, profiles: bool, progress: Progress | None
) -> Packed:
    hashes: dict[str, str] = {}
    size = 0
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        for path, left in _in_order(data, profiles=profiles):
            try:
                content, changed = _content(path), path.stat().st_mtime
            except FileNotFoundError:  # gone since it was listed
                continue
            name = path.relative_to(data.root).as_posix()
            hashes[name] = hashlib.sha256(content).hexdigest()
            size += len(content)
            _add(tar, name, content, changed)
            if progress is not None:
                progress(len(hashes), len(hashes) + left)
        told = {"format": FORMAT, "at": at.isoformat(), "profiles": profiles, "sha256": hashes}
        _add(tar, MANIFEST, json.dumps(told).encode(), at.timestamp())
        stream.flush()
        os.fsync(stream.fileno())
    return Packed(len(hashes), size, profiles)


def _in_order(data: DataFolder, *, profiles: bool) -> Iterator[tuple[Path, int]]:
    """What goes in, and how much is left of its kind.

    Everything else is looked for once the ledgers were copied: what these name is there by then.
    """
    for kind in (data.ledgers, lambda: list(_paths(data, profiles=profiles))):
        paths = kind()
        yield from zip(paths, range(len(paths) - 1, -1, -1), strict=True)


def _paths(data: DataFolder, *, profiles: bool) -> Iterator[Path]:
    """Everything that goes in, beside the ledgers."""
    left_out = {data.index_dir, data.daemon_dir} | (set() if profiles else {data.profiles_dir})
    for top, folders, names in os.walk(data.root):
        folder = Path(top)
        folders[:] = sorted(name for name in folders if folder / name not in left_out)
        for name in sorted(names):
            path = folder / name
            if _goes_in(path.relative_to(data.root)) and path.is_file() and not path.is_symlink():
                yield path
    journal = data.daemon_dir / "journal.jsonl"
    if journal.exists():
        yield journal


def _goes_in(path: Path) -> bool:
    if path.name == LEDGER or path.suffix in (".lock", TEMPORARY):
        return False
    if path.parts[0] == "profiles":
        return not any(word in part for part in path.parts[3:] for word in _PASSING)
    return True


def _content(path: Path) -> bytes:
    """A file's bytes; of one that lines are appended to, the whole ones."""
    content = path.read_bytes()
    if path.suffix != ".jsonl":
        return content
    _, torn = committed(content)
    return content[: len(content) - torn]


def _add(tar: tarfile.TarFile, name: str, content: bytes, at: float) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = len(content), int(at), 0o644
    tar.addfile(member, io.BytesIO(content))


def restore(file: Path, data: DataFolder, progress: Progress | None = None) -> Packed:
    """Put a backup into an empty folder, and check every byte of it.

    Raises
    ------
    NoPlaceToRestore
        There is something in the folder.
    BadBackup
        The file is no backup, is cut off, or holds other bytes than were put in; nothing is left
        of it in the folder.
    """
    if data.root.exists() and any(data.root.iterdir()):
        raise NoPlaceToRestore(data.root, file)
    make_folder(data.root)
    try:
        with tarfile.open(file, mode="r:") as tar:
            packed = _unpack(tar, file, data.root, progress)
    except (tarfile.TarError, ValueError, KeyError, EOFError) as error:
        _clear(data.root)
        raise BadBackup(file, f"is no whole backup ({type(error).__name__})") from None
    except OSError as error:
        _clear(data.root)
        raise DataUnwritable(data.root, error.strerror or str(error)) from None
    except BaseException:
        _clear(data.root)
        raise
    for folder in (
        data.profiles_dir,
        *data.profiles_dir.glob("*/"),
        *data.profiles_dir.glob("*/*/"),
    ):
        if folder.is_dir():
            folder.chmod(_PRIVATE_FOLDER)
    return packed


def _unpack(tar: tarfile.TarFile, file: Path, root: Path, progress: Progress | None) -> Packed:
    found: dict[str, str] = {}
    size = 0
    told: dict[str, Any] | None = None
    for done, member in enumerate(tar, 1):
        stream = tar.extractfile(member)
        place = PurePosixPath(member.name)
        if stream is None or place.is_absolute() or ".." in place.parts or told is not None:
            raise BadBackup(file, f"holds what no backup does ({member.name!r})")
        content = stream.read()
        if member.name == MANIFEST:
            told = json.loads(content)
            continue
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if place.parts[0] == "profiles":
            path.chmod(_PRIVATE_FILE)
        os.utime(path, (member.mtime, member.mtime))
        found[member.name] = hashlib.sha256(content).hexdigest()
        size += len(content)
        if progress is not None:
            progress(done, done)
    if told is None:
        raise BadBackup(file, "is cut off")
    if told["format"] != FORMAT:
        raise BadBackup(file, f"has format {told['format']}, and this feedsway knows {FORMAT}")
    if told["sha256"] != found:
        raise BadBackup(file, "holds other bytes than were put in")
    return Packed(len(found), size, told["profiles"])


def _clear(root: Path) -> None:
    """Empty the folder again: what was put there was never acknowledged."""
    for path in root.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

"""Everything that is kept in one file, whole or not at all.

It may be taken while runs go on: lines are appended whole, so that a file of them is copied up to
its last whole one, and ledgers are copied before the frames, which were there before any ledger
named them. What goes in, and comes back, stands on a list: a backup may be a stranger's. Left out
is what can be made again (indexes), what belongs to the living (locks, the daemon's address and
logs) and, unless asked for, browser profiles: they are as good as passwords.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel

from store.errors import BadBackup, DataUnwritable, ForgettingPending, ProfileInUse
from store.jsonl.append_only import committed
from store.jsonl.atomic import PRIVATE_FILE, TEMPORARY, make_folder, sync_folder
from store.jsonl.base_record import Record
from store.jsonl.locks import LockHeld, NamedLock
from store.jsonl.paths import FrameHash, is_name, is_part
from store.runs.data_folder import LEDGER, DataFolder
from store.runs.ledger import LOCK

MANIFEST = "feedsway-backup.json"
"""Last member of a whole backup: what must be in it."""
FORMAT = 1
Secret = Literal["profiles", "replies", "key"]
"""Browser profiles, kept replies of models, and the key of the pseudonyms."""
SECRETS: tuple[Secret, ...] = get_args(Secret)
Kind = Secret | Literal["record"]

_DEEPEST = 32
PLACES = frozenset(
    {"runs", "studies", "frames", "spectra", "pairs", "probes", "derived", "daemon", "cache"}
    | {"canary", "compact", "index", "labels", "profiles", "payments.jsonl", "pseudonyms.key"}
)
"""Everything directly below a data folder that is feedsway's own."""
_PASSING_ENDS = (".lock", ".tmp")
_PASSING_WORDS = ("Cache", "Singleton", "Crashpad")
"""In the names of what a browser makes anew."""
_RECORDS = re.compile(
    r"""
    frames/(?P<head>[0-9a-f]{2})/(?P=head)[0-9a-f]{62}\.jpg
    | derived/[0-9a-f]{24}\.json
    | daemon/journal\.jsonl
    | payments\.jsonl
    | canary/[^/]+\.jsonl
    | labels/[^/]+/(draw|by-[^/]+)\.jsonl
    | (runs|studies)/[^/]+/.+
    | (spectra|pairs|probes)/.+
    """,
    re.VERBOSE | re.DOTALL,
)
_REPLY = re.compile(r"cache/[0-9a-f]{2}/[0-9a-f-]+\.json")
_PROFILE_DEPTH = 4
"""Parts of a profile's file: ``profiles``, platform, account, and its own."""


class Manifest(Record):
    """The SHA-256 of everything that must be in a backup."""

    format: int
    at: datetime
    profiles: bool
    sha256: dict[str, FrameHash]


class ManifestHead(BaseModel):
    """What every manifest has, also one of a later format."""

    format: int


def is_safe(name: str) -> bool:
    parts = name.split("/")
    return len(parts) <= _DEEPEST and all(map(is_part, parts))


def kind_of(name: str) -> Kind | None:
    """What a file of a data folder is, by its name; ``None``: no backup holds it."""
    parts = name.split("/")
    if not is_safe(name) or name.endswith(_PASSING_ENDS) or parts[-1] == LOCK:
        return None
    if parts[0] == "profiles":
        return "profiles" if _is_of_profile(parts) else None
    if name == "pseudonyms.key":
        return "key"
    if _REPLY.fullmatch(name):
        return "replies"
    own = _RECORDS.fullmatch(name) is not None and is_name(parts[min(1, len(parts) - 1)])
    return "record" if own else None


def _is_of_profile(parts: Sequence[str]) -> bool:
    deep = len(parts) >= _PROFILE_DEPTH and is_name(parts[1]) and is_name(parts[2])
    return deep and not any(word in part for part in parts[3:] for word in _PASSING_WORDS)


Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """What a backup holds."""

    files: int
    bytes: int
    profiles: bool
    others: tuple[str, ...] = ()
    """Names in the data folder that were left out: none of feedsway's own, or links deeper down."""


def backup(
    data: DataFolder, file: Path, at: datetime, *, profiles: bool, progress: Progress | None = None
) -> BackupSummary:
    """Write a backup, which only its owner can read; it appears when it is whole.

    Raises ``BadBackup`` where there is such a file already, or it would lie among what it holds;
    ``ForgettingPending`` where a request to forget was cut off, which comes first; ``ProfileInUse``
    where a browser writes a profile that is to go in.
    """
    if file.exists():
        raise BadBackup(file, "is there already")
    if file.resolve().is_relative_to(data.root.resolve()):
        raise BadBackup(file, "lies in the folder that it is to hold")
    if data.forgetting.exists():
        raise ForgettingPending
    try:
        make_folder(file.parent)
        for profile in _profiles(data) if profiles else ():
            with _unused(profile):  # said before all else is copied
                pass
        with _placed(file) as temporary:
            return _write(data, temporary, at, profiles=profiles, progress=progress)
    except OSError as error:
        raise DataUnwritable(file, error.strerror or str(error)) from None


@contextmanager
def _placed(file: Path) -> Iterator[Path]:
    temporary = file.with_name(f".{file.name}{TEMPORARY}")
    lock = NamedLock(file.with_name(f".{file.name}.lock"))
    try:
        lock.acquire()
    except LockHeld as error:
        raise BadBackup(file, f"is being made by {error}") from None
    try:
        temporary.unlink(missing_ok=True)  # of a killed call, or anybody's link
        yield temporary
        temporary.replace(file)
        sync_folder(file.parent)
    finally:
        temporary.unlink(missing_ok=True)
        lock.release()
        lock.path.unlink(missing_ok=True)


def _profiles(data: DataFolder) -> list[Path]:
    return sorted(data.profiles_dir.glob("*/*/"))


@contextmanager
def _unused(profile: Path) -> Iterator[None]:
    """Hold one profile: of all of them at once there may be more than a process may open files."""
    lock = NamedLock(profile.parent / f".{profile.name}.lock")
    try:
        lock.acquire()
    except LockHeld as error:
        raise ProfileInUse(profile.name, str(error)) from None
    try:
        yield
    finally:
        lock.release()


def _write(
    data: DataFolder, file: Path, at: datetime, *, profiles: bool, progress: Progress | None
) -> BackupSummary:
    hashes: dict[str, str] = {}
    size = 0
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
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
        told = Manifest(format=FORMAT, at=at, profiles=profiles, sha256=hashes)
        _add(tar, MANIFEST, told.model_dump_json().encode(), at.timestamp())
        stream.flush()
        os.fsync(stream.fileno())
    return BackupSummary(len(hashes), size, profiles, _others(data))


def _others(data: DataFolder) -> tuple[str, ...]:
    names = {path.name for path in data.root.iterdir()} - PLACES
    own = [name for name in names if not name.endswith((".lock", TEMPORARY)) and name[0] != "."]
    linked = [str(path.parent.relative_to(data.root)) for path in data.foreign_ledgers()]
    return tuple(sorted([*own, *linked]))


def _in_order(data: DataFolder, *, profiles: bool) -> Iterator[tuple[Path, int]]:
    """What goes in, and how much is left of its kind.

    Everything else is looked for once the ledgers were copied: what these name is there by then.
    """
    apart = {data.index_dir, data.profiles_dir}
    for kind in (data.ledgers, lambda: _below(data, data.root, apart)):
        yield from _counted(kind())
    for profile in _profiles(data) if profiles else ():
        with _unused(profile):
            yield from _counted(_below(data, profile, set()))


def _counted(paths: list[Path]) -> Iterator[tuple[Path, int]]:
    yield from zip(paths, range(len(paths) - 1, -1, -1), strict=True)


def _below(data: DataFolder, start: Path, left_out: set[Path]) -> list[Path]:
    """Every file in a folder that goes in, beside the ledgers.

    A folder directly below the root may be a link to another disk, and is looked into as well.
    """
    found = []
    linked = [path for path in sorted(start.iterdir()) if path.is_symlink() and path.is_dir()]
    starts = [start, *(path for path in linked if start == data.root and path not in left_out)]
    for top, folders, names in chain.from_iterable(map(os.walk, starts)):
        folder = Path(top)
        folders[:] = sorted(name for name in folders if folder / name not in left_out)
        for path in (folder / name for name in sorted(names) if name != LEDGER):
            kind = kind_of(path.relative_to(data.root).as_posix())
            if kind is not None and path.is_file() and not path.is_symlink():
                found.append(path)
    return found


def _content(path: Path) -> bytes:
    """A file's bytes; of one that lines are appended to, the whole ones."""
    content = path.read_bytes()
    if path.suffix != ".jsonl":
        return content
    _, torn = committed(content)
    return content[: len(content) - torn]


def _add(tar: tarfile.TarFile, name: str, content: bytes, at: float) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = len(content), int(at), PRIVATE_FILE
    tar.addfile(member, io.BytesIO(content))

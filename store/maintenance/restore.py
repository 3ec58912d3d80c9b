"""Puts a backup, which may be a stranger's, into an empty folder, whole or not at all.

It is unpacked beside its place, synced, and renamed at the end, so that a call that was killed can
be typed again. What a backup holds beyond the list in ``backup`` is left out; secrets come in only
where they are asked for. Links, devices and sparse files have no business in one: it is refused.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from store.errors import BadBackup, DataUnwritable, NoPlaceToRestore
from store.jsonl.atomic import make_folder, open_private
from store.jsonl.paths import path_within, staged_folder
from store.maintenance.backup import (
    FORMAT,
    MANIFEST,
    Manifest,
    ManifestHead,
    Secret,
    is_safe,
    kind_of,
)
from store.runs.data_folder import DataFolder
from store.untrusted.archives import BadArchive, Member, read_members

MOST_FILES = 5_000_000
"""Members of a backup; a million frames have about as many."""
_PER_ENTRY = 1024
"""Bytes of the manifest that each file may take."""
_MEBIBYTE = 1 << 20
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class RestoreSummary:
    """What was put into the folder, and what of the backup was not."""

    files: int = 0
    bytes: int = 0
    secrets: Counter[Secret] = field(default_factory=Counter)
    withheld: Counter[Secret] = field(default_factory=Counter)
    """Files of these that were left out, since they were not asked for."""
    unknown: int = 0
    """Files that no backup of ours holds, left out."""


def restore(
    file: Path,
    data: DataFolder,
    secrets: Collection[Secret] = (),
    progress: Progress | None = None,
) -> RestoreSummary:
    """Put a backup into an empty folder, and check every byte of it.

    ``secrets`` may come in beside records: only from a backup of one's own. Raises
    ``NoPlaceToRestore`` where the folder is not empty or cannot be put in place by a rename.
    ``BadBackup`` (no backup, cut off, other bytes than were put in) and ``DataUnwritable`` leave
    nothing of it.
    """
    place = data.root.resolve()
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise NoPlaceToRestore(data.root, file)

    def refuse(problem: str) -> NoPlaceToRestore:
        return NoPlaceToRestore(data.root, file, problem)

    try:
        _refuse_full(file, data)
        with staged_folder(place, ".restoring", refuse) as building:
            return _Unpacking(file, building, secrets).unpack(progress)
    except OSError as error:
        raise DataUnwritable(data.root, error.strerror or str(error)) from None


def _refuse_full(file: Path, data: DataFolder) -> None:
    """What is not compressed needs as much room as it has bytes, and no more."""
    need, free = file.stat().st_size, data.free_bytes()
    if need > free:
        told = f"{free // _MEBIBYTE} MiB free, {need // _MEBIBYTE + 1} MiB needed"
        raise DataUnwritable(data.root, told)


class _Unpacking:
    def __init__(self, file: Path, folder: Path, secrets: Collection[Secret]) -> None:
        self._file, self._folder, self._secrets = file, folder, secrets
        self._found: dict[str, str] = {}
        """SHA-256 of every member, those that are left out included."""
        self._restored = RestoreSummary()

    def unpack(self, progress: Progress | None) -> RestoreSummary:
        ended = False
        try:
            with self._file.open("rb") as stream:
                # nothing in it is compressed: it cannot hold more bytes than it has
                for member in read_members(stream, MOST_FILES, self._file.stat().st_size):
                    if ended:
                        raise BadBackup(self._file, "goes on after its end")
                    self._check(member)
                    ended = member.name == MANIFEST
                    if ended:
                        self._compare(member)
                        continue
                    self._take(member)
                    if progress is not None:
                        progress(len(self._found), len(self._found))
        except BadArchive as error:
            raise BadBackup(self._file, str(error)) from None
        if not ended:
            raise BadBackup(self._file, "is cut off")
        return self._restored

    def _check(self, member: Member) -> None:
        if not member.is_file or not is_safe(member.name) or member.name in self._found:
            raise BadBackup(self._file, f"holds what no backup does ({member.name[:200]!a})")

    def _take(self, member: Member) -> None:
        """Keep a member if it may come in; its hash counts in any case."""
        kind = kind_of(member.name)
        if kind is None:
            self._restored.unknown += 1
        elif kind != "record" and kind not in self._secrets:
            self._restored.withheld[kind] += 1
        else:
            if kind != "record":
                self._restored.secrets[kind] += 1
            self._restored.files += 1
            self._restored.bytes += member.size
            self._found[member.name] = self._write(member)
            return
        digest = hashlib.sha256()
        for piece in member.pieces():
            digest.update(piece)
        self._found[member.name] = digest.hexdigest()

    def _write(self, member: Member) -> str:
        path = path_within(self._folder, self._folder / member.name)
        make_folder(path.parent, sync=False)
        digest = hashlib.sha256()
        descriptor = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with os.fdopen(descriptor, "wb") as out:
            for piece in member.pieces():
                digest.update(piece)
                out.write(piece)
        if 0 <= member.mtime < 1 << 40:  # a stranger's may be no time at all
            os.utime(path, (member.mtime, member.mtime))
        return digest.hexdigest()

    def _compare(self, member: Member) -> None:
        """Hold what was found against the last member, which says what must be there."""
        if member.size > _PER_ENTRY * (len(self._found) + 4):
            raise BadBackup(self._file, f"holds what no backup does ({MANIFEST!r})")
        content = b"".join(member.pieces())
        try:
            if (known := ManifestHead.model_validate_json(content).format) != FORMAT:
                told = f"has format {known}, and this feedsway knows {FORMAT}"
                raise BadBackup(self._file, told)
            manifest = Manifest.model_validate_json(content)
        except ValidationError:
            raise BadBackup(self._file, f"has a {MANIFEST} that is none") from None
        if manifest.sha256 != self._found:
            raise BadBackup(self._file, "holds other bytes than were put in")

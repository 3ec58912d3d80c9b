"""Opens a stranger's bundle: every byte is checked, and damage is told by its place."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from store.bundle.bundle_manifest import (
    MOST_BYTES,
    NAME,
    BundledFile,
    BundleManifest,
    read_chain_end,
)
from store.bundle.errors import BadBundle
from store.jsonl.atomic import make_folder
from store.jsonl.paths import path_within
from store.untrusted.canonical_tar import CanonicalReader, NotLaidOut

SHOWN = 5
"""Damaged members that are named one by one."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class OpenedBundle:
    """A bundle that is whole, and where it was unpacked."""

    manifest: BundleManifest
    sha256: str
    """Of the file."""
    bytes: int
    folder: Path


def open_bundle(file: Path, folder: Path, progress: Progress | None = None) -> OpenedBundle:
    """Unpack a bundle into an empty folder, and check every byte of it.

    Raises ``BadBundle``, which names the members that are damaged, or says that the archive's own
    structure is.
    """
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # a pipe would be waited for
            raise BadBundle.damage(file, "is no file")
        with file.open("rb") as stream:
            return _Opening(file, folder, CanonicalReader(stream)).read(progress)
    except NotLaidOut as error:
        raise BadBundle.damage(file, f"is no whole bundle: it {error}") from None
    except OSError as error:
        raise BadBundle.damage(file, f"cannot be read ({error.strerror or error})") from None


class _Opening:
    def __init__(self, file: Path, folder: Path, reader: CanonicalReader) -> None:
        self._file, self._folder, self._reader = file, folder, reader

    def read(self, progress: Progress | None) -> OpenedBundle:
        content = self._reader.first(NAME, min(MOST_BYTES, self._file.stat().st_size))
        try:
            manifest = BundleManifest.decode(content)
        except ValueError as error:
            raise BadBundle.damage(self._file, f"is damaged in {NAME}: {error}") from None
        damaged = []
        for number, member in enumerate(manifest.files, 1):
            if self._unpack(member) != member.sha256:
                damaged.append(member.place)
            elif read_chain_end(self._folder / member.place) != member.chain:
                damaged.append(f"{member.place} (its hash chain ends otherwise)")
            if progress is not None:
                progress(number, len(manifest.files))
        self._reader.end()
        if damaged or self._reader.faults:
            raise BadBundle.damage(self._file, _tell(damaged, self._reader.faults))
        size = self._file.stat().st_size
        return OpenedBundle(manifest, self._reader.sha256, size, self._folder)

    def _unpack(self, member: BundledFile) -> str:
        """Write a member to its place and return the SHA-256 of what was there."""
        path = path_within(self._folder, self._folder / member.place)
        make_folder(path.parent, sync=False)
        digest = hashlib.sha256()
        with path.open("xb") as out:
            for piece in self._reader.pieces(member.place, member.bytes):
                digest.update(piece)
                out.write(piece)
        return digest.hexdigest()


def _tell(damaged: list[str], faults: list[str]) -> str:
    said = []
    if damaged:
        more = f" and {len(damaged) - SHOWN} more" if len(damaged) > SHOWN else ""
        said.append(f"is damaged in {', '.join(damaged[:SHOWN])}{more}")
    if faults:
        more = f" and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        said.append(f"is damaged in the archive's own structure: {', '.join(faults[:SHOWN])}{more}")
    return ", and ".join(said)

"""Strangers' zip files: one member is read, by its name, and nothing is written."""

from __future__ import annotations

import lzma
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

from store.untrusted.size_limits import ForeignFault, TooManyBytes

MOST_MEMBERS = 1_000_000
MOST_RATIO = 200
"""How many times its size a member may unpack to; JSON of equal entries reaches some 30."""
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
"""How members may be packed: one by LZMA names the memory that it takes, which may be any."""
_SMALL = 2**24  # bytes that a member may unpack to whatever its ratio
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ValueError,
    LookupError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
)
"""What damaged zips raise: an encrypted one a ``RuntimeError``, a place before the file's beginning
an ``OSError``."""


class BadZip(ForeignFault):
    """A zip file that cannot be read, or a member that is not taken."""


def read_member(path: Path, names: Collection[str], most: int) -> bytes | None:
    """Return the bytes of the member that is called by one of these names, in whatever folder.

    Of several the one that lies least deep counts. ``None`` where there is none. Raises
    ``OSError``, ``BadZip``, and ``TooManyBytes`` beyond ``most``.
    """
    wanted = {name.casefold() for name in names}
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return _read(archive, wanted, most)
        except ForeignFault:
            raise
        except _DAMAGED as error:
            raise BadZip(f"it is no zip file that can be read ({error})") from None


def _read(archive: zipfile.ZipFile, wanted: Collection[str], most: int) -> bytes | None:
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise BadZip(f"it holds more than {MOST_MEMBERS:,} files")
    found = [m for m in members if posixpath.basename(m.filename).casefold() in wanted]
    if not found:
        return None
    member = min(found, key=lambda each: (each.filename.count("/"), each.filename))
    if member.file_size > most:
        raise TooManyBytes(most)
    if member.file_size > max(_SMALL, MOST_RATIO * member.compress_size):
        raise BadZip(f"a file in it unpacks to {member.file_size:,} bytes")
    if member.compress_type not in METHODS:
        raise BadZip("a file in it is packed in an unusual way. Unpack it, and pack it by deflate")
    with archive.open(member) as stream:
        return stream.read(most)  # no more than the size that was looked at

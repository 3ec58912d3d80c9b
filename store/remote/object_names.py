"""What of a data folder goes to the store, and under which names.

A file of lines is a row of parts, ``ledger.jsonl/000001-000000004096``: the number of its version,
which rises when the file is rewritten, and the offset in bytes at which the part begins. The book
of payments has many writers; each of its parts is somebody's lines, and their order tells nothing.
Every other file is one object.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from store.jsonl.atomic import TEMPORARY
from store.jsonl.paths import is_part
from store.remote.leases import FOLDER as LEASES
from store.remote.object_store import StoredObject

BOOK = "payments.jsonl"
LAZY = ("frames", "cache")
"""Folders of files that never change, and are brought when they are asked for."""
_OWN = frozenset({"index", "compact", "profiles", "daemon", "pseudonyms.key", LEASES})
"""What belongs to a machine, holds secrets, or can be made anew."""
_VISITORS = ("profiles", "playground")
"""What the playground remembers: the only profiles that hold nothing of a real account."""
_PASSING = (".lock", TEMPORARY)
_LINES = ".jsonl"
_PART = re.compile(r"^(?P<file>.+\.jsonl)/(?P<version>\d{6})-(?P<start>\d{12})$")


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive lines of a file, as an object; offsets in bytes."""

    name: str
    version: int
    start: int
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class StoredLines:
    """A file of lines as the store has it."""

    version: int = 0
    parts: tuple[Part, ...] = ()
    """Of that version, without gaps."""
    stale: tuple[str, ...] = ()
    """Names of parts that count no more."""

    @property
    def size(self) -> int:
        return self.parts[-1].end if self.parts else 0

    @property
    def sealed(self) -> bool:
        """Whether nobody can append any more, but only write a new version."""
        return bool(self.parts) and not self.parts[-1].size


def is_mirrored(place: str) -> bool:
    """Whether a file goes to the store, by its place in the data folder."""
    parts = PurePosixPath(place).parts
    if not parts or not all(map(is_part, parts)) or any(part.startswith(".") for part in parts):
        return False
    if parts[-1].endswith(_PASSING):
        return False
    return parts[0] not in _OWN or (parts[:2] == _VISITORS and place.endswith(_LINES))


def is_searched(top: str) -> bool:
    """Whether files of a folder of the data folder may have been changed by others' code."""
    return top not in _OWN and top not in LAZY


def is_leased(lock: str) -> bool:
    """Whether a lock is held beside other machines: accounts, runs, studies, files of answers."""
    top = PurePosixPath(lock).parts[0]
    if top.startswith(".") or lock == "payments.lock":
        return False
    return top == "profiles" or top not in _OWN


def is_lines(place: str) -> bool:
    return place.endswith(_LINES)


def is_lazy(place: str) -> bool:
    return PurePosixPath(place).parts[0] in LAZY


def part_name(place: str, version: int, start: int) -> str:
    return f"{place}/{version:06d}-{start:012d}"


def book_part_name(machine: str) -> str:
    """Return a new name for lines of the book, which sorts after all of this machine."""
    return f"{BOOK}/{time.time_ns():020d}-{machine[:8]}-{uuid.uuid4().hex[:8]}"


def file_of(name: str) -> str:
    """Return the place in the data folder of the file that an object is, or is a part of."""
    if name.startswith(f"{BOOK}/"):
        return BOOK
    found = _PART.match(name)
    return found["file"] if found else name


def arrange(objects: Iterable[StoredObject]) -> StoredLines:
    """Find the newest whole version among the parts of one file.

    A version begins at offset 0; what follows a gap was never acknowledged to its writer.
    """
    versions: dict[int, dict[int, Part]] = {}
    for each in objects:
        found = _PART.match(each.name)
        if found:
            version, start = int(found["version"]), int(found["start"])
            part = Part(each.name, version, start, each.size)
            versions.setdefault(version, {})[start] = part
    newest = max((number for number, parts in versions.items() if 0 in parts), default=0)
    chain: list[Part] = []
    following = versions.get(newest, {}).get(0)
    while following is not None:
        chain.append(following)
        following = versions[newest].get(following.end) if following.size else None
    current = {part.name for part in chain}
    stale = tuple(
        part.name
        for parts in versions.values()
        for part in parts.values()
        if part.name not in current
    )
    return StoredLines(newest, tuple(chain), stale)

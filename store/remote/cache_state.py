"""What a cache knows of the store: which version of each file it has, beside the files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from store.jsonl.atomic import make_folder, write_here
from store.jsonl.locks import LockHeld, NamedLock
from store.remote import object_names as names
from store.untrusted.json_files import parse_json

STATE, NOTES = ".mirror-state.json", ".mirror-notes.txt"
_PATIENCE_S = 60.0
_Known = TypeVar("_Known")


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A file as it was when it was the same as an object; its time in nanoseconds."""

    tag: str
    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path, tag: str) -> CachedFile:
        told = path.stat()
        return cls(tag, told.st_size, told.st_mtime_ns)


@dataclass
class CacheState:
    """Which objects a cache has, by their place in the data folder."""

    root: Path
    files: dict[str, CachedFile] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    """Of files of lines."""
    noted: set[str] = field(default_factory=set)
    """What was put up from here. It is known even where the process that did so was killed."""
    sweep: bool = False
    """Whether frames may be here that were deleted from the store."""

    @classmethod
    def read(cls, root: Path) -> CacheState:
        """Read what was saved; where nothing can be read, everything is compared anew."""
        try:
            saved = parse_json((root / STATE).read_bytes())
            files = {str(place): CachedFile(*each) for place, each in saved["files"].items()}
            versions = {str(place): int(each) for place, each in saved["versions"].items()}
            sweep = bool(saved["sweep"])
            state = cls(root, files, versions, sweep=sweep)
        except FileNotFoundError:
            state = cls(root)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError):
            state = cls(root, sweep=True)
        with suppress(OSError):
            lines = (root / NOTES).read_text(encoding="utf-8", errors="replace")
            state.noted = set(lines.splitlines())
        state._base = state._copy()
        return state

    def __post_init__(self) -> None:
        self._base: CacheState | None = None
        """As it was read; what differs from it is this process's knowledge."""

    def _copy(self) -> CacheState:
        return CacheState(
            self.root, dict(self.files), dict(self.versions), set(self.noted), self.sweep
        )

    def merge(self) -> None:
        """Take over what other processes saved since, but where this one knows better."""
        now, base = CacheState.read(self.root), self._base or CacheState(self.root)
        _apply(self.files, base.files, now.files)
        _apply(self.versions, base.versions, now.versions)
        now.noted = now.noted - (base.noted - self.noted) | (self.noted - base.noted)
        now.sweep = now.sweep if self.sweep == base.sweep else self.sweep
        self.files, self.versions, self.noted = now.files, now.versions, now.noted
        self.sweep, self._base = now.sweep, now._base

    def note(self, place: str) -> None:
        """Remember that a file is in the store, before anybody can be killed who knows it."""
        if place in self.noted:
            return
        self.noted.add(place)
        with self._lock():
            notes = os.open(self.root / NOTES, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(notes, f"{place}\n".encode())
            finally:
                os.close(notes)

    def forget(self, place: str) -> None:
        """Know nothing of a file, and of all below a folder, which was deleted from here."""
        below = f"{place}/"
        known = {*self.files, *self.versions, *self.noted}
        gone = [each for each in known if each == place or each.startswith(below)]
        for each in gone:
            self.files.pop(each, None)
            self.versions.pop(each, None)
            self.noted.discard(each)
        if gone:
            self.save()

    def save(self) -> None:
        """Save it with what other processes saved since it was read."""
        with self._lock():
            self.merge()
            files = {
                place: [each.tag, each.size, each.modified_ns] for place, each in self.files.items()
            }
            told = {"files": files, "versions": self.versions, "sweep": self.sweep}
            write_here(self.root / STATE, json.dumps(told).encode(), sync=False)
            notes = "".join(f"{place}\n" for place in sorted(self.noted))
            write_here(self.root / NOTES, notes.encode(), sync=False)
            self._base = self._copy()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Keep other processes out for the moment that reading and writing takes."""
        lock = NamedLock(self.root / ".mirror-state.lock")
        try:
            lock.acquire(_PATIENCE_S)
        except LockHeld as error:
            raise OSError(f"{lock.path} is held by {error}") from None
        try:
            yield
        finally:
            lock.release()

    def changed(self, place: str, path: Path) -> bool:
        """Whether a file here is another than it was when the store had the same."""
        known = self.files.get(place)
        return known is None or CachedFile.of(path, known.tag) != known

    def files_here(self) -> Iterator[Path]:
        """Every file that a machine may have changed; frames and replies never are."""
        for top, folders, found in os.walk(self.root):
            if Path(top) == self.root:
                folders[:] = [name for name in folders if names.is_searched(name)]
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (Path(top, name) for name in sorted(found))

    def write_here(self, path: Path, content: bytes) -> None:
        make_folder(path.parent, sync=False)
        write_here(path, content, sync=False)


def _apply(ours: dict[str, _Known], base: dict[str, _Known], now: dict[str, _Known]) -> None:
    """Change what is saved where ours is another than it was when it was read."""
    for place in ours.keys() | base.keys():
        if ours.get(place) == base.get(place):
            continue
        if place in ours:
            now[place] = ours[place]
        else:
            now.pop(place, None)

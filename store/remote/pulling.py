"""Brings a cache up to what its store has, when a command begins.

Frames and replies are left where they are until somebody reads them. Nothing that was changed here
is overwritten: where both sides went on, the store's stands and ours is kept aside.
"""

from __future__ import annotations

import time
from pathlib import Path

from store.jsonl.append_only import divide
from store.jsonl.hash_chain import body_of, reseal
from store.jsonl.locks import NamedLock, holder
from store.jsonl.mirrors import Progress
from store.jsonl.paths import remove_within
from store.remote import object_names as names
from store.remote import payment_parts
from store.remote.cache_state import CachedFile
from store.remote.mirror import FolderMirror
from store.remote.object_store import StoredObject
from store.untrusted.clean_text import show_line

ASIDE = ".aside"
"""Folder of the cache with what another machine went on beyond."""
_PATIENCE_S = 120.0
_LOOKS = 4
_FRESH_S = 600.0
"""A frame that is so new may be on its way up."""


class Pull:
    """One look at the whole store but frames and replies."""

    def __init__(self, mirror: FolderMirror, progress: Progress) -> None:
        self._mirror, self._progress = mirror, progress
        self.aside: list[Path] = []
        """Where files were put whose lines or bytes the store does not have."""

    def run(self) -> None:
        """Bring what is newer there; raises ``OSError`` where the store cannot be reached."""
        lock = NamedLock(self._mirror.root / ".mirror.lock")
        lock.acquire(_PATIENCE_S)
        try:
            self._mirror.state.merge()
            found = self._list()
            if not found and self._mirror.state.versions:
                raise OSError("it is empty, and the cache here is not")
            work = sorted(found)
            done = 0

            def bring(place: str) -> None:
                nonlocal done
                self._bring(place, found[place])
                done += 1
                self._progress(done, len(work))

            self._mirror.map(bring, work)
            self._drop_deleted(set(found))
            if self._mirror.state.sweep:
                self._mirror.state.sweep = self._drop_frames()
            self._mirror.state.save()
        finally:
            lock.release()

    def _list(self) -> dict[str, list[StoredObject]]:
        store = self._mirror.store
        objects = store.top_objects()
        for folder in store.folders():
            if folder not in names.LAZY:
                objects += store.find(folder)
        found: dict[str, list[StoredObject]] = {}
        for each in objects:
            if names.is_lines(each.name) and names.is_mirrored(each.name):
                raise OSError(
                    f"it holds {show_line(each.name)[:200]} as one object, as a plain data folder "
                    "does. Put that folder on this machine, type: python -m store merge FOLDER "
                    "--data URL, with another URL"
                )
            place = names.file_of(each.name)
            if names.is_mirrored(place):
                found.setdefault(place, []).append(each)
        return found

    def _bring(self, place: str, objects: list[StoredObject]) -> None:
        path = self._mirror.root / place
        if place == names.BOOK:
            self._bring_book(path, sorted(each.name for each in objects))
        elif names.is_lines(place):
            self._bring_lines(place, path, names.arrange(objects))
        else:
            self._bring_file(place, path, objects[0])

    def _bring_lines(self, place: str, path: Path, stored: names.StoredLines) -> None:
        state = self._mirror.state
        here = path.read_bytes() if path.exists() else b""
        known = state.versions.get(place)
        if known == stored.version and len(here) == stored.size:
            return
        if holder(path.with_suffix(".lock")) is not None:
            return  # somebody here writes it, and keeps both alike
        kept, stored = self._read(place, stored)
        if not here.startswith(kept):
            if here and not kept.startswith(here):
                state.sweep = True
                if known == stored.version or stored.version <= 1:
                    self._put_aside(place, path)
            state.write_here(path, kept)
        state.versions[place] = stored.version

    def _read(self, place: str, stored: names.StoredLines) -> tuple[bytes, names.StoredLines]:
        """Read a file of lines; one that was put together since the listing is listed anew."""
        for _ in range(_LOOKS):
            try:
                return self._mirror.read_lines(stored), stored
            except FileNotFoundError:
                stored = self._mirror.stored_lines(place)
        return self._mirror.read_lines(stored), stored

    def _bring_file(self, place: str, path: Path, stored: StoredObject) -> None:
        state = self._mirror.state
        known = state.files.get(place)
        if path.exists() and known is not None and known.tag == stored.tag:
            return
        content = self._mirror.store.get(stored.name)
        if content is None:
            return
        if not path.exists() or path.read_bytes() != content:
            ours = known is not None or place not in state.noted
            if path.exists() and ours and state.changed(place, path):
                self._put_aside(place, path)
            state.write_here(path, content)
        state.files[place] = CachedFile.of(path, stored.tag)

    def _bring_book(self, path: Path, parts: list[str]) -> None:
        """Add lines of other machines; each is written once, since each names its call."""
        lock = NamedLock(path.with_suffix(".lock"))
        lock.acquire(_PATIENCE_S)
        try:
            lines, _ = divide(path.read_bytes()) if path.exists() else ([], 0)
            book = list(map(body_of, lines))
            missing = [name for name in parts if name not in self._mirror.state.files]
            contents: dict[str, bytes] = {}

            def get(name: str) -> None:
                contents[name] = self._mirror.store.get(name) or b""

            self._mirror.map(get, missing)
            new, early = payment_parts.add(book, {name: contents[name] for name in missing})
            if new:
                self._mirror.state.write_here(path, reseal([lines], [*book, *new]))
            self._mirror.state.files |= {
                name: CachedFile("", 0, 0) for name in missing if name not in early
            }
        finally:
            lock.release()

    def _put_aside(self, place: str, path: Path) -> None:
        aside = self._mirror.root / ASIDE / f"{place}.{time.time_ns()}"
        self._mirror.state.write_here(aside, path.read_bytes())
        self.aside.append(aside)

    def _drop_deleted(self, found: set[str]) -> None:
        """Delete what the store had once and has no more: it was forgotten elsewhere."""
        state = self._mirror.state
        for place in (state.files.keys() | state.versions.keys() | state.noted) - found:
            path = self._mirror.root / place
            if names.file_of(place) != place:  # a part of the book, whose lines stay
                continue
            if place in found or holder(path.with_suffix(".lock")) is not None:
                continue
            if place in state.files and path.exists() and state.changed(place, path):
                self._put_aside(place, path)
            remove_within(self._mirror.root, path)
            state.files.pop(place, None)
            state.versions.pop(place, None)
            state.noted.discard(place)
            state.sweep = True

    def _drop_frames(self) -> bool:
        """Delete frames and replies here that the store has no more; tell whether any is left.

        What is very new may be on its way up, and is looked at again next time.
        """
        kept = {each.name for top in names.LAZY for each in self._mirror.store.find(top)}
        left = False
        for top in names.LAZY:
            for path in (self._mirror.root / top).glob("??/*"):
                if self._mirror.place(path) in kept:
                    continue
                if time.time() - path.stat().st_mtime > _FRESH_S:
                    path.unlink(missing_ok=True)
                else:
                    left = True
        return left

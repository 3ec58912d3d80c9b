"""Keeps a data folder and its store alike while something is written.

The store is written first, so that what a machine has is never more than the store has: whoever
dies loses nothing that was acknowledged, and another machine goes on from there. Frames and replies
go up beside the work, and are all there before a line is.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from store.jsonl.append_only import committed
from store.jsonl.hash_chain import seal_lines
from store.jsonl.mirrors import Progress
from store.remote import object_names as names
from store.remote.cache_state import CachedFile, CacheState
from store.remote.leases import FOLDER, LEASE_S, LeaseKeeper
from store.remote.object_store import RemoteStore

_AT_ONCE = 8
_MOST_PARTS = 1000
_JOIN_PARTS = 4
"""A file of more parts is put together when it is closed."""


class FolderMirror:
    """One process's view of a mirrored data folder; see ``store.jsonl.mirrors.Mirror``."""

    def __init__(
        self, root: Path, store: RemoteStore, machine: str, lease_s: float = LEASE_S
    ) -> None:
        self.root, self.store, self.machine = Path(os.path.realpath(root)), store, machine
        self.state = CacheState.read(self.root)
        self.leases = LeaseKeeper(store, machine, lease_s)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="mirror")
        self._pending: dict[str, tuple[bytes, Future[str]]] = {}
        self._up: set[str] = set()
        self._replies: set[str] | None = None
        self._lines: dict[str, names.StoredLines] = {}
        """Files of lines that this process writes."""
        self._own: dict[str, tuple[str, bytes]] = {}
        """Tags and hashes of whole files that this process put up as it wrote them."""
        self._payments: dict[str, bytes] = {}
        """Parts of the book that this process put up."""
        self._followed: set[Path] = set()
        self._guard = threading.RLock()
        self._exclusive = False
        """Whether the store was seen to keep two writers of one name apart."""

    def hold(self, lock: Path, patience_s: float) -> None:
        """Lease what a lock stands for; raises ``LockHeld``, ``DataUrlRefused`` and ``OSError``."""
        if names.is_leased(self.place(lock)):
            if not self._exclusive:
                self.store.prove_exclusive(f"{FOLDER}/.trial")
                self._exclusive = True
            self.leases.hold(self.place(lock), patience_s)

    def release(self, lock: Path) -> None:
        self.leases.release(self.place(lock))

    def open_lines(self, path: Path) -> None:
        """Begin to write a file of lines, which is here as the store has it.

        What is here beyond that goes up. Raises ``OSError`` where the store has more, or other
        lines: another machine went on with the file since this command began.
        """
        place = self.place(path)
        if place == names.BOOK or not names.is_mirrored(place):
            return
        stored = self.stored_lines(place)
        kept = self.read_lines(stored)
        here = path.read_bytes()
        if not here.startswith(kept):
            raise OSError("another machine went on with it. Type the same command again")
        with self._guard:
            if stored.sealed and kept:  # by one who was killed before there was a new version
                stored = self._replace_lines(place, stored, kept)
            self._lines[place] = stored
            if len(here) > len(kept):
                self._add_part(place, here[len(kept) :])

    def put_lines(self, path: Path, start: int, lines: bytes, *, wait: bool = True) -> None:
        """Put up lines that are about to be appended, once all before them is up."""
        place = self.place(path)
        if not names.is_mirrored(place):
            return
        if place == names.BOOK:
            self._put_payment(lines, wait=wait)
            return
        with self._guard:
            self.settle()
            self._put_tails()
            if self._lines[place].size != start:
                raise OSError("an earlier commit is unfinished. Type the same command again")
            self._add_part(place, lines)

    def close_lines(self, path: Path) -> None:
        """Put a file's parts together; where that fails, they stay as they are."""
        place = self.place(path)
        with self._guard:
            stored = self._lines.pop(place, None)
            if stored is None:
                return
            if len(stored.parts) > _JOIN_PARTS and not self.leases.lost():
                with suppress(OSError):
                    content = path.read_bytes()[: stored.size]
                    if len(content) == stored.size:  # else the disk here has lost some
                        stored = self._replace_lines(place, stored, content)
            self.state.versions[place] = stored.version

    def put_file(self, path: Path, content: bytes) -> None:
        place = self.place(path)
        if not names.is_mirrored(place):
            return
        if names.is_lazy(place):
            if place not in self._up:
                self._put_beside(place, content)
            return
        with self._guard:
            self.settle()
            self.leases.check()
            if place == names.BOOK:
                known = set(committed(path.read_bytes())[0]) if path.exists() else set()
                new = [line for line in committed(content)[0] if line not in known]
                self.store.create(names.book_part_name(self.machine), seal_lines(new)[0])
            elif names.is_lines(place):
                before = self._lines.get(place) or self.stored_lines(place)
                stored = self._replace_lines(place, before, content)
                if place in self._lines:
                    self._lines[place] = stored
                self.state.versions[place] = stored.version
                self.state.note(place)
            else:
                self._own[place] = self.store.put(place, content), sha256(content).digest()
                self.state.note(place)

    def delete(self, path: Path) -> None:
        """Delete a file, or all below a folder, from the store."""
        place = self.place(path)
        with self._guard:
            self.settle()
            self.leases.check()
            found = [each.name for each in self.store.find(place)]
            if not found and names.is_mirrored(place):
                found = [place]
            self.store.delete(found)
            self._up -= {place, *found}
            self._own.pop(place, None)
            if not names.is_lazy(place):
                self.state.forget(place)

    def fetch(self, path: Path) -> None:
        place = self.place(path)
        if not names.is_mirrored(place) or not names.is_lazy(place):
            return
        if place.startswith("cache/") and place not in self._known_replies():
            return
        content = self.store.get(place)
        if content is not None:
            self.state.write_here(path, content)

    def fetch_below(self, folder: Path, progress: Progress) -> int:
        place = self.place(folder)
        tops = (place,) if place else names.LAZY
        found = [each.name for top in tops for each in self.store.find(top)]
        missing = [place for place in found if not (self.root / place).exists()]
        done = 0

        def bring(place: str) -> None:
            nonlocal done
            self.fetch(self.root / place)
            done += 1
            progress(done, len(missing))

        self.map(bring, missing)
        return len(missing)

    def free(self) -> int:
        """Delete frames and replies here that the store has; tell how many went."""
        self.settle()
        sizes = {each.name: each.size for top in names.LAZY for each in self.store.find(top)}
        gone = 0
        for place, size in sizes.items():
            path = self.root / place
            if path.is_file() and path.stat().st_size == size:
                path.unlink()
                gone += 1
        return gone

    def follow(self, folder: Path) -> None:
        for path in sorted(folder.glob("*.jsonl")):
            self.open_lines(path)
        self._followed.add(folder)

    def settle(self) -> None:
        """Wait until everything that goes up beside the work is up.

        What failed is tried again by the next call. Raises ``OSError``.
        """
        with self._guard:
            for place, (content, done) in list(self._pending.items()):  # frames come in meanwhile
                if done.done() and done.exception() is not None:
                    self._put_beside(place, content)
            for place, (_, done) in list(self._pending.items()):
                done.result()
                del self._pending[place]

    def close(self) -> None:
        """Put up what others wrote, give leases back, and stop; raises ``OSError``."""
        try:
            with self._guard:
                self.settle()
                self._put_tails()
                for place in list(self._lines):
                    self.close_lines(self.root / place)
                self._join_payments()
                self._put_rest()
                self.state.save()
        finally:
            self.leases.close()
            self._pool.shutdown(wait=True, cancel_futures=True)

    def place(self, path: Path) -> str:
        """Return where a path lies in the data folder, with slashes."""
        whole = Path(os.path.realpath(path.parent)) / path.name
        return "" if whole == self.root else whole.relative_to(self.root).as_posix()

    def stored_lines(self, place: str) -> names.StoredLines:
        return names.arrange(self.store.find(place))

    def read_lines(self, stored: names.StoredLines) -> bytes:
        """Return a file's content.

        Raises ``FileNotFoundError`` where a part has gone since it was listed, and ``OSError``.
        """
        contents = list(self._pool.map(self.store.get, [part.name for part in stored.parts]))
        parts = [content for content in contents if content is not None]
        if len(parts) < len(contents):
            raise FileNotFoundError("another machine rewrites it. Type the same command again")
        return b"".join(parts)

    def map(self, work: Callable[[str], None], places: list[str]) -> None:
        """Do something for many places at once; raises what the first failure raised."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(work, places):
                continue

    def _add_part(self, place: str, lines: bytes) -> None:
        self.leases.check()
        stored = self._lines[place]
        if stored.sealed:  # an empty file has one empty part
            self._lines[place] = self._replace_lines(place, stored, lines)
            return
        version = stored.version or 1
        part = names.Part(
            names.part_name(place, version, stored.size), version, stored.size, len(lines)
        )
        if not self.store.create(part.name, lines):
            raise OSError("another machine went on with it. Type the same command again")
        self.state.note(place)
        stored = names.StoredLines(version, (*stored.parts, part), stored.stale)
        if len(stored.parts) >= _MOST_PARTS:
            stored = self._replace_lines(place, stored, self.read_lines(stored))
        self._lines[place] = stored

    def _replace_lines(
        self, place: str, stored: names.StoredLines, content: bytes
    ) -> names.StoredLines:
        """Write a whole new version, which counts from then on, and delete the older parts.

        The older one is ended by an empty part, which stays: who did not see this, or slept, cannot
        append to what counts no more. If somebody did append, that stands, and this is refused.
        """
        seal = () if stored.sealed else (names.part_name(place, stored.version, stored.size),)
        version = stored.version + 1
        name = names.part_name(place, version, 0)
        if stored.version and not all(self.store.create(each, b"") for each in seal):
            raise OSError("another machine went on with it. Type the same command again")
        if not self.store.create(name, content):
            raise OSError("another machine rewrites it. Type the same command again")
        self.store.delete([*(part.name for part in stored.parts if part.size), *stored.stale])
        return names.StoredLines(version, (names.Part(name, version, 0, len(content)),))

    def _put_payment(self, lines: bytes, *, wait: bool) -> None:
        """Put lines of the book up as a chain of their own: each machine's book is another."""
        name = names.book_part_name(self.machine)
        lines, _ = seal_lines(committed(lines)[0])
        self._payments[name] = lines
        if wait:
            with self._guard:
                self.settle()
            self.leases.check()
            self.store.create(name, lines)
        else:
            self._put_beside(name, lines)

    def _join_payments(self) -> None:
        """Put this process's lines of the book together; who sees both has each line once."""
        if len(self._payments) > _JOIN_PARTS:
            bodies = [body for part in self._payments.values() for body in committed(part)[0]]
            joined, _ = seal_lines(bodies)
            if self.store.create(names.book_part_name(self.machine), joined):
                self.store.delete(self._payments)
        self._payments.clear()

    def _put_beside(self, place: str, content: bytes) -> None:
        self._up.add(place)
        self._pending[place] = content, self._pool.submit(self.store.put, place, content)

    def _put_tails(self) -> None:
        for folder in self._followed:
            for path in sorted(folder.glob("*.jsonl")):
                place = self.place(path)
                self._lines.setdefault(place, names.StoredLines())
                new = path.read_bytes()[self._lines[place].size :]
                whole = new[: new.rfind(b"\n") + 1]
                if whole:
                    self._add_part(place, whole)

    def _put_rest(self) -> None:
        """Put up whole files that were written by others' code: logs, reports, figures.

        What another machine changed or deleted since is left as it is in the store: the next
        command keeps ours aside.
        """
        self.state.merge()
        for path in self.state.files_here():
            place = self.place(path)
            mine = names.is_mirrored(place) and not names.is_lazy(place)
            if mine and not names.is_lines(place) and self.state.changed(place, path):
                self._put_changed(place, path)

    def _put_changed(self, place: str, path: Path) -> None:
        known, content = self.state.files.get(place), path.read_bytes()
        own_tag, own_hash = self._own.get(place, ("", b""))
        found = self.store.look(place)
        if found is None and (known is not None or place in self.state.noted):
            return
        if found is None or found.tag in (known.tag if known else None, own_tag):
            same = found is not None and own_hash == sha256(content).digest()
            tag = found.tag if found is not None and same else self.store.put(place, content)
        elif self.store.get(place) == content:
            tag = found.tag
        else:
            return
        self.state.files[place] = CachedFile.of(path, tag)

    def _known_replies(self) -> set[str]:
        if self._replies is None:
            self._replies = {each.name for each in self.store.find("cache")}
        return self._replies | self._up

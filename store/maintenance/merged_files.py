"""Reads files of a folder that may be a stranger's, and writes them into one's own, whole."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from store.errors import DataUnreadable, DataUnwritable, MergeRefused, StoreError
from store.jsonl.append_only import divide
from store.jsonl.atomic import write_whole
from store.jsonl.hash_chain import reseal
from store.jsonl.locks import LockHeld, NamedLock, byte_lock, holder, signature
from store.jsonl.paths import path_within
from store.maintenance.backup import is_safe
from store.runs.data_folder import DataFolder
from store.untrusted.size_limits import MOST_TABLE_BYTES, TooManyBytes


@dataclass
class MergeSummary:
    """What came in, and what did not."""

    runs: int = 0
    """Runs that are new or longer now."""
    frames: int = 0
    answers: int = 0
    """Answers and attempts of re-judgements, spectra, pairs and probes."""
    payments: int = 0
    replies: int = 0
    vectors: int = 0
    files: int = 0
    """Files written; none where everything was there already."""
    conflicts: list[str] = field(default_factory=list)
    """What is not the same on both sides. What was there stays, and the other stays in its place.
    """
    problems: list[str] = field(default_factory=list)
    """What cannot be read, and so did not come in."""
    interrupted: list[str] = field(default_factory=list)
    """Runs that came in and are not complete."""
    withheld: int = 0
    """Kept replies that were left out, since they were not asked for."""
    forgotten: int = 0
    """Answers about pictures that no ledger here names; they were left out."""

    @property
    def sound(self) -> bool:
        return not self.conflicts and not self.problems


def source_names(data: DataFolder, folder: Path, pattern: str) -> list[str]:
    """Names, from the data folder, of regular files in one of its folders; links are left out."""
    found = []
    for path in sorted(folder.glob(pattern)):
        name = path.relative_to(data.root).as_posix()
        if is_safe(name) and not path.is_symlink() and path.is_file():
            found.append(name)
    return found


def read_source(data: DataFolder, name: str, most: int | None = MOST_TABLE_BYTES) -> bytes | None:
    """Read a file by its name in a data folder; ``None`` where there is none.

    A folder directly below the root may be a link, nothing deeper. Raises ``OutsideFolder``, and
    ``DataUnreadable`` for what is no regular file or has more than ``most`` bytes.
    """
    path = data.root / name
    top = data.root / Path(name).parts[0]
    if not os.path.lexists(path):
        return None
    path_within(top if path != top else data.root, path)
    try:
        state = path.lstat()
        if not stat.S_ISREG(state.st_mode):
            raise DataUnreadable(path, "it is no regular file")
        if most is not None and state.st_size > most:
            raise DataUnreadable(path, str(TooManyBytes(most)))
        return path.read_bytes()
    except OSError as error:
        raise DataUnreadable(path, error.strerror or str(error)) from None


@dataclass(frozen=True)
class MergeTarget:
    """The folder that everything comes into."""

    data: DataFolder
    summary: MergeSummary
    left_out: set[Hashable] = field(default_factory=set)
    """What was counted as left out, so that copies of it in several folders count once."""

    def read(self, name: str) -> bytes | None:
        return read_source(self.data, name, None)

    def write(self, name: str, content: bytes) -> bool:
        """Write a file whole where it differs; tell whether it did. Raises ``DataUnwritable``."""
        if self.read(name) == content:
            return False
        path = self.data.root / name
        path_within(self.data.root / Path(name).parts[0] if "/" in name else self.data.root, path)
        try:
            write_whole(path, content)
        except OSError as error:
            raise DataUnwritable(path, error.strerror or str(error)) from None
        self.summary.files += 1
        return True

    def write_lines(self, name: str, bodies: Sequence[bytes], theirs: bytes) -> None:
        """Write a file of lines, which keep the seals that they have here, or in the other file."""
        copies = (divide(content)[0] for content in (self.read(name) or b"", theirs))
        self.write(name, reseal(copies, bodies))

    def add_file(self, source: DataFolder, name: str, *, instead: bool = False) -> None:
        """Bring a file in that is not there; another one of its name stays, as a conflict.

        ``instead``: it takes the other one's place.
        """
        theirs, mine = read_source(source, name), self.read(name)
        if theirs is None:
            return
        if mine is None or instead:
            self.write(name, theirs)
        elif mine != theirs:
            self.summary.conflicts.append(f"{source.root / name} differs from what is here")

    def bring_file(self, source: DataFolder, name: str, *, instead: bool = False) -> None:
        """Do as ``add_file``, and name what cannot be read; raises ``DataUnwritable``."""
        try:
            self.add_file(source, name, instead=instead)
        except DataUnwritable:
            raise
        except StoreError as error:
            self.summary.problems.append(str(error))

    def leave_out(self, what: Hashable) -> int:
        """Note what is left out; return 1 for what is new, else 0."""
        before = len(self.left_out)
        self.left_out.add(what)
        return len(self.left_out) - before

    @contextmanager
    def held(self, path: Path, *, among: bool = False) -> Iterator[None]:
        """Keep every other writer of a file out, by the lock that writers of it take.

        ``among``: the lock is a byte of the folder's file of locks. Raises ``MergeRefused``.
        """
        lock = byte_lock(path, self.data.answers_lock) if among else NamedLock(path)
        try:
            lock.acquire()
        except LockHeld as error:
            raise MergeRefused(path.parent, f"is being written by {error}") from None
        except OSError as error:
            raise DataUnwritable(path, error.strerror or str(error)) from None
        try:
            yield
        finally:
            lock.release()


def refuse_writers(data: DataFolder) -> None:
    """Raise ``MergeRefused`` where a run, a study or a judge is under way in a folder.

    A name that another machine left is believed only while the lock itself is held, where the file
    system knows of that: a killed job leaves its name behind.
    """
    for folder in (
        data.runs_dir,
        data.studies_dir,
        data.spectra_dir,
        data.pairs_dir,
        data.probes_dir,
    ):
        for lock in sorted(folder.glob("**/*.lock")):
            if not lock.is_file():  # a pipe would be waited for
                continue
            if (who := holder(lock)) and not _is_stale(lock):
                what = lock.relative_to(data.root).parent
                raise MergeRefused(data.root / what, f"is being written by {who}")


def _is_stale(lock: Path) -> bool:
    """Whether a lock that another machine has signed is held by nobody."""
    import platform

    signed = signature(lock)
    if signed is None or signed[1] == platform.node() or os.name == "nt":
        return signed is None
    import fcntl

    try:
        try:
            descriptor = os.open(lock, os.O_RDWR)
        except OSError:  # a folder that may only be read
            descriptor = os.open(lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN)
    finally:
        os.close(descriptor)
    return True

"""An exclusive lock on a file that says who holds it.

The lock is the operating system's, so that it dies with its holder; the text inside is for people.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from store.errors import DataUnwritable
from store.jsonl.atomic import PRIVATE_FILE, SHARED_FILE, is_shared, make_folder, open_private
from store.jsonl.mirrors import mirror_of


class LockHeld(Exception):
    """Another process or thread holds the lock; the text names it."""


class NamedLock:
    """A lock file that names its holder: process, machine, since when, and command.

    Its folder is made if needed; the file stays after release. In a mirrored data folder it is
    leased beside other machines too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # one object is one holding, from whichever thread it is given back
        mode = SHARED_FILE if is_shared(path.parent) else PRIVATE_FILE
        self._lock = FileLock(path, thread_local=False, on_acquired=_sign, mode=mode)

    def acquire(self, patience_s: float = 0.0) -> None:
        """Take the lock, waiting up to ``patience_s`` seconds, or raise ``LockHeld``.

        Raises ``DataUnwritable`` where the store that leases it cannot be reached.
        """
        make_folder(self.path.parent)
        try:
            self._lock.acquire(timeout=patience_s)
        except Timeout:
            raise LockHeld(holder(self.path) or "another process") from None
        try:
            if (mirror := mirror_of(self.path)) is not None:
                mirror.hold(self.path, patience_s)
        except BaseException as error:
            self._unlock()
            if isinstance(error, OSError):
                raise DataUnwritable(self.path, str(error)) from None
            raise

    def release(self) -> None:
        if self._lock.is_locked:
            if (mirror := mirror_of(self.path)) is not None:
                mirror.release(self.path)
            self._unlock()

    def _unlock(self) -> None:
        if self._lock.is_locked:
            self.path.write_bytes(b"")  # nobody holds it, so nobody is named
            self._lock.release()


@dataclass(slots=True)
class _LockedBytes:
    descriptor: int
    held: set[int] = field(default_factory=set)


_BYTES: dict[str, _LockedBytes] = {}
"""By the file's real path: closing any descriptor of it would let go of all its bytes."""
_GUARD = threading.Lock()


class _ByteLock(NamedLock):
    """A lock that is one byte of a file: thousands of them take one descriptor.

    The operating system lets go of a process's bytes when it ends, as of a lock on a whole file
    (POSIX record locks). Threads of one process keep each other out by a set.
    """

    def __init__(self, path: Path, among: Path) -> None:
        super().__init__(path)
        self._among = os.path.realpath(among)
        place = os.path.relpath(os.path.realpath(path), Path(self._among).parent)
        digest = hashlib.sha256(place.encode(errors="surrogateescape")).digest()
        self._byte = int.from_bytes(digest[:7])
        self._holds = False

    def acquire(self, patience_s: float = 0.0) -> None:
        if patience_s:
            raise ValueError("a byte is not waited for")
        make_folder(self.path.parent)
        with _GUARD:
            if not self._lock_byte():
                raise LockHeld(holder(self.path) or "another process")
        self._holds = True
        descriptor = open_private(self.path, os.O_RDWR | os.O_CREAT)
        try:
            _sign(descriptor)
        finally:
            os.close(descriptor)

    def _lock_byte(self) -> bool:
        import fcntl

        if self._among not in _BYTES:
            make_folder(Path(self._among).parent)
            opened = open_private(Path(self._among), os.O_RDWR | os.O_CREAT)
            _BYTES[self._among] = _LockedBytes(opened)
        file = _BYTES[self._among]
        if self._byte in file.held:
            return False
        try:
            fcntl.lockf(file.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self._byte)
        except (BlockingIOError, PermissionError):  # POSIX allows either
            self._close_unused(file)
            return False
        except OSError:
            self._close_unused(file)
            raise
        file.held.add(self._byte)
        return True

    def release(self) -> None:
        if not self._holds:
            return
        import fcntl

        self._holds = False
        self.path.write_bytes(b"")
        with _GUARD:
            file = _BYTES[self._among]
            file.held.discard(self._byte)
            fcntl.lockf(file.descriptor, fcntl.LOCK_UN, 1, self._byte)
            self._close_unused(file)

    def _close_unused(self, file: _LockedBytes) -> None:
        if not file.held:
            os.close(file.descriptor)
            del _BYTES[self._among]


def byte_lock(path: Path, among: Path) -> NamedLock:
    """Return a lock that names its holder at ``path``, and is one byte of the file ``among``.

    Where the system has no locks on bytes (Windows), it is a file of its own.
    """
    return NamedLock(path) if os.name == "nt" else _ByteLock(path, among)


def _sign(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.write(descriptor, json.dumps({"pid": os.getpid(), "host": platform.node()}).encode())


def holder(path: Path) -> str | None:
    """Who holds the lock, in words; ``None`` if nobody does.

    A holder on this machine is looked up, so that the name left behind by a killed process is not
    taken for a living one. One on another machine cannot be, and is believed.
    """
    found = signature(path)
    if found is None:
        return None
    pid, host, since, command = found
    told = f" ({command})" if command else ""
    return f"process {pid} on {host} since {since:%Y-%m-%d %H:%M} UTC{told}"


def signature(path: Path) -> tuple[int, str, datetime, str] | None:
    """Process, machine, since when, and command of the holder; no command on another machine."""
    try:
        signed = json.loads(path.read_bytes())
        since = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        pid, host = int(signed["pid"]), str(signed["host"])
    except (OSError, ValueError, OverflowError, KeyError, TypeError, RecursionError):
        return None
    if pid <= 0:
        return None
    if host != platform.node():
        return pid, host, since, ""
    found = _command(pid, since)
    return None if found is None else (pid, host, since, found)


def _command(pid: int, since: datetime) -> str | None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.create_time() > since.timestamp() + 1 or not process.is_running():
            return None
        return " ".join(process.cmdline())
    except psutil.AccessDenied:
        return "command not readable"
    except psutil.NoSuchProcess:
        return None

"""The folder of an embedded index: who may open it, and how it is replaced.

Chroma's embedded engine writes even when it is only asked to read, and two processes that have one
folder open at once damage it without an error. So every opening is exclusive and short, and a
folder that somebody else has changed since, or whose last user was killed, is first opened in a
child process: a damaged one can take its process down.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Thread

from store.errors import DataUnwritable, IndexDamaged, IndexLocked
from store.jsonl.atomic import write_whole
from store.jsonl.locks import LockHeld, NamedLock

PATIENCE_S = 20.0
"""How long an opening waits for others; each holds the folder for well under a second."""
_PROBE_LIMIT_S = 300.0
_NAME = re.compile(r"^feedsway__.+__d\d+__cosine$")


def collection_name(encoder_id: str, dim: int) -> str:
    """Name of an encoder's collection and folder.

    Chroma takes letters, digits, ``.``, ``_`` and ``-``. An id that has others, or is long, gets
    the beginning of its hash, so that no two ids share a name.
    """
    slug = re.sub(r"[^a-zA-Z0-9-]+", "-", encoder_id)[:64].strip("-")
    if slug != encoder_id:
        slug = f"{slug}-{hashlib.sha256(encoder_id.encode()).hexdigest()[:8]}"
    return f"feedsway__{slug}__d{dim}__cosine"


def is_collection(name: str) -> bool:
    return _NAME.match(name) is not None


@dataclass(frozen=True, slots=True)
class IndexFolder:
    """One encoder's folder below ``index/``, with its lock and its stamp beside it."""

    root: Path
    name: str

    @property
    def path(self) -> Path:
        return self.root / self.name

    @property
    def building(self) -> Path:
        """Where a replacement is made before it takes this folder's place."""
        return self.root / f"{self.name}.building"

    @property
    def _old(self) -> Path:
        return self.root / f"{self.name}.old"

    @property
    def _stamp(self) -> Path:
        return self.root / f"{self.name}.stamp"

    @contextmanager
    def opened(self, patience_s: float = PATIENCE_S) -> Iterator[Path]:
        """Have the folder to oneself, sound.

        Raises ``IndexLocked``, which names who had it for longer than ``patience_s`` seconds;
        ``IndexDamaged`` where a child process could not open it; ``DataUnwritable`` where the lock
        cannot be made, since even reading writes here.
        """
        with self._locked("lock", patience_s):
            self._recover()
            if self.path.exists() and self._signature() != self.read_stamp():
                self._try_in_child()
            yield self.path
            write_whole(self._stamp, self._signature().encode(), sync=False)

    @contextmanager
    def replaced(self, patience_s: float = PATIENCE_S) -> Iterator[Path]:
        """Give a new folder to fill, which takes the old one's place if all goes well."""
        with self._locked("building.lock", 0.0):
            shutil.rmtree(self.building, ignore_errors=True)
            yield self.building
            with self._locked("lock", patience_s):
                self._recover()
                if self.path.exists():
                    self.path.replace(self._old)
                self.building.replace(self.path)
                write_whole(self._stamp, self._signature().encode(), sync=False)
                shutil.rmtree(self._old, ignore_errors=True)

    @contextmanager
    def _locked(self, suffix: str, patience_s: float) -> Iterator[None]:
        lock = NamedLock(self.root / f"{self.name}.{suffix}")
        try:
            lock.acquire(patience_s)
        except LockHeld as error:
            raise IndexLocked(str(error)) from None
        except OSError as error:
            raise DataUnwritable(self.root, error.strerror or str(error)) from None
        try:
            yield
        finally:
            lock.release()

    def _recover(self) -> None:
        """Undo a replacement killed between its two renames; sweep up after one killed later."""
        if self._old.exists() and not self.path.exists():
            self._old.replace(self.path)
        shutil.rmtree(self._old, ignore_errors=True)

    def _signature(self) -> str:
        files = sorted(path for path in self.path.rglob("*") if path.is_file())
        stats = [(str(path.relative_to(self.path)), path.stat()) for path in files]
        return json.dumps([[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats])

    def read_stamp(self) -> str | None:
        """The signature that the last user left behind, having closed the folder in peace."""
        return self._stamp.read_text() if self._stamp.exists() else None

    def _try_in_child(self) -> None:
        try:
            tried = run_in_child(
                "store.index.search:probe", str(self.path), self.name, limit_s=_PROBE_LIMIT_S
            )
        except subprocess.TimeoutExpired:
            raise IndexDamaged(self.path, f"no answer in {_PROBE_LIMIT_S:.0f} s") from None
        if tried.returncode < 0:
            raise IndexDamaged(self.path, f"its loader ended by signal {-tried.returncode}")
        if tried.returncode:
            said = tried.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise IndexDamaged(self.path, said[-1][:200])


def folders(root: Path) -> list[IndexFolder]:
    if not root.is_dir():
        return []
    names = {path.name.removesuffix(".old") for path in root.iterdir() if path.is_dir()}
    return [IndexFolder(root, name) for name in sorted(names) if is_collection(name)]


def run_in_child(
    function: str, *arguments: str, given: bytes = b"", limit_s: float | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Call ``module:function`` in a child process, which ends when this process does.

    It gets ``given`` on its standard input. A child that lived on after its parent was killed would
    have a folder open that somebody else takes for free. Raises ``subprocess.TimeoutExpired`` after
    ``limit_s`` seconds.
    """
    theirs, ours = os.pipe()
    # -c with this process's own search path: the child must find the same code
    code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve_call; "
    code += f"serve_call({theirs}, {function!r}, *{arguments!r})"
    try:
        return subprocess.run(
            [sys.executable, "-P", "-c", code],
            input=given,
            capture_output=True,
            check=False,
            timeout=limit_s,
            pass_fds=(theirs,),
        )
    finally:
        os.close(theirs)
        os.close(ours)


def serve_call(tether: int, function: str, *arguments: str) -> None:
    """Be the child: call the function, and end at once when the tether's other end closes."""

    def watch() -> None:
        os.read(tether, 1)
        os._exit(1)

    Thread(target=watch, daemon=True).start()
    module, _, name = function.partition(":")
    getattr(import_module(module), name)(*arguments)

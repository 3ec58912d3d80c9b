"""Makes a data folder of a URL: a cache on this machine, and a mirror of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from store.errors import DataUnwritable, DataUrlRefused
from store.jsonl.atomic import file_slug, make_folder, write_here
from store.jsonl.locks import LockHeld, NamedLock
from store.jsonl.mirrors import CACHE_MARK, Progress, forget_mirror, register_mirror
from store.remote.leases import LEASE_S as LEASE_S
from store.remote.mirror import FolderMirror
from store.remote.object_store import RemoteStore, check_url
from store.remote.pulling import Pull


@dataclass(frozen=True, slots=True)
class CacheMark:
    """What a cache says of itself: whose it is, and a name of its own for leases."""

    url: str
    machine: str


def cache_of(url: str, caches: Path) -> Path:
    """Return the folder on this machine for a URL; raises ``DataUrlRefused`` for no such URL."""
    check_url(url)
    return caches / file_slug(url.partition("://")[2], url.rstrip("/"))


def read_mark(root: Path) -> CacheMark | None:
    """Return whose cache a folder is; ``None`` for any other folder."""
    try:
        told = json.loads((root / CACHE_MARK).read_bytes())
        return CacheMark(url=str(told["url"]), machine=str(told["machine"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataUnwritable(
            root / CACHE_MARK, f"whose cache it is cannot be read: {error}"
        ) from None


def mount(
    url: str,
    root: Path,
    say: Callable[[str], None],
    progress: Progress,
    lease_s: float = LEASE_S,
) -> Callable[[], None]:
    """Bring a cache up to date and have all that is written in it put up.

    Returns what ends that. It raises ``DataUnwritable`` where not everything could be put up.

    Raises
    ------
    DataUrlRefused
        The store cannot be reached, or cannot keep two writers apart.
    """
    store = RemoteStore(url)
    mark = read_mark(root) or _make_mark(root, url)
    mirror = FolderMirror(root, store, mark.machine, lease_s)
    pull = Pull(mirror, progress)
    try:
        pull.run()
    except (OSError, LockHeld) as error:
        raise DataUrlRefused(url, f"cannot be used ({error})") from None
    for path in pull.aside:
        say(f"{url} has another version of a file; what was here is kept: {path}")
    register_mirror(root, mirror)

    def unmount() -> None:
        forget_mirror(root)
        try:
            mirror.close()
        except OSError as error:
            raise DataUnwritable(
                root, f"not everything is in {url}: {error}; the same command puts it up"
            ) from None

    return unmount


def _make_mark(root: Path, url: str) -> CacheMark:
    make_folder(root)
    lock = NamedLock(root / ".mark.lock")
    lock.acquire(60.0)
    try:
        if (mark := read_mark(root)) is not None:
            return mark
        mark = CacheMark(url, uuid.uuid4().hex)
        write_here(
            root / CACHE_MARK, json.dumps({"url": mark.url, "machine": mark.machine}).encode()
        )
    finally:
        lock.release()
    return mark

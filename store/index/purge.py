"""Takes frames out of every index so that nothing of them stays in the engine's files.

What is deleted stays in the engine's files, and its graph is written with whatever memory held
before. So one child process tells what stays, and another, which knows of nothing else, fills a
new index with it; this process, which knows what goes, opens none.

Refuses to know why a frame goes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Set
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store.errors import IndexDamaged
from store.index import chroma, subprocess_call
from store.index.embedded_folder import IndexFolder, folders
from store.index.entries import Hit, IndexEntry
from store.index.search import Index

if TYPE_CHECKING:
    from store.runs.data_folder import DataFolder

_PAGE = 1_000


def forget(data: DataFolder, keys: Set[str], url: str | None = None) -> int:
    """Take frames out of every index, whatever its encoder; returns how many vectors went.

    Parameters
    ----------
    data
        Whose embedded indexes are made anew, each of what stays in it.
    keys
        Ids of the frames.
    url
        A Chroma server as well, which deletes in its own way.

    Raises
    ------
    IndexLocked, IndexDamaged, IndexUnreachable, DataUnwritable
        An index cannot be read or made.
    """
    gone = sum(_copy_without(folder, keys) for folder in folders(data.index_dir))
    if url is not None:
        server = chroma.connect(url)
        try:
            with chroma.answering(server, url) as client:
                gone += sum(chroma.delete(found, keys) for found in chroma.collections(client))
        finally:
            chroma.leave(server)
    return gone


def _copy_without(folder: IndexFolder, keys: Set[str]) -> int:
    """Let a copy without these frames take over; an index that has none of them stays."""
    given = json.dumps(sorted(keys)).encode()
    with folder.opened() as path:
        left = _in_child("tell", path, folder.name, given)
    gone = int(json.loads(left.partition(b"\n")[0])["gone"])
    if gone or folder.building.exists():
        with folder.replaced() as path:
            _in_child("fill", path, folder.name, left)
    return gone


def _in_child(function: str, path: Path, name: str, given: bytes) -> bytes:
    """Run one of the two functions below; returns what it writes to its standard output."""
    done = subprocess_call.call(f"{__name__}:{function}", str(path), name, given=given)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise IndexDamaged(path, said[-1][:200])
    return done.stdout


def tell(path: str, name: str) -> None:
    """Write what stays when the frames on standard input go: a line of JSON, then the vectors."""
    keys = set(json.loads(sys.stdin.buffer.read()))
    told: dict[str, Any] = {"encoder": None, "entries": [], "gone": 0}
    raw = []
    with chroma.engine(Path(path)) as client:
        if source := chroma.find(client, name):
            ids = chroma.ids(source)
            told |= {"encoder": source.metadata["encoder"], "gone": len(keys.intersection(ids))}
            left = [key for key in ids if key not in keys]
            for rows, vectors in chroma.rows(source, left):
                told["entries"] += [asdict(Hit.read(*row).entry) for row in rows]
                raw.append(vectors.astype("<f4").tobytes())
    sys.stdout.buffer.write(b"".join([json.dumps(told).encode(), b"\n", *raw]))


def fill(path: str, name: str) -> None:
    """Make an index of what standard input holds."""
    import numpy as np

    head, _, raw = sys.stdin.buffer.read().partition(b"\n")
    told = json.loads(head)
    entries = [IndexEntry(**fields) for fields in told["entries"]]
    with chroma.engine(Path(path)) as client:
        if told["encoder"] is None:  # its maker was killed before it got any further
            return
        chroma.make(client, name, told["encoder"])
        index = Index(lambda: nullcontext(client), name, told["encoder"])
        vectors = np.frombuffer(raw, dtype="<f4").reshape(max(1, len(entries)), -1)
        for start in range(0, len(entries), _PAGE):
            index.add(entries[start : start + _PAGE], vectors[start : start + _PAGE])

"""Vectors taken over from the indexes of other data folders, so that nothing is embedded again.

A copy of the other index is opened, in a child process: an index is written even where it is only
read, and a damaged one can take its process down. What a frame is comes from the ledgers here.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from store.errors import DataUnwritable, IndexDamaged, StoreError
from store.index import chroma
from store.index.embedded_folder import (
    IndexFolder,
    collection_name,
    folders,
    is_collection,
    run_in_child,
)
from store.index.entries import IndexEntry, entries
from store.index.search import embedded_as
from store.jsonl.atomic import make_folder
from store.runs.ledger import read_each

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from store.runs.data_folder import DataFolder

_PAGE = 1_000
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass
class VectorReport:
    """What came in."""

    added: int = 0
    lacking: int = 0
    """Frames that some index lacks still, or all of them where there is no index."""
    problems: list[str] = field(default_factory=list)


def merge_vectors(data: DataFolder, sources: Sequence[DataFolder]) -> VectorReport:
    """Put vectors of other folders' indexes into this one's, of frames that its ledgers name.

    What cannot be taken over is named; `build.update` embeds it. Raises ``IndexLocked`` and
    ``IndexDamaged`` for the index here, and ``DataUnwritable``.
    """
    report = VectorReport()
    ledgers = read_each(data.ledgers(), [])
    known = {one.id: one for run in ledgers for one in entries(run.started, run.steps)}
    names = {folder.name for one in (data, *sources) for folder in folders(one.index_dir)}
    for name in sorted(names):
        have: set[str] | None = None
        for source in sources:
            path = source.index_dir / name
            if not path.is_dir() or path.is_symlink():
                continue
            try:
                have = _ids(data, name) if have is None else have
                encoder, found = _read_vectors(data, path, name, known.keys() - have)
            except DataUnwritable:
                raise
            except StoreError as error:
                report.problems.append(f"{path}: {error}")
                continue
            _put(data, name, encoder, [known[key] for key in found], list(found.values()))
            report.added += len(found)
            have |= found.keys()
        report.lacking = max(report.lacking, len(known.keys() - (have or _ids(data, name))))
    if not names:
        report.lacking = len(known)
    return report


def _ids(data: DataFolder, name: str) -> set[str]:
    if IndexFolder(data.index_dir, name) not in folders(data.index_dir):
        return set()
    return embedded_as(data, name).ids()


def _put(
    data: DataFolder,
    name: str,
    encoder: str,
    wanted: Sequence[IndexEntry],
    vectors: Sequence[NDArray[np.float32]],
) -> None:
    import numpy as np

    if not wanted:
        return
    index = embedded_as(data, name, encoder)
    for first in range(0, len(wanted), _PAGE):
        page = np.stack(vectors[first : first + _PAGE])
        index.add(wanted[first : first + _PAGE], page)


def _read_vectors(
    data: DataFolder, path: Path, name: str, wanted: set[str]
) -> tuple[str, dict[str, NDArray[np.float32]]]:
    """Return the encoder's id, and unit vectors by entry of those that are wanted and there."""
    import numpy as np

    if not wanted:
        return "", {}
    with _copied(path, data.index_dir / f"{name}.merging") as copy:
        given = json.dumps(sorted(wanted)).encode()
        done = run_in_child(f"{__name__}:dump_wanted", str(copy), name, given=given)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise IndexDamaged(path, said[-1][:200])
    head, _, raw = done.stdout.partition(b"\n")
    told = json.loads(head)
    encoder, keys = str(told["encoder"]), list(told["keys"])
    if not keys:
        return encoder, {}
    vectors = np.frombuffer(raw, dtype="<f4").reshape(len(keys), -1)
    if collection_name(encoder, vectors.shape[1]) != name:
        raise IndexDamaged(path, "its vectors are of another encoder than its name")
    if not np.isfinite(vectors).all() or abs(np.linalg.norm(vectors, axis=1) - 1).max() > 0.01:
        raise IndexDamaged(path, "its vectors are not of unit length")
    return encoder, {key: row for key, row in zip(keys, vectors, strict=True) if key in wanted}


@contextmanager
def _copied(path: Path, copy: Path) -> Iterator[Path]:
    assert is_collection(path.name)
    make_folder(copy.parent)
    shutil.rmtree(copy, ignore_errors=True)
    try:
        shutil.copytree(path, copy, symlinks=True)
        for place in (copy, *copy.rglob("*")):  # what may only be read there is written here
            if not place.is_symlink():
                place.chmod(place.stat().st_mode | stat.S_IRWXU)
        yield copy
    except OSError as error:
        for number in _FULL:
            if os.strerror(number) in str(error):
                raise DataUnwritable(copy, os.strerror(number)) from None
        raise IndexDamaged(path, error.strerror or str(error)) from None
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def dump_wanted(path: str, name: str) -> None:
    """Write the vectors of the frames on standard input: a line of JSON, then the vectors."""
    wanted = set(json.loads(sys.stdin.buffer.read()))
    told: dict[str, object] = {"encoder": "", "keys": []}
    raw: list[bytes] = []
    with chroma.engine(Path(path)) as client:
        if source := chroma.find(client, name):
            keys = [key for key in chroma.ids(source) if key in wanted]
            order: list[str] = []
            for rows, vectors in chroma.rows(source, keys):
                order += [row[0] for row in rows]
                raw.append(vectors.astype("<f4").tobytes())
            told = {"encoder": source.metadata["encoder"], "keys": order}
    sys.stdout.buffer.write(b"".join([json.dumps(told).encode(), b"\n", *raw]))

"""The index filled from ledgers and frames, made anew, and rid of what is forgotten.

Nothing that cannot be read stops the rest; it is counted and named.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from store.encoders.picture_loader import EmbeddedBatch, embed_ahead
from store.errors import DamagedFrame, DataUnreadable, IndexDamaged, StoreError
from store.frames.frame_store import FrameStore
from store.index import chroma
from store.index.cluster_encoder import ClusterEncoder
from store.index.embedded_folder import IndexFolder, folders, run_in_child
from store.index.entries import Hit, IndexEntry, entries
from store.index.search import Index, replacement
from store.runs import ledger
from store.runs.shards import WHOLE, Shard
from store.untrusted.size_limits import UnreadablePicture, decode_picture

if TYPE_CHECKING:
    from PIL.Image import Image

    from store.encoders import Encoder, Vectors
    from store.runs.data_folder import DataFolder


BATCH = 32
"""Frames embedded at once by an encoder that says no number."""
_PAGE = 1_000
_GROUP = 512
"""Frames put in at once. Each putting in opens the index, half a second where it is large; an
update that is killed loses so much at most."""

Progress = Callable[[int, int], None]
"""Called with the number of frames done and the number to do."""


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What an update or a rebuild did."""

    added: int
    present: int
    """Frames in the index at the end."""
    problems: tuple[str, ...]


def update(
    data: DataFolder,
    encoder: Encoder | ClusterEncoder,
    url: str | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    shard: Shard = WHOLE,
) -> IndexReport:
    """Index what the ledgers hold and the index lacks. An interrupted update goes on by itself.

    ``url`` is a Chroma server to use instead of the embedded index; ``workers`` is how many
    processes read and prepare frames, as many as suit the encoder unless named, and none for a
    cluster. ``shard``: of the
    pictures, this part; a picture that was seen often is one machine's.
    """
    with Index.open(data, encoder, url, write=True) as index:
        kept, problems = _kept(data)
        have = index.ids()
        lacking = [one for one in kept if one.id not in have and shard.has(one.sha256)]
        batches = _embed(data, encoder, lacking, workers)
        added = _fill(index, lacking, batches, problems, progress)
        return IndexReport(added, index.count(), tuple(problems))


def rebuild(
    data: DataFolder,
    encoder: Encoder | ClusterEncoder,
    url: str | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
) -> IndexReport:
    """Make the index anew from ledgers and frames, then let it take the old one's place.

    The old one serves until then, and stays if this is interrupted. Parameters are `update`'s.
    """
    kept, problems = _kept(data)
    with replacement(data, encoder, url) as index:
        batches = _embed(data, encoder, kept, workers)
        added = _fill(index, kept, batches, problems, progress)
    since = update(data, encoder, url, workers=workers)  # runs went on meanwhile
    return IndexReport(added + since.added, since.present, tuple(problems))


def _kept(data: DataFolder) -> tuple[list[IndexEntry], list[str]]:
    found: list[IndexEntry] = []
    problems: list[str] = []
    for run in data.runs():
        try:
            kept = ledger.read(run.path)
            found += entries(kept.started, kept.steps)
        except StoreError as error:
            problems.append(str(error))
    return found, problems


def _fill(
    index: Index,
    wanted: Sequence[IndexEntry],
    batches: Iterable[EmbeddedBatch],
    problems: list[str],
    progress: Progress | None,
) -> int:
    """Put in what is embedded; returns how many went in. That goes in when interrupted, too."""
    added = seen = 0
    done: list[IndexEntry] = []
    vectors: list[Vectors] = []
    try:
        for batch in batches:
            if batch.places:
                done += [wanted[place] for place in batch.places]
                vectors.append(batch.vectors)
            problems += batch.problems
            seen += batch.size
            if progress is not None:
                progress(seen, len(wanted))
            if len(done) >= _GROUP:
                full, rows, done, vectors = done, vectors, [], []
                index.add(full, np.concatenate(rows))
                added += len(full)
    finally:
        if done:
            index.add(done, np.concatenate(vectors))
            added += len(done)
    return added


def _embed(
    data: DataFolder,
    encoder: Encoder | ClusterEncoder,
    wanted: Sequence[IndexEntry],
    workers: int | None,
) -> Iterator[EmbeddedBatch]:
    """Embed frames, those that can be read."""
    keys = [entry.sha256 for entry in wanted]
    if isinstance(encoder, ClusterEncoder):
        yield from encoder.embed_stored(FrameStore(data.frames_dir), keys)
        return
    read, stages = _StoredPictures(data.frames_dir), encoder.stages
    if stages is not None and (count := stages.workers if workers is None else workers):
        yield from embed_ahead(stages, keys, read, count)
        return
    size = BATCH if stages is None else stages.batch
    for start in range(0, len(keys), size):
        places, pictures, problems = [], [], []
        for place in range(start, min(start + size, len(keys))):
            try:
                pictures.append(read(keys[place]))
                places.append(place)
            except (DamagedFrame, DataUnreadable) as error:
                problems.append(str(error))
        vectors = encoder.images(pictures) if pictures else np.empty((0, 0), np.float32)
        yield EmbeddedBatch(len(places) + len(problems), places, vectors, problems)


@dataclass(frozen=True)
class _StoredPictures:
    """Reads stored frames, in whichever process."""

    frames_dir: Path

    def __call__(self, sha256: str) -> Image:
        frames = FrameStore(self.frames_dir)
        try:
            return decode_picture(frames.read(sha256))
        except UnreadablePicture:  # the bytes are the ones that were kept, and yet no picture
            raise DamagedFrame(frames.path(sha256)) from None


def purge(data: DataFolder, keys: Set[str], url: str | None = None) -> int:
    """Take frames out of every index, whatever its encoder; returns how many vectors went.

    What is deleted stays in the engine's files, and its graph is written with whatever memory held
    before. So one child process tells what stays, and another, which knows of nothing else, fills a
    new index with it; this process, which knows what goes, opens none. A Chroma server at ``url``
    deletes in its own way.

    Raises ``IndexLocked``, ``IndexDamaged``, ``IndexUnreachable`` and ``DataUnwritable``.
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
        left = _in_child("dump_remaining", path, folder.name, given)
    gone = int(json.loads(left.partition(b"\n")[0])["gone"])
    if gone or folder.building.exists():
        with folder.replaced() as path:
            _in_child("fill_remaining", path, folder.name, left)
    return gone


def _in_child(function: str, path: Path, name: str, given: bytes) -> bytes:
    done = run_in_child(f"{__name__}:{function}", str(path), name, given=given)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise IndexDamaged(path, said[-1][:200])
    return done.stdout


def dump_remaining(path: str, name: str) -> None:
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


def fill_remaining(path: str, name: str) -> None:
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

"""The index: a cache over frames that tells which of them fit a text or a picture.

An embedded index is opened for the length of one call, alone (see ``embedded_folder``), so that any
number of programs can share it; a Chroma server, given by its URL, serves many at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Self

from store.errors import IndexDamaged, IndexMismatch, IndexMissing, StoreError
from store.frames.near_duplicates import Marks
from store.index import chroma
from store.index.chroma import TIE
from store.index.embedded_folder import (
    PATIENCE_S,
    IndexFolder,
    collection_name,
    folders,
    is_collection,
)
from store.index.entries import Filters, Hit, IndexEntry, distinct
from store.index.matching_rows import MatchingRows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from store.encoders import VectorSpace
    from store.index.chroma import Client, Collection
    from store.runs.data_folder import DataFolder

Clients = Callable[[], "AbstractContextManager[Client]"]

_MOST = 10_000
"""Hits looked through for distinct ones before a search settles for fewer."""
_CONDITIONS = 16
"""Conditions whose rows are kept at once while an index is held."""


class Index:
    """One encoder's vectors. Made by ``open``, ``replacement`` and ``embedded``."""

    def __init__(
        self,
        clients: Clients,
        name: str,
        create_for: str | None = None,
        release: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self._clients = clients
        self._release = release
        self._create_for = create_for
        """Encoder id to make the collection with where it is not there; ``None`` only reads."""
        self._marks = Marks()
        self._matching: dict[tuple[tuple[str, str], ...], MatchingRows] | None = None
        """What matches conditions, while the index is held; ``None``: others may change it."""

    @classmethod
    def open(
        cls,
        data: DataFolder,
        encoder: VectorSpace,
        url: str | None = None,
        *,
        write: bool = False,
        patience_s: float = PATIENCE_S,
    ) -> Index:
        """Open the index of an encoder, whose id and dimension name the collection.

        ``url`` (``http://host:port``) is a Chroma server to use instead of the folder. With
        ``write`` the index is made if it is not there. A call waits ``patience_s`` for other users
        of an embedded one.

        Raises ``IndexMissing`` where there is none, ``IndexMismatch`` where there is only another
        encoder's, and ``IndexLocked``, ``IndexDamaged``, ``IndexUnreachable`` or
        ``DataUnwritable``.
        """
        name = collection_name(encoder.id, encoder.dim)
        creator = encoder.id if write else None
        if url is not None:
            server = chroma.connect(url)
            index = cls(
                lambda: chroma.answering(server, url), name, creator, lambda: chroma.leave(server)
            )
        else:
            folder = IndexFolder(data.index_dir, name)
            if not write and folder not in folders(data.index_dir):
                raise _absent(data.index_dir, encoder.id)
            index = cls(lambda: _alone(folder, patience_s), name, creator)
        try:
            index.count()
        except StoreError:
            index.close()
            raise
        return index

    def add(self, entries: Sequence[IndexEntry], vectors: NDArray[np.float32]) -> None:
        """Put in frames with their vectors, shape ``(n, dim)``; what is there already stays once.

        Each is marked with the first frame of which it is a near-duplicate.
        """
        if not entries:
            return
        if self._matching is not None:
            self._matching.clear()
        with self._collection() as collection:
            self._learn(collection)
            collection.upsert(
                ids=[entry.id for entry in entries],
                embeddings=vectors,
                metadatas=[
                    entry.metadata() | {"duplicate_of": self._marks.mark(entry.id, entry.phash)}
                    for entry in entries
                ],
                documents=[entry.caption for entry in entries],
            )

    def search(
        self,
        vector: NDArray[np.float32],
        k: int = 5,
        where: Filters | None = None,
        *,
        duplicates: bool = False,
    ) -> list[Hit]:
        """Return the ``k`` nearest frames, best first; ties go by id, so that a rebuilt index
        agrees.

        ``vector`` has shape ``(dim,)`` and unit length. With ``duplicates``, further frames of the
        same video and near-duplicates of better hits come too.
        """
        conditions = (where or Filters()).conditions()
        with self._collection() as collection:
            size = 4 * k
            while True:
                rows = self._nearest(collection, vector, size, conditions)
                hits = [Hit.read(*row) for row in rows]
                hits.sort(key=lambda hit: (-round(hit.similarity / TIE), hit.entry.id))
                kept = hits if duplicates else distinct(hits)
                # past the k-th by more than a tie, so that no unseen hit could come before it
                settled = len(kept) > k and hits[-1].similarity < kept[k - 1].similarity - TIE
                if settled or len(hits) < size or size >= _MOST:
                    return kept[:k]
                size = min(4 * size, _MOST)

    def _nearest(
        self,
        collection: Collection,
        vector: NDArray[np.float32],
        size: int,
        conditions: dict[str, str],
    ) -> list[chroma.Row]:
        """Rows that match, by distance: looked for among the nearest before Chroma is asked."""
        if not conditions:
            return chroma.nearest(collection, vector, size, conditions)
        if self._matching is None:
            near = chroma.nearest(collection, vector, 4 * size, {})
            found = [row for row in near if conditions.items() <= row[2].items()]
            if len(found) >= size:
                return found[:size]
            return chroma.nearest(collection, vector, size, conditions)
        key = tuple(conditions.items())
        if key not in self._matching:
            if len(self._matching) >= _CONDITIONS:
                del self._matching[next(iter(self._matching))]
            self._matching[key] = MatchingRows(collection, conditions)
        return self._matching[key].nearest(collection, vector, size)

    def sample(
        self, where: Filters | None = None, most: int = 2000
    ) -> tuple[int, NDArray[np.float32]]:
        """How many frames agree, and the vectors of at most so many, spread over all of them."""
        with self._collection() as collection:
            return chroma.sample(collection, (where or Filters()).conditions(), most)

    def pages(
        self, where: Filters | None = None
    ) -> Iterator[tuple[list[Hit], NDArray[np.float32]]]:
        """Frames that agree, page by page in order of arrival, and their vectors, ``(n, dim)``."""
        import numpy as np  # heavy for a start-up

        with self._collection() as collection:
            agreeing = chroma.ids(collection, (where or Filters()).conditions())
            for rows, page in chroma.rows(collection, agreeing):
                yield [Hit.read(*row) for row in rows], np.asarray(page, dtype=np.float32)

    def read(self, keys: Sequence[str]) -> list[Hit]:
        """Frames of these ids; what has gone from the index meanwhile is left out."""
        with self._collection() as collection:
            return [Hit.read(*row) for row in chroma.descriptions(collection, keys)]

    def vectors(self, keys: Sequence[str]) -> tuple[list[str], NDArray[np.float32]]:
        """Return those of the ids that are there, and their vectors, shape ``(n, dim)``."""
        with self._collection() as collection:
            return chroma.known_vectors(collection, keys)

    def count(self) -> int:
        with self._collection() as collection:
            return int(collection.count())

    def ids(self) -> set[str]:
        with self._collection() as collection:
            return set(chroma.ids(collection))

    def id_pages(self) -> Iterator[list[str]]:
        with self._collection() as collection:
            yield from chroma.id_pages(collection)

    def close(self) -> None:
        """Leave the server; of an embedded index nothing is open between calls."""
        if self._release is not None:
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def hold(self) -> Iterator[Self]:
        """Keep an embedded index open over several calls; everyone else waits meanwhile.

        Searches under the same conditions are then fast from the second one on.
        """
        opener = self._clients
        with opener() as client:
            self._clients, self._matching = lambda: nullcontext(client), {}
            try:
                yield self
            finally:
                self._clients, self._matching = opener, None

    @contextmanager
    def _collection(self) -> Iterator[Collection]:
        with self._clients() as client:
            if self._create_for is not None:
                yield chroma.make(client, self.name, self._create_for)
                return
            found = chroma.find(client, self.name)
            if found is None:
                raise IndexMissing(self.name)
            yield found

    def _learn(self, collection: Collection) -> None:
        if collection.count() == len(self._marks):
            return
        new = [key for key in chroma.ids(collection) if key not in self._marks]
        for key, metadata in chroma.metadatas(collection, new):
            self._marks.learn(key, str(metadata["phash"]), str(metadata["duplicate_of"]))


@contextmanager
def replacement(data: DataFolder, encoder: VectorSpace, url: str | None = None) -> Iterator[Index]:
    """Fill a new index, which takes the old one's place if all goes well."""
    name = collection_name(encoder.id, encoder.dim)
    if url is None:
        with IndexFolder(data.index_dir, name).replaced() as path, chroma.engine(path) as client:
            yield Index(lambda: nullcontext(client), name, encoder.id)
        return
    building = f"{name}__building"
    server = chroma.connect(url)
    try:
        with chroma.answering(server, url) as client:
            chroma.drop(client, building)
            yield Index(lambda: nullcontext(client), building, encoder.id)
            chroma.drop(client, name)
            chroma.make(client, building, encoder.id).modify(name=name)
    finally:
        chroma.leave(server)


def embedded(data: DataFolder) -> list[Index]:
    return [embedded_as(data, folder.name) for folder in folders(data.index_dir)]


def embedded_as(data: DataFolder, name: str, encoder_id: str | None = None) -> Index:
    """Return the embedded index of a name; made, where an encoder is named, if it is not there."""
    folder = IndexFolder(data.index_dir, name)
    return Index(lambda: _alone(folder, PATIENCE_S), name, encoder_id)


@contextmanager
def every(data: DataFolder, url: str | None = None) -> Iterator[list[Index]]:
    """The embedded indexes of a data folder, or those of a server, for reading."""
    if url is None:
        yield embedded(data)
        return
    server = chroma.connect(url)
    try:
        with chroma.answering(server, url) as client:
            names = [found.name for found in chroma.collections(client)]
            yield [
                Index(lambda: nullcontext(client), name) for name in names if is_collection(name)
            ]
    finally:
        chroma.leave(server)


def probe(path: str, name: str) -> None:
    """Look into all of a folder, in a child process, which it may crash.

    Raises ``SystemExit`` with the reason why it cannot be used.
    """
    try:
        with chroma.engine(Path(path)) as client:
            collection = chroma.find(client, name)
            # without one, its maker was killed before it got any further
            if collection is not None and not chroma.sound(collection):
                raise SystemExit("vectors do not find themselves")
    except IndexDamaged as error:
        raise SystemExit(error.problem) from None


@contextmanager
def _alone(folder: IndexFolder, patience_s: float) -> Iterator[Client]:
    with folder.opened(patience_s) as path, chroma.engine(path) as client:
        yield client


def _absent(root: Path, encoder_id: str) -> IndexMissing | IndexMismatch:
    others = [folder.name for folder in folders(root)]
    if not others:
        return IndexMissing(str(root), encoder_id)
    return IndexMismatch(
        f"The index at {root} was made with another encoder ({', '.join(others)}). "
        f"Type: python -m store index --encoder {encoder_id}"
    )

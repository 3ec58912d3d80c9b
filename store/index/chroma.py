"""Chroma, opened and closed: an embedded folder or a server, and one collection of either.

The only file that imports chromadb. Its embedding functions, telemetry and settings files are all
off, and what it raises becomes a sentence here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from store.errors import DataUnwritable, IndexDamaged, IndexUnreachable

if TYPE_CHECKING:
    import httpx
    import numpy as np
    from chromadb import Collection as Collection
    from chromadb.api.client import Client as Client
    from chromadb.api.collection_configuration import CreateHNSWConfiguration
    from chromadb.config import Settings
    from numpy.typing import NDArray

TIE = 1e-4
"""Cosines this near count as equal: the same picture embedded in another batch differs so much."""
_PAGE = 5_000
"""Rows read at once. SQLite takes at most 32,766 variables in one statement."""
_NO_ROOM = 16 << 20
_SILENCE_S = 60.0
_HNSW: CreateHNSWConfiguration = {
    "space": "cosine",
    "ef_construction": 200,
    "max_neighbors": 32,
    "ef_search": 400,
    "batch_size": 100,
    "sync_threshold": 100,
}
"""Twice to four times Chroma's own effort in searching: a feed repeats itself, and among many
copies of few pictures the default misses the best one in 3 searches of 100. A tenth of its backlog:
what is not yet in the graph is put there again by every opening, and openings are many."""

Row = tuple[str, str | None, Mapping[str, Any], float]
"""Id, document, metadata, distance."""


@contextmanager
def engine(path: Path) -> Iterator[Client]:
    import chromadb  # half a second
    from chromadb.api.shared_system_client import SharedSystemClient
    from chromadb.errors import ChromaError

    try:
        client = _full(chromadb.PersistentClient(path=path, settings=_settings()))
    except (ChromaError, ValueError) as error:
        # Chroma would hand out what it could not open again, to whoever asks next
        SharedSystemClient._identifier_to_system.pop(str(path), None)
        raise _refusal(path, error) from None
    try:
        with closing(client):
            yield client
    except ChromaError as error:
        raise _refusal(path, error) from None


def _refusal(path: Path, error: Exception) -> DataUnwritable | IndexDamaged:
    if shutil.disk_usage(path.parent).free < _NO_ROOM:
        return DataUnwritable(path, "no space left")
    return IndexDamaged(path, str(error))


def connect(url: str) -> Client:
    """Connect to a Chroma server; ``leave`` it afterwards."""
    import chromadb
    import httpx

    try:
        # Chroma's own client would wait for a silent server for ever
        httpx.get(f"{url}/api/v2/heartbeat", timeout=_SILENCE_S).raise_for_status()
        parts = urlsplit(url)
        server = _full(
            chromadb.HttpClient(
                host=parts.hostname or "",
                port=parts.port or (443 if parts.scheme == "https" else 80),
                ssl=parts.scheme == "https",
                settings=_settings(),
            )
        )
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise IndexUnreachable(url, str(error)) from None
    for session in _sessions(server):
        session.timeout = httpx.Timeout(_SILENCE_S)
    return server


def leave(server: Client) -> None:
    """Close a client with its connections, which Chroma's own close() leaves open."""
    sessions = _sessions(server)
    server.close()
    for session in sessions:
        session.close()


def _sessions(server: Client) -> list[httpx.Client]:
    """Connections of a client; there is no public way to them."""
    apis: list[Any] = [server._server, server._admin_client._server]  # type: ignore[attr-defined]
    return [api._session for api in apis]


@contextmanager
def answering(server: Client, url: str) -> Iterator[Client]:
    """Make a sentence of a server's silence."""
    import httpx
    from chromadb.errors import ChromaError

    try:
        yield server
    except (httpx.HTTPError, ChromaError) as error:
        raise IndexUnreachable(url, str(error)) from None


def find(client: Client, name: str) -> Collection | None:
    from chromadb.errors import NotFoundError

    try:
        return client.get_collection(name, embedding_function=None)
    except NotFoundError:
        return None


def make(client: Client, name: str, encoder_id: str) -> Collection:
    """Return the collection of this name, made if need be: cosine, and no embedding function."""
    return client.get_or_create_collection(
        name,
        configuration={"hnsw": _HNSW},
        metadata={"encoder": encoder_id},
        embedding_function=None,
    )


def drop(client: Client, name: str) -> None:
    if find(client, name) is not None:
        client.delete_collection(name)


def delete(collection: Collection, keys: Set[str]) -> int:
    """Delete what is kept under these ids; returns how many there were."""
    there = [key for key in ids(collection) if key in keys]
    for start in range(0, len(there), _PAGE):
        collection.delete(ids=there[start : start + _PAGE])
    return len(there)


def ids(collection: Collection, where: Mapping[str, str] | None = None) -> list[str]:
    """Ids of all rows that agree, in order of arrival."""
    return [key for page in id_pages(collection, where) for key in page]


def id_pages(collection: Collection, where: Mapping[str, str] | None = None) -> Iterator[list[str]]:
    """The same, page by page."""
    agreeing, offset = _agreeing(where or {}), 0
    while page := collection.get(limit=_PAGE, offset=offset, where=agreeing, include=[])["ids"]:
        yield page
        offset += len(page)


def metadatas(
    collection: Collection, keys: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for start in range(0, len(keys), _PAGE):
        page = collection.get(ids=list(keys[start : start + _PAGE]), include=["metadatas"])
        yield from zip(page["ids"], page["metadatas"] or [], strict=True)


def rows(
    collection: Collection, keys: Sequence[str]
) -> Iterator[tuple[list[Row], NDArray[np.float32]]]:
    """Pages of what is kept under these ids, each row at distance 0, and their vectors."""
    for start in range(0, len(keys), _PAGE):
        page: Any = collection.get(
            ids=list(keys[start : start + _PAGE]),
            include=["embeddings", "documents", "metadatas"],
        )
        told = zip(page["ids"], page["documents"], page["metadatas"], strict=True)
        yield [(*row, 0.0) for row in told], page["embeddings"]


def descriptions(collection: Collection, keys: Sequence[str]) -> Iterator[Row]:
    """What is kept under these ids but for the vectors, each row at distance 0."""
    for start in range(0, len(keys), _PAGE):
        page: Any = collection.get(
            ids=list(keys[start : start + _PAGE]), include=["documents", "metadatas"]
        )
        for row in zip(page["ids"], page["documents"], page["metadatas"], strict=True):
            yield (*row, 0.0)


def collections(client: Client) -> list[Collection]:
    names = [found.name for found in client.list_collections()]
    return [
        client.get_collection(name, embedding_function=None)
        for name in names
        if name.startswith("feedsway__")
    ]


def nearest(
    collection: Collection, vector: NDArray[np.float32], size: int, where: Mapping[str, str]
) -> list[Row]:
    """Rows by distance from a vector of shape ``(dim,)``, all of whose metadata agree."""
    found = collection.query(
        query_embeddings=vector[None, :], n_results=size, where=_agreeing(where)
    )
    columns: list[Any] = [found[name] for name in ("ids", "documents", "metadatas", "distances")]
    return list(zip(*(column[0] for column in columns), strict=True))


def nearest_ids(
    collection: Collection, vector: NDArray[np.float32], size: int
) -> list[tuple[str, float]]:
    """Ids by distance from a vector of shape ``(dim,)``, and these distances, read from no row."""
    found = collection.query(
        query_embeddings=vector[None, :], n_results=size, include=["distances"]
    )
    return list(zip(found["ids"][0], (found["distances"] or [[]])[0], strict=True))


def described(collection: Collection, near: Sequence[tuple[str, float]]) -> list[Row]:
    """What is kept under ids, in their order, each with its distance."""
    found = collection.get(ids=[key for key, _ in near], include=["documents", "metadatas"])
    columns: list[Any] = [found["ids"], found["documents"], found["metadatas"]]
    rows = {key: (document, metadata) for key, document, metadata in zip(*columns, strict=True)}
    return [(key, *rows[key], distance) for key, distance in near]


def vectors(collection: Collection, keys: Sequence[str]) -> NDArray[np.float32]:
    """Vectors that are kept under these ids, in their order, shape ``(n, dim)``, unit length."""
    import numpy as np  # heavy for a start-up

    found = dict(zip(*known_vectors(collection, keys), strict=True))
    return np.asarray([found[key] for key in keys], dtype=np.float32)


def known_vectors(
    collection: Collection, keys: Sequence[str]
) -> tuple[list[str], NDArray[np.float32]]:
    """Return those of the ids that are kept, and their vectors, ``(n, dim)``, of unit length."""
    import numpy as np  # heavy for a start-up

    known: list[str] = []
    found: list[NDArray[np.float32]] = []
    for start in range(0, len(keys), _PAGE):
        page: Any = collection.get(ids=list(keys[start : start + _PAGE]), include=["embeddings"])
        known += page["ids"]
        found.extend(page["embeddings"])
    placed: NDArray[np.float32] = np.asarray(found, dtype=np.float32)
    if known:
        placed /= np.linalg.norm(placed, axis=1, keepdims=True)
    return known, placed


def sample(
    collection: Collection, where: Mapping[str, str], most: int
) -> tuple[int, NDArray[np.float32]]:
    """How many rows agree, and the vectors of so many of them, evenly spread over their arrival."""
    import numpy as np  # heavy for a start-up

    agreeing = ids(collection, where)
    chosen = agreeing[:: max(1, -(-len(agreeing) // max(1, most)))]
    found: list[Any] = []
    for start in range(0, len(chosen), _PAGE):
        rows = collection.get(ids=chosen[start : start + _PAGE], include=["embeddings"])
        found.extend(np.asarray(rows["embeddings"]))
    return len(agreeing), np.asarray(found, dtype=np.float32)


def _agreeing(where: Mapping[str, str]) -> Any:
    clauses: list[Any] = [{name: value} for name, value in where.items()]
    return {"$and": clauses} if len(clauses) > 1 else (clauses or [None])[0]


def sound(collection: Collection, sample: int = 64) -> bool:
    """Whether vectors from all over a collection find themselves."""
    count = collection.count()
    for offset in range(0, count, max(1, count // sample)):
        row = collection.get(limit=1, offset=offset, include=["embeddings"])
        found = collection.query(query_embeddings=row["embeddings"], n_results=1)["distances"]
        if not found or not found[0] or found[0][0] > TIE:
            return False
    return True


def _full(client: Any) -> Client:
    """What Chroma makes, by its full name: the interface that it is declared as lacks close()."""
    return cast("Client", client)


def _settings() -> Settings:
    from chromadb.config import Settings

    # no .env of whatever folder this runs in, and nothing sent anywhere
    return Settings(_env_file=None, anonymized_telemetry=False)

"""Searching by text and by picture: an encoder kept warm, and its index's vectors in memory.

The vectors are read from Chroma in parts, so that a run that indexes what it sees never waits for
long. A search compares with every one of them: it is exact, under any filter.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.explorer.exposure_catalogue import ExposureCatalogue, Ints
from store.encoders.base import Encoder
from store.errors import IndexMissing, StoreError
from store.index.embedded_folder import IndexFolder
from store.index.search import Index
from store.runs.data_folder import DataFolder
from store.untrusted.size_limits import decode_picture

_PART = 5000
"""Vectors read at once, in well under a second."""
_QUERIES = 64
"""Queries whose vectors are kept."""
CLEAR = 4.0
"""Robust standard deviations above the median similarity from which on a picture fits."""


class NoSuchPicture(StoreError):
    """A picture that the index does not hold was to be compared with."""

    def __init__(self) -> None:
        super().__init__("This picture is not in the index. Type: python -m store index")


@dataclass(frozen=True, eq=False)
class Resemblance:
    """How like each row is to what was looked for; ``-inf`` where no vector is known."""

    similarities: NDArray[np.float32]
    fits_from: float
    """Similarity from which on a picture stands out of all others; a hint, not a test."""


class WarmSearch:
    """Answers searches once it is warm. ``begin`` loads in the background, and follows."""

    def __init__(self, data: DataFolder, encoder: str = "conse") -> None:
        self._data, self._name = data, encoder
        self._encoder: Encoder | None = None
        self._ids: list[str] = []
        self._vectors: NDArray[np.float32] = np.empty((0, 0), dtype=np.float32)
        self._folder: IndexFolder | None = None
        self._stamp: str | None = None
        self._asked: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._places: tuple[ExposureCatalogue, int, Ints] | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.problem = ""
        """Why nothing can be searched, in a sentence that ends in what to type."""

    @property
    def is_warm(self) -> bool:
        return self._encoder is not None and len(self._ids) > 0

    @property
    def count(self) -> int:
        """Vectors in memory."""
        return len(self._ids)

    def begin(self) -> None:
        """Load the encoder, or read what the index has got since, unless that is under way."""
        if self._encoder is not None and self._stamp is not None and self._is_current():
            return
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._load, daemon=True)
            self._thread.start()

    def _load(self) -> None:
        from store import encoders

        try:
            if self._encoder is None:
                self._encoder = encoders.load(self._name)
            self._read_vectors(self._encoder)
            self.problem = ""
        except StoreError as error:
            self.problem = str(error)

    def _is_current(self) -> bool:
        return self._folder is not None and self._folder.read_stamp() == self._stamp

    def _read_vectors(self, encoder: Encoder) -> None:
        """Read what is new; all of it where something has gone."""
        with Index.open(self._data, encoder) as index:
            self._folder = IndexFolder(self._data.index_dir, index.name)
            there = index.ids()
            kept = self._ids if there.issuperset(self._ids) else []
            new = sorted(there.difference(kept))
            parts = [self._vectors[: len(kept)]] if kept else []
            names = list(kept)
            for start in range(0, len(new), _PART):
                known, vectors = index.vectors(new[start : start + _PART])
                names += known
                parts.append(vectors)
            self._stamp = self._folder.read_stamp()
        if not names:
            raise IndexMissing(str(self._data.index_dir), encoder.id)
        with self._lock:
            self._ids, self._vectors = names, np.concatenate(parts)
            self._places = None

    def find_text(self, catalogue: ExposureCatalogue, text: str) -> Resemblance:
        """Return how like each row is to a text; ``is_warm`` has to hold."""
        return self._compare(catalogue, self._query(f"text:{text}", [text]))

    def find_frame(self, catalogue: ExposureCatalogue, row: int) -> Resemblance:
        """Return how like each row is to a row's own frame; raises ``NoSuchPicture``."""
        places = np.flatnonzero(self._rows_of(catalogue) == row)
        if len(places) == 0:
            raise NoSuchPicture
        return self._compare(catalogue, self._vectors[places[0]])

    def keep_picture(self, content: bytes) -> str:
        """Embed a person's own picture and return the name to find it by.

        Raises ``UnreadablePicture``.
        """
        import hashlib

        name = hashlib.sha256(content).hexdigest()[:16]
        self._keep(f"picture:{name}", self._loaded().images([decode_picture(content)])[0])
        return name

    def find_picture(self, catalogue: ExposureCatalogue, name: str) -> Resemblance:
        """Return how like each row is to a picture kept before; raises ``NoSuchPicture``."""
        vector = self._asked.get(f"picture:{name}")
        if vector is None:
            raise NoSuchPicture
        return self._compare(catalogue, vector)

    def _loaded(self) -> Encoder:
        if self._encoder is None:
            raise StoreError("The encoder is still being loaded. Try it again in a moment.")
        return self._encoder

    def _query(self, key: str, texts: Sequence[str]) -> NDArray[np.float32]:
        vector = self._asked.get(key)
        if vector is None:
            with self._lock:
                vector = self._loaded().texts(texts)[0]
            self._keep(key, vector)
        return vector

    def _keep(self, key: str, vector: NDArray[np.float32]) -> None:
        self._asked[key] = vector
        while len(self._asked) > _QUERIES:
            self._asked.popitem(last=False)

    def _compare(self, catalogue: ExposureCatalogue, vector: NDArray[np.float32]) -> Resemblance:
        rows = self._rows_of(catalogue)
        # BLAS would wake all its threads for this, and take five times as long
        cosines = np.einsum("ij,j->i", self._vectors[: len(rows)], vector)
        found = np.full(len(catalogue), -np.inf, dtype=np.float32)
        known = rows >= 0
        np.maximum.at(found, rows[known], cosines[known])
        middle = float(np.median(cosines)) if len(cosines) else 0.0
        spread = 1.4826 * float(np.median(np.abs(cosines - middle))) if len(cosines) else 0.0
        return Resemblance(found, middle + CLEAR * spread)

    def _rows_of(self, catalogue: ExposureCatalogue) -> Ints:
        """Row of the catalogue of each vector, shape ``(vectors,)``; -1 where it has none."""
        with self._lock:
            known = self._places
            if known is not None and known[:2] == (catalogue, len(self._ids)):
                return known[2]
            places = catalogue.places
            pairs = (name.rsplit("/", 2) for name in self._ids)
            found = [places.get((run, int(position)), -1) for run, position, _ in pairs]
            rows = np.array(found, dtype=np.int64)
            self._places = catalogue, len(self._ids), rows
            return rows

"""Searching by text and by picture: an encoder kept warm, and its index's vectors in memory.

The vectors are read from Chroma in parts, so that a run that indexes what it sees never waits for
long. A search compares with every one of them: it is exact, under any filter.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

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
_AGAIN_S = 15.0
"""The index is looked at again after so long."""
_QUERIES = 64
"""Queries whose vectors are kept."""
CLEAR = 0.8
"""Robust standard deviations by which a picture that fits is more alike than the most alike of so
many draws from a normal distribution would be (about ``sqrt(2 ln n)`` above their mean)."""


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


@dataclass(frozen=True, eq=False)
class _HeldVectors:
    """Ids as the index has them, and their vectors, shape ``(n, dim)``, in the same order."""

    ids: tuple[str, ...] = ()
    vectors: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))

    def place(self, catalogue: ExposureCatalogue) -> Ints:
        """Return the row of the catalogue of each vector; -1 where it has none."""
        pairs = (name.rsplit("/", 2) for name in self.ids)
        rows = [catalogue.places.get((run, int(position)), -1) for run, position, _ in pairs]
        return np.array(rows, dtype=np.int64)


class WarmSearch:
    """Answers searches once it is warm. ``begin`` loads in the background, and follows."""

    def __init__(self, data: DataFolder, encoder: str = "conse") -> None:
        self._data, self._name = data, encoder
        self._encoder: Encoder | None = None
        self._held = _HeldVectors()
        self._folder: IndexFolder | None = None
        self._stamp: str | None = None
        self._asked: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._places: tuple[ExposureCatalogue, _HeldVectors, Ints] | None = None
        self._lock = threading.Lock()
        self._due = 0.0
        self._thread: threading.Thread | None = None
        self.problem = ""
        """Why nothing can be searched, in a sentence that ends in what to type."""

    @property
    def is_warm(self) -> bool:
        return self._encoder is not None and len(self._held.ids) > 0

    @property
    def count(self) -> int:
        """Vectors in memory."""
        return len(self._held.ids)

    def begin(self) -> None:
        """Load the encoder, or read what the index has got since, unless that was just done."""
        if time.monotonic() < self._due:
            return
        if self._encoder is not None and self._stamp is not None and self._is_current():
            return
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._load, daemon=True)
            self._due = time.monotonic() + _AGAIN_S
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
            held = self._held if there.issuperset(self._held.ids) else _HeldVectors()
            new = sorted(there.difference(held.ids))
            names, parts = list(held.ids), [held.vectors] if held.ids else []
            for start in range(0, len(new), _PART):
                known, vectors = index.vectors(new[start : start + _PART])
                names += known
                parts.append(vectors)
            self._stamp = self._folder.read_stamp()
        if not names:
            raise IndexMissing(str(self._data.index_dir), encoder.id)
        self._held = _HeldVectors(tuple(names), np.concatenate(parts))

    def find_text(self, catalogue: ExposureCatalogue, text: str) -> Resemblance:
        """Return how like each row is to a text; ``is_warm`` has to hold."""
        return self._compare(catalogue, self._query(f"text:{text}", [text]))

    def find_frame(self, catalogue: ExposureCatalogue, row: int) -> Resemblance:
        """Return how like each row is to a row's own frame; raises ``NoSuchPicture``."""
        held, rows = self._placed(catalogue)
        own = np.flatnonzero((rows == row) & (rows >= 0))
        if len(own) == 0:
            raise NoSuchPicture
        return self._compare(catalogue, held.vectors[own[0]])

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
        held, rows = self._placed(catalogue)
        # BLAS would wake all its threads for this, and take five times as long
        cosines = np.einsum("ij,j->i", held.vectors, vector)
        found = np.full(len(catalogue), -np.inf, dtype=np.float32)
        known = rows >= 0
        np.maximum.at(found, rows[known], cosines[known])
        middle = float(np.median(cosines))
        spread = 1.4826 * float(np.median(np.abs(cosines - middle)))
        extreme = math.sqrt(2 * math.log(len(cosines)))
        return Resemblance(found, middle + (extreme + CLEAR) * spread)

    def _placed(self, catalogue: ExposureCatalogue) -> tuple[_HeldVectors, Ints]:
        """Return the vectors, and the row of the catalogue of each."""
        with self._lock:
            held, known = self._held, self._places
            if known is None or known[0] is not catalogue or known[1] is not held:
                known = self._places = catalogue, held, held.place(catalogue)
            return held, known[2]

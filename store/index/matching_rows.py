"""The rows that match a search's conditions, found out once while an index stays open.

Chroma looks for them anew at each search, and reads all of a row's metadata from SQLite. Both take
longer than the search itself. Ids and distances alone come in milliseconds, so the nearest rows are
looked through for those that match. Where few match, their vectors are kept and compared exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from store.index import chroma

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from store.index.chroma import Collection, Row

_WIDE = 400
"""Nearest rows that are looked through at most."""
_EXACT = 50_000
"""Rows whose vectors are kept at most: 100 MB with 512 dimensions."""


class MatchingRows:
    """What matches in a collection that nobody changes meanwhile."""

    def __init__(self, collection: Collection, where: Mapping[str, str]) -> None:
        self._where = where
        self._total = collection.count()
        self._ids = chroma.ids(collection, where)
        self._known = frozenset(self._ids)
        self._vectors: NDArray[np.float32] | None = None

    def nearest(self, collection: Collection, vector: NDArray[np.float32], size: int) -> list[Row]:
        """The ``size`` nearest rows that match, by distance; all of them where they are fewer."""
        if not self._ids:
            return []
        wide = 2 * size * self._total // len(self._ids)
        if wide <= _WIDE:
            near = chroma.nearest_ids(collection, vector, wide)
            found = [one for one in near if one[0] in self._known]
            if len(found) >= size:
                return chroma.described(collection, found[:size])
        if len(self._ids) <= _EXACT:
            return chroma.described(collection, self._exactly(collection, vector, size))
        return chroma.nearest(collection, vector, size, self._where)

    def _exactly(
        self, collection: Collection, vector: NDArray[np.float32], size: int
    ) -> list[tuple[str, float]]:
        import numpy as np  # heavy for a start-up

        if self._vectors is None:
            self._vectors = chroma.vectors(collection, self._ids)
        # BLAS would wake all its threads for this, and take five times as long
        distances = 1 - np.einsum("ij,j->i", self._vectors, vector)
        nearest = np.argsort(distances, kind="stable")[:size]
        return [(self._ids[place], float(distances[place])) for place in nearest]

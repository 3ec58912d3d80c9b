"""What a person wants to see of the catalogue: chosen values, words, and what pictures show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.explorer.exposure_catalogue import COUNTS, ExposureCatalogue, Facet, Ints

Similarities = NDArray[np.float32]
_MOST_WORDS = 200


@dataclass(frozen=True)
class FrameQuery:
    """Conditions on rows: of one facet any chosen value, of all facets together each."""

    chosen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    words: str = ""
    """Part of a caption or of an author's name, in any case."""
    folded: bool = False
    """Of near-duplicates only the first."""

    @classmethod
    def read(cls, pairs: Iterable[tuple[str, str]], facets: Mapping[str, Facet]) -> FrameQuery:
        """Read the pairs of an address; what names no facet is left alone."""
        chosen: dict[str, set[str]] = {}
        words, folded = "", False
        for name, value in pairs:
            if name in facets:
                chosen.setdefault(name, set()).add(value)
            elif name == "words":
                words = value.strip()[:_MOST_WORDS]
            elif name == "folded":
                folded = value == "1"
        return cls({name: frozenset(values) for name, values in chosen.items()}, words, folded)


@dataclass(frozen=True)
class FacetValue:
    """One value of a facet, and how many rows choosing it would leave."""

    value: str
    rows: int
    chosen: bool


@dataclass(frozen=True)
class FacetCounts:
    """A facet, and its values that come in what the other facets leave."""

    name: str
    values: tuple[FacetValue, ...]


@dataclass(frozen=True, eq=False)
class FrameSelection:
    """The rows that a query leaves, in the order of the page."""

    rows: Ints
    facets: tuple[FacetCounts, ...]


def select(catalogue: ExposureCatalogue, query: FrameQuery) -> FrameSelection:
    """Return the rows that a query leaves, with counts for every facet."""
    whole = _matching_words(catalogue, query.words)
    masks = {
        name: _chosen_mask(catalogue.facets[name], chosen) for name, chosen in query.chosen.items()
    }
    left = _Left(catalogue, [whole, *masks.values()], query.folded)
    counts = [
        _count(
            facet,
            left.rows if facet.name not in masks else left.without(masks[facet.name]),
            query.chosen.get(facet.name, frozenset()),
        )
        for facet in catalogue.facets.values()
    ]
    rows = left.rows
    return FrameSelection(rows, tuple(facet for facet in counts if facet.values))


class _Left:
    """The rows that all masks leave, or all but one."""

    def __init__(
        self, catalogue: ExposureCatalogue, masks: Sequence[NDArray[np.bool_]], folded: bool
    ) -> None:
        self._catalogue, self._masks, self._folded = catalogue, masks, folded
        self.rows = self._rows(masks)

    def without(self, dropped: NDArray[np.bool_]) -> Ints:
        return self._rows([mask for mask in self._masks if mask is not dropped])

    def _rows(self, masks: Sequence[NDArray[np.bool_]]) -> Ints:
        rows = np.flatnonzero(np.logical_and.reduce(masks))
        if not self._folded:
            return rows
        return rows[np.sort(np.unique(self._catalogue.looks[rows], return_index=True)[1])]


def rank(rows: Ints, similarities: Similarities) -> Ints:
    """Put rows in the order of their similarity, the highest first; those without one are gone."""
    known = rows[np.isfinite(similarities[rows])]
    return known[np.argsort(-similarities[known], kind="stable")]


def _matching_words(catalogue: ExposureCatalogue, words: str) -> NDArray[np.bool_]:
    import pyarrow.compute as pc

    if not words:
        return np.ones(len(catalogue), dtype=bool)
    found = pc.match_substring(catalogue.captions, words, ignore_case=True)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def _chosen_mask(facet: Facet, chosen: frozenset[str]) -> NDArray[np.bool_]:
    return np.array([value in chosen for value in facet.values], dtype=bool)[facet.codes]


def _count(facet: Facet, rows: Ints, chosen: frozenset[str]) -> FacetCounts:
    """Count a facet's values in the rows left; a chosen value is told even where none has it."""
    counts = np.bincount(facet.codes[rows], minlength=len(facet.values)).tolist()
    told = [
        FacetValue(value, count, value in chosen)
        for value, count in zip(facet.values, counts, strict=True)
        if value and (count or value in chosen)
    ]
    told += [FacetValue(value, 0, True) for value in sorted(chosen - set(facet.values))]
    dull = (len(told) < 2 and not chosen) or all(one.value == COUNTS for one in told)
    return FacetCounts(facet.name, () if dull else tuple(told))

"""The page of frames: what it can be narrowed by, and the place of its grid."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from agent.explorer.frame_query import FacetCounts, FacetValue
from agent.explorer.tiles import read_tiles
from agent.explorer.workbench import FrameResult, Workbench

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

_MOST_VALUES = 200
_SINGLE = ("words", "shows", "folded", "like", "picture")
TITLES = {
    "answer": "Answer",
    "missing": "Why no answer",
    "phase": "Window",
    "platform": "Platform",
    "persona": "Persona",
    "arm": "Arm",
    "model": "Model",
    "strategy": "Strategy",
    "study": "Study",
    "run": "Run",
    "ad": "Advertisement",
    "left out": "Counts",
}


@dataclass(frozen=True)
class FramesPage:
    """What has been chosen, and how many frames each further choice leaves."""

    found: FrameResult
    pairs: tuple[tuple[str, str], ...]

    @property
    def facets(self) -> tuple[FacetCounts, ...]:
        return self.found.selection.facets

    @property
    def query(self) -> str:
        """The address's own query, which the grid asks tiles with."""
        return urlencode(self.pairs)

    @property
    def first(self) -> str:
        """The first tiles as JSON, so that they need not be asked for."""
        return json.dumps(read_tiles(self.found, 0))

    def title(self, facet: FacetCounts) -> str:
        return TITLES[facet.name]

    def values(self, facet: FacetCounts) -> list[FacetValue]:
        """Return the values shown: those chosen, and of many the most frequent."""
        often = sorted(facet.values, key=lambda one: (not one.chosen, -one.rows))
        shown = set(often[:_MOST_VALUES])
        return [one for one in facet.values if one in shown]

    def toggled(self, name: str, value: str) -> str:
        """Return the address after a value was chosen, or is chosen no more."""
        pair = (name, value)
        left = [one for one in self.pairs if one != pair]
        return _address(left if pair in self.pairs else [*left, pair])

    def given(self, name: str) -> str:
        """Return what was typed into a field."""
        return dict(self.pairs).get(name, "")

    @property
    def is_narrowed(self) -> bool:
        return bool(self.pairs)


def _address(pairs: list[tuple[str, str]]) -> str:
    return "#/frames" + (f"?{urlencode(pairs)}" if pairs else "")


def make(bench: Workbench, _: Mapping[str, Any], query: QueryParams) -> FramesPage:
    """Find what the address asks for; unknown names in it are left out."""
    known = {*bench.catalogue.facets, *_SINGLE}
    pairs = tuple((name, value) for name, value in query.multi_items() if name in known and value)
    return FramesPage(bench.find(pairs), pairs)

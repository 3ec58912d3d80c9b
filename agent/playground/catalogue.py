"""The items that the site can show, as values; theme is the planted truth behind them.

Refuses to know how a clip is made, what is served to whom, and who watches. Themes never leave
the server: only checks read them.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

DATA = Path(__file__).parent / "data"

Kind = Literal["video", "ad", "live"]


@dataclass(frozen=True)
class CatalogueItem:
    """One thing that a feed can show."""

    number: int
    """Position in the catalogue, and what the mark in its clip says."""
    id: str
    kind: Kind
    theme: str
    caption: str
    creator: str
    nickname: str
    hashtags: tuple[str, ...]
    likes: int
    comments: int
    plays: int
    seconds: float
    footage: str
    """Name of its footage; a path for an own file."""
    take: int = 0
    """Counts the items that share the footage, so that no two clips are the same."""
    file: Path | None = None
    """An own clip, served as it is."""
    edition: int = 0
    """Which variation of a shipped video it is; 0 for one that is as it was written."""
    origin: int | None = None
    """Number of the video whose words a variation has."""


@dataclass(frozen=True)
class Catalogue:
    """All items, in the order of their numbers."""

    items: tuple[CatalogueItem, ...]

    @cached_property
    def by_id(self) -> Mapping[str, CatalogueItem]:
        """Items by id."""
        return {item.id: item for item in self.items}

    @cached_property
    def themes(self) -> tuple[str, ...]:
        """Themes with at least one plain video, sorted."""
        return tuple(sorted({item.theme for item in self.items if item.kind == "video"}))

    @cached_property
    def videos_by_theme(self) -> Mapping[str, int]:
        """How many plain videos each theme has: more of it than that repeats."""
        return Counter(item.theme for item in self.items if item.kind == "video")

    @cached_property
    def fingerprint(self) -> str:
        """Changes whenever what a recommender can serve changes."""
        told = "\n".join(f"{i.id} {i.kind} {i.theme} {i.seconds} {i.likes}" for i in self.items)
        return hashlib.sha256(told.encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def load() -> Catalogue:
    """Read the catalogue that ships with the site: what was written, and its variations."""
    from agent.playground.variations import vary  # it needs the items above

    with (DATA / "items.csv").open(encoding="utf-8", newline="") as file:
        items = [_item(row) for row in csv.DictReader(file)]
    return Catalogue(vary(sorted(items, key=lambda item: item.number)))


def themes() -> tuple[str, ...]:
    """Name the themes of the catalogue that ships with the site."""
    return load().themes


def themes_of() -> dict[str, str]:
    """Give the planted theme of every item, by id: for checks, never for a viewer."""
    return {item.id: item.theme for item in load().items}


def _item(row: dict[str, str]) -> CatalogueItem:
    kind: Kind = "ad" if row["kind"] == "ad" else "live" if row["kind"] == "live" else "video"
    return CatalogueItem(
        number=int(row["number"]),
        id=row["id"],
        kind=kind,
        theme=row["theme"],
        caption=row["caption"],
        creator=row["creator"],
        nickname=row["nickname"],
        hashtags=tuple(row["hashtags"].split()),
        likes=int(row["likes"]),
        comments=int(row["comments"]),
        plays=int(row["plays"]),
        seconds=float(row["seconds"]),
        footage=row["footage"],
        take=int(row["take"]),
    )

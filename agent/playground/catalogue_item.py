"""One thing that the playground can show, with the theme that was planted in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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

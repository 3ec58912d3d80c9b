"""The items that the site can show, as values.

A theme is the planted truth behind an item: it never leaves the server, and only checks read it.
Ten videos are made out of each written one: a variation takes its caption from one item of the
theme and its footage from another, cut, graded and titled anew. All of it is drawn from hashes, so
that every machine has the same catalogue.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import exp
from pathlib import Path
from typing import Literal, TypeVar

DATA = Path(__file__).parent / "data"
EACH = 9
"""Variations of an item, so that 30 videos on a theme become 300."""
MOST_WORDS = 14
"""Of a caption."""
_BEFORE = (
    "POV:",
    "Again:",
    "Sound on:",
    "Still true:",
    "Reminder:",
    "Take two:",
    "Old clip:",
    "Reposting:",
    "Note:",
    "Update:",
)
_AFTER = (
    "Part two",
    "Part three",
    "Be honest",
    "More tomorrow",
    "First try",
    "Save this",
    "No filter",
    "Thoughts?",
    "Worth it",
    "Wait for it",
    "Day one",
    "Day nine",
    "Uncut",
    "Again",
    "Your turn",
)
_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"

Kind = Literal["video", "ad", "live"]
T = TypeVar("T")


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

    @property
    def tagged_caption(self) -> str:
        """The caption as pages show it: hashtags at its end."""
        return " ".join([self.caption, *(f"#{tag}" for tag in self.hashtags)])


@dataclass(frozen=True)
class Catalogue:
    """All items, in the order of their numbers."""

    items: tuple[CatalogueItem, ...]

    @cached_property
    def by_id(self) -> Mapping[str, CatalogueItem]:
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
        listing = "\n".join(f"{i.id} {i.kind} {i.theme} {i.seconds} {i.likes}" for i in self.items)
        return hashlib.sha256(listing.encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def load_catalogue() -> Catalogue:
    """Read the catalogue that ships with the site: what was written, and its variations."""
    with (DATA / "items.csv").open(encoding="utf-8", newline="") as file:
        items = [_item(row) for row in csv.DictReader(file)]
    return Catalogue(vary_items(sorted(items, key=lambda item: item.number)))


def themes_of() -> dict[str, str]:
    """Give the planted theme of every item, by id: for checks, never for a viewer."""
    return {item.id: item.theme for item in load_catalogue().items}


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


def vary_items(items: Sequence[CatalogueItem]) -> tuple[CatalogueItem, ...]:
    """Return items (numbered from 0, in order), and after them variations of their videos."""
    themes: dict[str, list[CatalogueItem]] = defaultdict(list)
    for item in items:
        if item.kind == "video":
            themes[item.theme].append(item)
    takes: dict[str, int] = defaultdict(int)
    for item in items:
        takes[item.footage] = max(takes[item.footage], item.take + 1)
    made = [one for theme in sorted(themes) for one in _vary_theme(themes[theme], takes)]
    mixed = _shuffle(made, "order", [item.id for item in made])
    first = len(items)
    return (*items, *(replace(one, number=first + place) for place, one in enumerate(mixed)))


def _vary_theme(videos: Sequence[CatalogueItem], takes: dict[str, int]) -> Iterable[CatalogueItem]:
    creators = sorted({(video.creator, video.nickname) for video in videos})
    tags = sorted({tag for video in videos for tag in video.hashtags})
    phrases = {video.id: _phrases(video) for video in videos}
    for edition in range(1, EACH + 1):
        key = f"{videos[0].theme} {edition}"
        pictures = _shuffle(videos, f"{key} pictures", [video.id for video in videos])
        figures = _shuffle(videos, f"{key} figures", [video.id for video in videos])
        for video, picture, counted in zip(videos, pictures, figures, strict=True):
            name = f"{video.id} {edition}"
            creator, nickname = creators[int(_share(f"{name} creator") * len(creators))]
            scale = exp(2 * _share(f"{name} figures") - 1)
            count = 2 + round(_share(f"{name} tags"))
            take, takes[picture.footage] = takes[picture.footage], takes[picture.footage] + 1
            yield replace(
                video,
                id=_id(name),
                caption=phrases[video.id][edition - 1],
                creator=creator,
                nickname=nickname,
                hashtags=tuple(_shuffle(tags, name, tags)[:count]),
                likes=round(counted.likes * scale),
                comments=round(counted.comments * scale),
                plays=round(counted.plays * scale),
                seconds=counted.seconds,
                footage=picture.footage,
                take=take,
                edition=edition,
                origin=video.number,
            )


def _phrases(video: CatalogueItem) -> list[str]:
    """Return the caption in as many wordings as there are variations."""
    caption = video.caption.rstrip(".")
    end = "" if caption[-1] in "?!" else "."
    every = [f"{word} {caption}" for word in _BEFORE]
    every += [f"{caption}{end} {words}" for words in _AFTER]
    fit = [text for text in every if len(text.split()) <= MOST_WORDS]
    return _shuffle(fit, f"{video.id} words", fit)


def _shuffle(things: Sequence[T], seed: str, keys: Sequence[str]) -> list[T]:
    """Put things in an order drawn by hashes of their keys."""
    order = sorted(range(len(things)), key=lambda place: _digest(f"{seed} {keys[place]}"))
    return [things[place] for place in order]


def _share(key: str) -> float:
    """Draw evenly from 0 to 1, 1 excluded."""
    return int.from_bytes(_digest(key)[:6], "big") / 2**48


def _digest(key: str) -> bytes:
    return hashlib.sha256(f"feedsway variation {key}".encode()).digest()


def _id(name: str) -> str:
    return "pg" + "".join(_LETTERS[byte % len(_LETTERS)] for byte in _digest(f"{name} id")[:7])

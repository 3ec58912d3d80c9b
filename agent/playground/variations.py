"""Ten videos out of each shipped one: other pictures, words, creator and figures on its theme.

A variation takes its caption from one item of the theme and its footage from another, cut, graded
and titled anew. All of it is drawn from hashes, so that every machine has the same catalogue.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import exp
from typing import TypeVar

from agent.playground.catalogue import CatalogueItem

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

T = TypeVar("T")


def vary(items: Sequence[CatalogueItem]) -> tuple[CatalogueItem, ...]:
    """Return the items, and after them the variations of their videos, themes well mixed.

    Parameters
    ----------
    items
        Numbered from 0, in order.
    """
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

"""What the browser is told of an item, in the shape that real sites use. Never a theme.

Refuses to know the web and the recommender. A skin of another site would bring its own shapes.
"""

from __future__ import annotations

from typing import Any

from agent.playground.catalogue import Catalogue, CatalogueItem
from agent.playground.visitors import BatchPart, Visitor


def feed_payload(catalogue: Catalogue, visitor: Visitor, page: BatchPart) -> dict[str, Any]:
    """Answer ``/api/feed``."""
    items = [
        item_payload(catalogue.items[number], page.first + offset, visitor)
        for offset, number in enumerate(page.numbers)
    ]
    return {"batch": page.batch, "items": items, "has_more": True}


def item_payload(item: CatalogueItem, index: int, visitor: Visitor) -> dict[str, Any]:
    """Describe one item; a live card has viewers instead of a duration and counts."""
    live = item.kind == "live"
    told: dict[str, Any] = {
        "id": item.id,
        "index": index,
        "url": f"/v/{item.id}",
        "author": {"uniqueId": item.creator, "nickname": item.nickname},
        "desc": item.caption,
        "hashtags": list(item.hashtags),
        "duration": None if live else item.seconds,
        "isAd": item.kind == "ad",
        "isLive": live,
        "liked": visitor.likes(item.id),
        "video": {"src": clip_url(item)},
        "poster": poster_url(item) if has_poster(item) else None,
    }
    if live:
        return told | {"stats": None, "liveRoom": {"userCount": item.plays // 40 + 12}}
    stats = {"diggCount": item.likes, "commentCount": item.comments, "playCount": item.plays}
    return told | {"stats": stats}


def clip_url(item: CatalogueItem) -> str:
    """Address of an item's clip."""
    return f"/clips/{item.id}{item.file.suffix if item.file else '.webm'}"


def poster_url(item: CatalogueItem) -> str:
    """Address of an item's first picture."""
    return f"/posters/{item.id}.jpg"


def has_poster(item: CatalogueItem) -> bool:
    """Whether there is a first picture: an own clip is served as it is and has none."""
    return item.file is None

"""The embedded playground, through the same door as any site.

Refuses to know the site's catalogue and recommender.
"""

from __future__ import annotations

from typing import Any

from agent.drivers.base import Hooks
from agent.platforms.base import Platform
from store.records import Video

HOOKS = Hooks(
    item=("article[data-video-id]",),
    id_attributes=(("", "data-video-id", r"^(\w+)$"),),
    url_id=r"/v/(\w+)",
    index_attribute="data-index",
    next_buttons=('button[aria-label="Next video"]',),
    moves=("key:ArrowDown", "button", "wheel", "scroll"),
    like_buttons=('button[aria-label^="Like"]',),
    ad=(".sponsored",),
    live=(".live",),
    fields={"caption": ".caption", "author": ".creator b"},
)


def parse(_url: str, body: Any) -> list[Video]:
    """Read one batch of ``/api/feed``."""
    return [_video(item) for item in body.get("items", [])]


def _video(item: dict[str, Any]) -> Video:
    stats = item.get("stats") or {}
    fields: dict[str, Any] = {
        "url": item.get("url"),
        "author": (item.get("author") or {}).get("uniqueId"),
        "caption": item.get("desc"),
        "hashtags": tuple(item.get("hashtags") or ()),
        "likes": stats.get("diggCount"),
        "comments": stats.get("commentCount"),
        "views": stats.get("playCount"),
        "duration_s": item.get("duration"),
        "ad": item.get("isAd"),
        "live": item.get("isLive"),
    }
    sources = {name: "network" for name, value in fields.items() if value not in (None, ())}
    return Video(id=item["id"], sources=sources, **fields)


PLATFORM = Platform("playground", HOOKS, ("/api/feed",), parse, live=False)

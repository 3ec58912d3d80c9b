"""The embedded playground, through the same door as any site."""

from __future__ import annotations

from typing import Any

from agent.drivers.base import PageHooks, SiteAnswer
from agent.platforms import items
from agent.platforms.base import Platform
from store.runs.records import Video

HOOKS = PageHooks(
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


def parse(answer: SiteAnswer) -> list[Video]:
    """Read one batch of ``/api/feed``."""
    listed = items.at(answer.body, "items")
    nodes = items.walk(listed, lambda node: bool(items.name(node.get("id"))))
    return [_video(item, items.source_of(answer.url)) for item in nodes]


def _video(item: dict[str, Any], source: str) -> Video:
    tags = items.at(item, "hashtags")
    return items.video(
        item["id"],
        source,
        url=items.name(item.get("url")),
        author=items.text(items.at(item, "author", "uniqueId")),
        author_name=items.name(items.at(item, "author", "nickname")),
        caption=items.text(item.get("desc")),
        hashtags=tuple(filter(None, map(items.name, tags if isinstance(tags, list) else ()))),
        likes=items.count(items.at(item, "stats", "diggCount")),
        comments=items.count(items.at(item, "stats", "commentCount")),
        views=items.count(items.at(item, "stats", "playCount")),
        duration_s=items.seconds(item.get("duration")),
        ad=items.flag(item.get("isAd")),
        live=items.flag(item.get("isLive")),
    )


def read_batch_name(body: Any) -> str | None:
    number = items.count(items.at(body, "batch"))
    return None if number is None else str(number)


PLATFORM = Platform(
    "playground",
    HOOKS,
    ("/api/feed",),
    parse,
    live=False,
    own_site=True,
    batch_name=read_batch_name,
)

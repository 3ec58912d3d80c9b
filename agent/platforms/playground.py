"""The embedded playground, through the same door as any site."""

from __future__ import annotations

from typing import Any

from agent.drivers.base import PageHooks, SiteAnswer
from agent.platforms import feed_items
from agent.platforms.base import Platform
from agent.platforms.canary import Expectations
from store.runs.ledger_lines import Video

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
    listed = feed_items.at(answer.body, "items")
    nodes = feed_items.walk(listed, lambda node: bool(feed_items.name(node.get("id"))))
    return [_video(item, feed_items.source_of(answer.url)) for item in nodes]


def _video(item: dict[str, Any], source: str) -> Video:
    tags = feed_items.at(item, "hashtags")
    return feed_items.video(
        item["id"],
        source,
        url=feed_items.name(item.get("url")),
        author=feed_items.text(feed_items.at(item, "author", "uniqueId")),
        author_name=feed_items.name(feed_items.at(item, "author", "nickname")),
        caption=feed_items.text(item.get("desc")),
        hashtags=tuple(filter(None, map(feed_items.name, tags if isinstance(tags, list) else ()))),
        likes=feed_items.count(feed_items.at(item, "stats", "diggCount")),
        comments=feed_items.count(feed_items.at(item, "stats", "commentCount")),
        views=feed_items.count(feed_items.at(item, "stats", "playCount")),
        duration_s=feed_items.seconds(item.get("duration")),
        ad=feed_items.flag(item.get("isAd")),
        live=feed_items.flag(item.get("isLive")),
    )


def read_batch_name(body: Any) -> str | None:
    number = feed_items.count(feed_items.at(body, "batch"))
    return None if number is None else str(number)


PLATFORM = Platform(
    "playground",
    HOOKS,
    ("/api/feed",),
    parse,
    live=False,
    own_site=True,
    batch_name=read_batch_name,
    expects=Expectations(given={"author": 0.95, "caption": 0.95}),
)

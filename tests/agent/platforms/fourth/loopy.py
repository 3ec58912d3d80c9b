"""Loopy, a site that does not exist: permalinks name its videos, and lengths are milliseconds."""

from __future__ import annotations

from typing import Any

from agent.drivers.base import PageHooks, SiteAnswer, Wall
from agent.platforms import feed_items
from agent.platforms.base import Platform, SiteSession
from store.runs.ledger_lines import Video

ID = r"lp-[0-9a-z]+"
HOOKS = PageHooks(
    item=("section[data-slot]", ".loop"),
    id_attributes=(("a.permalink", "href", rf"^/l/({ID})$"),),
    index_attribute="data-slot",
    next_buttons=('button[aria-label="Next loop"]',),
    ad=(".promoted",),
    live=(".on-air",),
    fields={"caption": ".text", "author": ".handle"},
    walls=(
        Wall("login", urls=(r"^https?://[^/?#]+/join\b",), selectors=("#join-wall",)),
        Wall(
            "consent",
            texts=(("[role=dialog] h2", r"^\s*cookies\s*$"),),
            decline=(("button", r"^\s*only what is needed\s*$"),),
        ),
    ),
    inline=("script#first-loops",),
)


def parse(answer: SiteAnswer) -> list[Video]:
    """Read a page of loops."""
    source = feed_items.source_of(answer.url)
    loops = feed_items.walk(feed_items.at(answer.body, "loops"), lambda node: _id(node) is not None)
    return [_video(loop, source) for loop in loops]


def _id(loop: dict[str, Any]) -> str | None:
    return feed_items.matching(loop.get("key"), ID)


def _video(loop: dict[str, Any], source: str) -> Video:
    id_ = _id(loop) or ""
    words = feed_items.text(loop.get("text"))
    length = feed_items.seconds(loop.get("length_ms"))
    return feed_items.video(
        id_,
        source,
        url=f"https://loopy.example/l/{id_}",
        author=feed_items.name(feed_items.at(loop, "by", "handle")),
        caption=words,
        hashtags=feed_items.hashtags(words),
        likes=feed_items.count(loop.get("hearts")),
        duration_s=None if length is None else length / 1000,
        ad=feed_items.flag(loop.get("promoted")),
        live=feed_items.flag(loop.get("on_air")),
    )


PLATFORM = Platform(
    "loopy",
    HOOKS,
    ("/v2/loops",),
    parse,
    url="https://loopy.example/watch",
    session=SiteSession("https://loopy.example/join", ("loopy_session",), needed=False),
)

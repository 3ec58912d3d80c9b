"""Loopy, a site that does not exist: permalinks name its videos, and lengths are milliseconds."""

from __future__ import annotations

from typing import Any

from agent.drivers.base import PageHooks, SiteAnswer, Wall
from agent.platforms import items
from agent.platforms.base import Platform, SiteSession
from store.runs.records import Video

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
    source = items.source_of(answer.url)
    loops = items.walk(items.at(answer.body, "loops"), lambda node: _id(node) is not None)
    return [_video(loop, source) for loop in loops]


def _id(loop: dict[str, Any]) -> str | None:
    return items.matching(loop.get("key"), ID)


def _video(loop: dict[str, Any], source: str) -> Video:
    id_ = _id(loop) or ""
    words = items.text(loop.get("text"))
    length = items.seconds(loop.get("length_ms"))
    return items.video(
        id_,
        source,
        url=f"https://loopy.example/l/{id_}",
        author=items.name(items.at(loop, "by", "handle")),
        caption=words,
        hashtags=items.hashtags(words),
        likes=items.count(loop.get("hearts")),
        duration_s=None if length is None else length / 1000,
        ad=items.flag(loop.get("promoted")),
        live=items.flag(loop.get("on_air")),
    )


PLATFORM = Platform(
    "loopy",
    HOOKS,
    ("/v2/loops",),
    parse,
    url="https://loopy.example/watch",
    session=SiteSession("https://loopy.example/join", ("loopy_session",), needed=False),
)

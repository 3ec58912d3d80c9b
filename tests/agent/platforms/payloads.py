"""Payloads of the real shapes, taken from the skins, and what a parser may say of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agent.playground.catalogue import load_catalogue
from agent.playground.skins import shapes
from agent.playground.skins.shapes import ServedItem

SERVED = [ServedItem(item, place) for place, item in enumerate(load_catalogue().items[:3])]
LIVE = [ServedItem(item, 3) for item in load_catalogue().items if item.kind == "live"][:1]

REAL: dict[str, list[tuple[str, Any]]] = {
    "playground": [("/api/feed", {"items": [{"id": "a", "desc": "words", "isAd": True}]})],
    "tiktok": [
        ("https://t/api/recommend/item_list/", shapes.tiktok_feed([*SERVED, *LIVE])),
        ("inline:script#x", shapes.tiktok_inline(SERVED)),
    ],
    "youtube": [
        ("https://y/youtubei/v1/reel/reel_watch_sequence", shapes.youtube_feed(SERVED)),
        *(
            (
                "https://y/youtubei/v1/reel/reel_item_watch",
                shapes.youtube_item(one.item, legacy=legacy)
                | {"playerResponse": shapes.youtube_player(one.item)},
            )
            for one in SERVED
            for legacy in (False, True)
        ),
        ("inline:window.ytInitialPlayerResponse", shapes.youtube_player(SERVED[0].item)),
    ],
    "instagram": [
        ("https://i/graphql/query", shapes.instagram_feed(SERVED)),
        ("inline:script", shapes.instagram_inline(SERVED)),
    ],
}


def leaves(node: Any) -> Iterator[str]:
    """Every scalar of some JSON, as text."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)
        else:
            yield str(found)

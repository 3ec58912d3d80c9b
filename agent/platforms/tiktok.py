"""TikTok's For You feed.

The address stays bare while the feed moves, so the id of a video comes from the wrapper of its
player, and all else from the feed's responses by that id. Live cards have no id and join nothing.
"""

from __future__ import annotations

from typing import Any

from agent.drivers.base import PageHooks, SiteAnswer, WallKind
from agent.platforms import feed_items
from agent.platforms.base import Platform, described_in_package, read_refusal
from agent.platforms.feed_batches import FeedRequest
from store.runs.ledger_lines import Video

UNDETERMINED = "un"
"""What stands for a language that was not recognised."""
SHORTEST_MS = 1000
"""A duration in milliseconds is at least this, and one of an advertisement in seconds is not."""


def parse(answer: SiteAnswer) -> list[Video]:
    """Read ``itemList`` and the page's own first items; what is preloaded is not the feed."""
    if "/preload/" in answer.url:
        return []
    source = feed_items.source_of(answer.url)
    return [_video(item, source) for item in feed_items.walk(answer.body, _is_item)]


def read_item(item: dict[str, Any]) -> Video | None:
    """Read one item of a feed, wherever it was kept; ``None`` for what is none."""
    return _video(item, "network") if _is_item(item) else None


def read_order(answer: SiteAnswer) -> list[str]:
    """Return the ids of the feed's places in their order; a live card has none."""
    if "/preload/" in answer.url:
        return []
    return [_id(item) or "" for item in feed_items.walk(answer.body, _is_place)]


def _is_place(node: dict[str, Any]) -> bool:
    return _is_item(node) or (node.get("id") == "" and _is_live(node))


def _is_live(item: dict[str, Any]) -> bool:
    return bool(item.get("liveRoomInfo")) or item.get("containerType") == 2


def read_request(answer: SiteAnswer) -> FeedRequest:
    """Read what the page says of its visitor, the site's own count of videos seen among it."""
    sent = feed_items.sent_query(answer.url)
    plain = feed_items.word_flag(sent.get("isNonPersonalized"))
    return FeedRequest(
        seen=feed_items.count(sent.get("vv_count_fyp")),
        personalised=None if plain is None else not plain,
        signed_in=feed_items.word_flag(sent.get("user_is_login")),
        region=feed_items.name(sent.get("region")),
    )


def _is_item(node: dict[str, Any]) -> bool:
    about = (node.get("author"), node.get("video"), node.get("stats"), node.get("statsV2"))
    return _id(node) is not None and any(isinstance(part, dict) for part in about)


def _id(item: dict[str, Any]) -> str | None:
    return feed_items.matching(item.get("id"), r"\d{1,30}")


def _video(item: dict[str, Any], source: str) -> Video:
    id_ = _id(item) or ""
    author = feed_items.name(feed_items.at(item, "author", "uniqueId"))
    full_name = feed_items.name(feed_items.at(item, "author", "nickname"))
    if isinstance(item.get("author"), str):  # as pages held it before 2024
        author, full_name = feed_items.name(item["author"]), feed_items.name(item.get("nickname"))
    info = item.get("ad_info")
    subtitles = feed_items.listed(feed_items.at(item, "video", "subtitleInfos"))
    return feed_items.video(
        id_,
        source,
        url=f"https://www.tiktok.com/@{author}/video/{id_}" if author else None,
        author=author,
        author_name=full_name,
        caption=feed_items.text(item.get("desc")),
        hashtags=_hashtags(item),
        likes=_stat(item, "diggCount"),
        comments=_stat(item, "commentCount"),
        views=_stat(item, "playCount"),
        duration_s=_duration(item),
        ad=True if isinstance(info, dict) and info else feed_items.flag(item.get("isAd")),
        live=_is_live(item) or None,
        photos=_pictures(item),
        created_at=feed_items.moment(item.get("createTime")),
        music_id=feed_items.key(feed_items.at(item, "music", "id")),
        music_title=feed_items.name(feed_items.at(item, "music", "title")),
        music_author=feed_items.name(feed_items.at(item, "music", "authorName")),
        shares=_stat(item, "shareCount"),
        saves=_stat(item, "collectCount"),
        language=_language(item),
        category=feed_items.key(item.get("CategoryType")),
        subtitled=None if subtitles is None else bool(subtitles),
        subtitle_languages=feed_items.each_name(subtitles, "LanguageCodeName"),
        stickers=_stickers(item),
        ai_label=_ai_label(item),
        ad_authorised=feed_items.flag(item.get("adAuthorization")),
    )


def _language(item: dict[str, Any]) -> str | None:
    told = feed_items.name(item.get("textLanguage"))
    return None if told == UNDETERMINED else told


def _stickers(item: dict[str, Any]) -> tuple[str, ...]:
    """Return the texts of stickers, each of which may have several lines."""
    lines = [
        line
        for sticker in feed_items.listed(item.get("stickersOnItem")) or ()
        for line in feed_items.listed(feed_items.at(sticker, "stickerText")) or ()
    ]
    return tuple(filter(None, map(feed_items.name, lines)))


def _ai_label(item: dict[str, Any]) -> bool | None:
    """Return whether there is a label of any type; an item that names none does not tell."""
    kind = feed_items.count(item.get("aigcLabelType"))
    return None if kind is None else kind > 0


def _pictures(item: dict[str, Any]) -> int | None:
    listed = feed_items.at(item, "imagePost", "images")
    return len(listed) or None if isinstance(listed, list) else None


def _duration(item: dict[str, Any]) -> float | None:
    """Return seconds: items with ``ad_info`` give milliseconds, nearly all; no ad lasts 1000 s."""
    duration = feed_items.seconds(feed_items.at(item, "video", "duration"))
    in_ms = duration is not None and duration >= SHORTEST_MS and bool(item.get("ad_info"))
    return duration / 1000 if duration is not None and in_ms else duration


def _stat(item: dict[str, Any], name: str) -> int | None:
    exact = feed_items.count(feed_items.at(item, "statsV2", name))
    return feed_items.count(feed_items.at(item, "stats", name)) if exact is None else exact


def _hashtags(item: dict[str, Any]) -> tuple[str, ...]:
    tags = []
    for list_, key in (("textExtra", "hashtagName"), ("challenges", "title")):
        parts = item.get(list_)
        tags += [
            feed_items.name(feed_items.at(part, key))
            for part in (parts if isinstance(parts, list) else ())
        ]
    return tuple(dict.fromkeys(filter(None, tags)))


def read_wall(answer: SiteAnswer) -> WallKind | None:
    """Read a response without items; TikTok reports its own errors with status 200."""
    code = feed_items.at(answer.body, "statusCode")
    failed = isinstance(code, int) and code != 0
    return read_refusal(answer) or ("error" if failed else None)


PLATFORM = described_in_package(
    Platform(
        "tiktok", PageHooks(), (), parse, refused=read_wall, order=read_order, request=read_request
    )
)

"""Instagram Reels.

The address names the reel and may lag behind its video; classes and shapes of the page change too
often to rely on. The feed is known by the root field of its responses. Advertisements come from a
pool of their own and are put between the reels by the page: no hook of it shows which they are.
"""

from __future__ import annotations

import re
from typing import Any

from agent.drivers.base import PageHooks, SiteAnswer, WallKind
from agent.platforms import feed_items
from agent.platforms.base import Platform, described_in_package, read_refusal
from agent.platforms.feed_batches import NOTHING_SAID, FeedRequest
from store.runs.ledger_lines import Video

ROOT = "xdt_api__v1__clips__home__connection_v2"
POOL = re.compile(r"ads_?pool|injected_reels", re.IGNORECASE)
"""Names of queries and of root fields that bring advertisements only."""
FEED_QUERIES = "PolarisClips"
"""How the names of the queries begin that the feed asks, its pool of advertisements among them."""
CODE = r"[\w-]{5,40}"


def parse(answer: SiteAnswer) -> list[Video]:
    """Read the reels under the feed's root field, and the advertisements of its pool."""
    source = feed_items.source_of(answer.url)
    pooled = [
        _video(media, source, ad=True)
        for root in _pools(answer)
        for media in feed_items.walk(root, _is_media)
    ]
    return pooled + [
        _video(media, source, ad=_is_ad(media))
        for root in feed_items.under(answer.body, ROOT)
        for media in feed_items.walk(root, _is_media)
        if not _is_pool(answer)
    ]


PICTURE, SEVERAL = 1, 8
"""Kinds of media that are no single video."""


def read_item(media: dict[str, Any]) -> Video | None:
    """Read one post or reel, wherever it was kept; ``None`` for what is none."""
    if not _is_media(media):
        return None
    video, kind = _video(media, "network", ad=_is_ad(media)), media.get("media_type")
    several = feed_items.listed(media.get("carousel_media")) if kind == SEVERAL else None
    pictures = 1 if kind == PICTURE else len(several or ()) or None
    return video.model_copy(update={"photos": pictures})


def read_order(answer: SiteAnswer) -> list[str]:
    """Return the codes of the feed's reels in their order; a pool beside them has no place."""
    if _is_pool(answer):
        return []
    roots = feed_items.under(answer.body, ROOT)
    return [_code(media) or "" for root in roots for media in feed_items.walk(root, _is_media)]


def _asked(answer: SiteAnswer) -> str | None:
    return feed_items.sent_field(answer.request, "fb_api_req_friendly_name")


def read_request(answer: SiteAnswer) -> FeedRequest:
    """Read which reels the page says that it has shown, by whatever names it gives them."""
    data = feed_items.at(
        feed_items.sent_json(feed_items.sent_field(answer.request, "variables")), "data"
    )
    listed = feed_items.at(data, "seen_reels")
    if isinstance(listed, str):
        listed = feed_items.sent_json(listed)
    if not isinstance(listed, list):
        return NOTHING_SAID
    names = (_name_of_seen(one) for one in listed)
    return FeedRequest(seen=frozenset(name for name in names if name))


def _name_of_seen(entry: Any) -> str | None:
    if isinstance(entry, dict):
        entry = next((entry[key] for key in ("id", "media_id", "pk", "code") if key in entry), None)
    return str(entry) if isinstance(entry, int | str) else None


def _is_pool(answer: SiteAnswer) -> bool:
    return POOL.search(_asked(answer) or "") is not None


def _pools(answer: SiteAnswer) -> list[Any]:
    """Return the parts of an answer in which every reel is an advertisement."""
    if _is_pool(answer):
        return [answer.body]
    holders = feed_items.walk(answer.body, lambda node: any(map(POOL.search, node)))
    return [node[key] for node in holders for key in node if POOL.search(key)]


def describes_pool(answer: SiteAnswer) -> bool:
    """Whether an answer holds advertisements of the pool and nothing of the feed itself."""
    return bool(_pools(answer)) and (
        _is_pool(answer) or next(feed_items.under(answer.body, ROOT), None) is None
    )


def _is_media(node: dict[str, Any]) -> bool:
    return _code(node) is not None and ("pk" in node or "id" in node)


def _code(media: dict[str, Any]) -> str | None:
    return feed_items.matching(media.get("code"), CODE)


def _video(media: dict[str, Any], source: str, *, ad: bool | None) -> Video:
    code = _code(media) or ""
    caption = "" if media.get("caption", 0) is None else feed_items.at(media, "caption", "text")
    caption = feed_items.text(caption)
    hidden = media.get("like_and_view_counts_disabled") is True
    views = [feed_items.count(media.get(name)) for name in ("play_count", "view_count")]
    return feed_items.video(
        code,
        source,
        url=f"https://www.instagram.com/reel/{code}/",
        author=feed_items.name(feed_items.at(media, "user", "username")),
        author_name=feed_items.name(feed_items.at(media, "user", "full_name")),
        caption=caption,
        hashtags=feed_items.hashtags(caption),
        likes=None if hidden else feed_items.count(media.get("like_count")),
        comments=feed_items.count(media.get("comment_count")),
        views=None if hidden else next((n for n in views if n is not None), None),
        duration_s=feed_items.seconds(media.get("video_duration")),
        ad=ad,
        created_at=feed_items.moment(media.get("taken_at")),
        paid_partnership=feed_items.flag(media.get("is_paid_partnership")),
        **_music(media),
    )


def _music(media: dict[str, Any]) -> dict[str, str | None]:
    """Read a song of the site's library, or a sound that somebody made."""
    about = feed_items.at(media, "clips_metadata")
    song = feed_items.at(about, "music_info", "music_asset_info")
    sound = feed_items.at(about, "original_sound_info")
    made = feed_items.at(sound, "ig_artist", "username")
    return {
        "music_id": feed_items.key(feed_items.at(song, "audio_cluster_id"))
        or feed_items.key(feed_items.at(sound, "audio_asset_id")),
        "music_title": feed_items.name(feed_items.at(song, "title"))
        or feed_items.name(feed_items.at(sound, "original_audio_title")),
        "music_author": feed_items.name(feed_items.at(song, "display_artist"))
        or feed_items.name(made),
    }


def _is_ad(media: dict[str, Any]) -> bool | None:
    link = feed_items.name(media.get("link")) or ""
    if media.get("is_ad") is True or media.get("ad_id") not in (None, "", "0", 0, False):
        return True
    if media.get("product_type") == "ad" or media.get("ad_action") is not None:
        return True
    if link.startswith("https://www.facebook.com/ads/"):
        return True
    return (
        False if isinstance(media.get("product_type"), str) else feed_items.flag(media.get("is_ad"))
    )


_MESSAGES: dict[str, WallKind] = {
    "checkpoint_required": "challenge",
    "challenge_required": "challenge",
    "feedback_required": "rate_limit",
}
"""What the site says of the account, whichever request it refuses."""


def read_wall(answer: SiteAnswer) -> WallKind | None:
    """Read a response without reels: the site answers many questions at the feed's address.

    What is said of the account counts whoever asked; a refusal only where the feed asked. A 401
    asks to wait, whatever else it asks for.
    """
    for part in answer.body if isinstance(answer.body, list) else [answer.body]:
        if (
            kind := _MESSAGES.get(feed_items.text(feed_items.at(part, "message")) or "")
        ) is not None:
            return kind
    query = _asked(answer)
    if query is not None and (not query.startswith(FEED_QUERIES) or _is_pool(answer)):
        return None
    return "rate_limit" if answer.status == 401 else read_refusal(answer)


PLATFORM = described_in_package(
    Platform(
        "instagram",
        PageHooks(),
        (),
        parse,
        refused=read_wall,
        order=read_order,
        request=read_request,
        beside=describes_pool,
    )
)

"""YouTube Shorts.

The address names the video; the reel that holds the one player is the active one. The sequence
brings ids without titles, and a later response for each video brings the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from agent.drivers.base import PageHooks, SiteAnswer, WallKind
from agent.platforms import feed_items
from agent.platforms.base import Platform, described_in_package, read_refusal
from store.runs.ledger_lines import Video

ID = r"[\w-]{11}"
ABOUT_ONE = ("/reel_item_watch", "/v1/player", "/get_watch")
"""Parts of addresses that are asked for one video each."""
HANDLE = re.compile(r"@([\w.·-]+)")
"""What an account is called by; "@one and 2 more" is a video of several, of whom one is named."""


def parse(answer: SiteAnswer) -> list[Video]:
    """Read a sequence, or what a response says of the one video that is named."""
    source = feed_items.source_of(answer.url)
    videos = [_listed(endpoint, source) for endpoint in _sequence(answer.body)]
    request_id = _asked_for(answer)
    top = answer.body if isinstance(answer.body, list) else [answer.body]
    about = (
        (_named(node, request_id if any(node is one for one in top) else None), node)
        for node in feed_items.walk(answer.body, _is_about_one)
    )
    return videos + [_described(id_, node, source) for id_, node in about if id_ is not None]


def _asked_for(answer: SiteAnswer) -> str | None:
    if not any(part in answer.url for part in ABOUT_ONE):
        return None
    sent = feed_items.sent_json(answer.request)
    return _id(sent) or _id(feed_items.at(sent, "playerRequest"))


def _sequence(body: Any) -> Iterator[dict[str, Any]]:
    for entries in feed_items.under(body, "entries"):
        for endpoint in feed_items.under(entries, "reelWatchEndpoint"):
            if _id(endpoint) is not None:
                yield endpoint


def _listed(endpoint: dict[str, Any], source: str) -> Video:
    id_ = _id(endpoint) or ""
    ad = feed_items.flag(feed_items.at(endpoint, "adClientParams", "isAd"))
    return feed_items.video(id_, source, url=f"https://www.youtube.com/shorts/{id_}", ad=ad)


def _id(node: Any) -> str | None:
    return feed_items.matching(feed_items.at(node, "videoId"), ID)


def _is_about_one(node: dict[str, Any]) -> bool:
    """Whether an object is a response about one video. A sequence and its prefetch are not."""
    return (
        "entries" in node
        or "overlay" in node
        or "videoDetails" in node
        or ("playerResponse" in node)
    )


def _named(node: dict[str, Any], request_id: str | None) -> str | None:
    """Return the id that a response and its request agree on, if they name one."""
    if "entries" in node:
        return None
    ids = {
        request_id,
        _id(feed_items.at(node, "videoDetails")),
        _id(feed_items.at(node, "playerResponse", "videoDetails")),
        _id(feed_items.at(node, "replacementEndpoint", "reelWatchEndpoint")),
        _id(
            feed_items.at(
                next(feed_items.under(node.get("overlay"), "likeButtonRenderer"), None), "target"
            )
        ),
    } - {None}
    return ids.pop() if len(ids) == 1 else None


def _described(id_: str, node: dict[str, Any], source: str) -> Video:
    details = feed_items.at(node, "videoDetails") or feed_items.at(
        node, "playerResponse", "videoDetails"
    )
    overlay = node.get("overlay")
    caption = _first(overlay, "shortsVideoTitleViewModel", "text", "content")
    legacy = _first(overlay, "reelPlayerHeaderRenderer", "reelTitleText", "runs", 0, "text")
    title = feed_items.text(feed_items.at(details, "title"))
    author, author_name = _channel(overlay, details)
    player = node if "videoDetails" in node else feed_items.at(node, "playerResponse")
    about = feed_items.at(player, "microformat", "playerMicroformatRenderer")
    captions = feed_items.at(player, "captions", "playerCaptionsTracklistRenderer")
    tracks = feed_items.listed(feed_items.at(captions, "captionTracks"))
    caption = next((words for words in (caption, legacy, title) if words is not None), None)
    return feed_items.video(
        id_,
        source,
        url=f"https://www.youtube.com/shorts/{id_}",
        author=author,
        author_name=author_name,
        caption=caption,
        hashtags=feed_items.hashtags(caption),
        likes=_likes(overlay),
        comments=_comments(overlay),
        views=feed_items.count(feed_items.at(details, "viewCount")),
        duration_s=feed_items.seconds(feed_items.at(details, "lengthSeconds")),
        live=feed_items.flag(feed_items.at(details, "isLive")),
        created_at=feed_items.moment(feed_items.at(about, "publishDate")),
        category=feed_items.name(feed_items.at(about, "category")),
        subtitled=None if tracks is None else bool(tracks),
        subtitle_languages=feed_items.each_name(tracks, "languageCode"),
    )


def _first(node: Any, key: str, *path: str | int) -> str | None:
    return next(
        (feed_items.text(feed_items.at(value, *path)) for value in feed_items.under(node, key)),
        None,
    )


def _channel(overlay: Any, details: Any) -> tuple[str | None, str | None]:
    """Return handle and display name: what a site calls the author may be either."""
    bar = next(feed_items.under(overlay, "reelChannelBarViewModel"), None)
    header = next(feed_items.under(overlay, "reelPlayerHeaderRenderer"), None)
    words = [
        feed_items.name(feed_items.at(bar, "channelName", "content")),
        feed_items.name(feed_items.at(header, "channelTitleText", "runs", 0, "text")),
        feed_items.name(feed_items.at(details, "author")),
    ]
    handles = [match[1] for text in words if text and (match := HANDLE.match(text))]
    addresses = feed_items.under([bar, header], "canonicalBaseUrl")
    linked = [match[1] for url in addresses if (match := HANDLE.match(_path(url)))]
    names = [text for text in reversed(words) if text and not text.startswith("@")]
    return next(iter([*handles, *linked]), None), next(iter(names), None)


def _path(url: Any) -> str:
    return unquote(feed_items.text(url) or "").removeprefix("/")


def _likes(overlay: Any) -> int | None:
    for button in feed_items.under(overlay, "likeButtonViewModel"):
        unpressed = next(feed_items.under(button, "defaultButtonViewModel"), button)
        short = next(feed_items.under(unpressed, "title"), None)
        label = next(feed_items.under(unpressed, "accessibilityText"), None)
        if (
            number := _largest(feed_items.count(short), feed_items.count_within(label))
        ) is not None:
            return number
    legacy = next(feed_items.under(overlay, "likeButtonRenderer"), None)
    return feed_items.count(feed_items.at(legacy, "likeCount"))


def _comments(overlay: Any) -> int | None:
    for button in feed_items.under(overlay, "buttonViewModel"):
        if feed_items.at(button, "iconName") == "SHORTS_COMMENT":
            label = feed_items.count_within(feed_items.at(button, "accessibilityText"))
            return _largest(feed_items.count(feed_items.at(button, "title")), label)
    legacy = feed_items.at(
        next(feed_items.under(overlay, "viewCommentsButton"), None), "buttonRenderer"
    )
    label = feed_items.count_within(feed_items.at(legacy, "accessibility", "label"))
    short = [
        feed_items.at(legacy, "text", "simpleText"),
        feed_items.at(legacy, "text", "runs", 0, "text"),
    ]
    return _largest(label, *(feed_items.count(words) for words in short))


def _largest(*counts: int | None) -> int | None:
    """Return the exact count. Short forms are cut off below, a label may be misread as less."""
    return max((number for number in counts if number is not None), default=None)


_STATES: dict[str, WallKind] = {
    "LOGIN_REQUIRED": "login",
    "AGE_VERIFICATION_REQUIRED": "age",
    "AGE_CHECK_REQUIRED": "age",
    "UNPLAYABLE": "error",
    "ERROR": "error",
}


def read_wall(answer: SiteAnswer) -> WallKind | None:
    """Read a response without items: its status, or what it says about playing."""
    for playability in feed_items.under(answer.body, "playabilityStatus"):
        if (state := feed_items.name(feed_items.at(playability, "status"))) in _STATES:
            return _STATES[state]
    return read_refusal(answer)


PLATFORM = described_in_package(Platform("youtube", PageHooks(), (), parse, refused=read_wall))

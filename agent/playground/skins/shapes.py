"""What the browser is told of items, in the playground's own shape and three sites'.

A theme is never among it. Keys that begin with an underscore are a skin's own, for its page.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agent.playground.catalogue import Catalogue, CatalogueItem
from agent.playground.visitors import BatchPart, Visitor

CREATED = 1_750_000_000
"""When the first item was published, in seconds since 1970; each other one second later."""
INSTAGRAM_ROOT = "xdt_api__v1__clips__home__connection_v2"


@dataclass(frozen=True)
class ServedItem:
    """One item at its place in a visitor's feed."""

    item: CatalogueItem
    place: int
    liked: bool = False
    photos: tuple[CatalogueItem, ...] = ()
    """Whose pictures it is posted as, instead of a video, where the site has such posts."""


def feed_payload(catalogue: Catalogue, visitor: Visitor, page: BatchPart) -> dict[str, Any]:
    items = [
        item_payload(catalogue.items[number], page.first + offset, visitor)
        for offset, number in enumerate(page.numbers)
    ]
    return {"batch": page.batch, "items": items, "has_more": True}


def item_payload(item: CatalogueItem, index: int, visitor: Visitor) -> dict[str, Any]:
    """Describe one item; a live card has viewers instead of a duration and counts."""
    live = item.kind == "live"
    fields: dict[str, Any] = {
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
        return fields | {"stats": None, "liveRoom": {"userCount": item.plays // 40 + 12}}
    stats = {"diggCount": item.likes, "commentCount": item.comments, "playCount": item.plays}
    return fields | {"stats": stats}


def clip_url(item: CatalogueItem) -> str:
    return f"/clips/{item.id}{item.file.suffix if item.file else '.webm'}"


def poster_url(item: CatalogueItem) -> str:
    return f"/posters/{item.id}.jpg"


def has_poster(item: CatalogueItem) -> bool:
    """Whether there is a first picture. An own clip is served as it is and has none."""
    return item.file is None


def skin_id(skin: str, item: CatalogueItem) -> str:
    digest = hashlib.sha256(item.id.encode()).digest()
    if skin == "tiktok":
        return str(7 * 10**18 + int.from_bytes(digest[:7], "big"))
    return urlsafe_b64encode(digest).decode()[:11]


def compact_count(count: int) -> str:
    """Return a count as people read it, such as ``2.7K``; cut off, never rounded up."""
    for scale, letter in ((10**6, "M"), (10**3, "K")):
        if count >= scale:
            tenths = count * 10 // scale
            return f"{tenths / 10:g}{letter}"
    return str(count)


def tiktok_feed(served: Iterable[ServedItem]) -> dict[str, Any]:
    """Answer ``item_list``."""
    return {"itemList": [_tiktok(one) for one in served], "hasMore": True, "statusCode": 0}


def tiktok_inline(served: Iterable[ServedItem]) -> dict[str, Any]:
    """Return what the page's own script holds."""
    items = [_tiktok(one) for one in served]
    context = {"language": "en", "user": {}}
    scope = {"webapp.app-context": context, "webapp.updated-items": items}
    return {"__DEFAULT_SCOPE__": scope}


def _tiktok(served: ServedItem) -> dict[str, Any]:
    item = served.item
    own = {"_place": served.place, "_clip": clip_url(item), "_s": item.seconds}
    if item.kind == "live":
        room = {"title": item.caption, "ownerInfo": {"nickname": item.nickname}}
        return own | {"id": "", "containerType": 2, "liveRoomInfo": room}
    stats = {"diggCount": item.likes, "commentCount": item.comments, "playCount": item.plays}
    stats |= {"shareCount": item.likes // 9, "collectCount": item.likes // 7}
    id_ = skin_id("tiktok", item)
    own |= _photo_post(served.photos) if served.photos else {}
    # the site gives the length of advertisements in milliseconds, of all else in seconds
    length = round(item.seconds * 1000) if item.kind == "ad" else item.seconds
    own |= {"aigcLabelType": item.number % 2} if item.number % 3 == 0 else {}
    own |= {"ad_info": {"ad_id": f"9{id_[1:]}"}} if item.kind == "ad" else {}
    return own | {
        "id": id_,
        "desc": item.tagged_caption,
        "author": {"id": "6" + id_[1:], "uniqueId": item.creator, "nickname": item.nickname},
        "video": {
            "id": id_,
            "duration": 0 if served.photos else length,
            "codecType": "h264",
            "subtitleInfos": [{"LanguageCodeName": "eng-US"}] if item.number % 4 else [],
        },
        "createTime": str(CREATED + item.number),
        "music": {
            "id": "5" + id_[1:],
            "title": f"original sound - {item.nickname}",
            "authorName": item.nickname,
            "duration": 60,
        },
        "textLanguage": "en",
        "CategoryType": 100 + item.number % 20,
        "stickersOnItem": [{"stickerText": [item.caption], "stickerType": 4}],
        "stats": {name: count // 100 * 100 for name, count in stats.items()},
        "statsV2": {name: str(count) for name, count in stats.items()},
        "textExtra": [{"hashtagName": tag, "start": 0} for tag in item.hashtags],
        "challenges": [
            {"id": "1", "title": tag, "desc": "about a tag"} for tag in item.hashtags[:1]
        ],
        "isAd": item.kind == "ad",
        "adAuthorization": item.number % 10 == 0,
    }


def _photo_post(items: Iterable[CatalogueItem]) -> dict[str, Any]:
    pictures = [{"imageURL": {"urlList": [poster_url(item)]}} for item in items]
    return {"imagePost": {"images": pictures, "title": ""}}


def youtube_feed(served: Iterable[ServedItem]) -> dict[str, Any]:
    """Answer ``reel_watch_sequence``: ids, no titles, and what is fetched ahead for the first."""
    entries = [{"command": {"reelWatchEndpoint": _endpoint(one)}} for one in served]
    return {"entries": entries, "continuationEndpoint": {"token": "next"}}


def _endpoint(served: ServedItem) -> dict[str, Any]:
    ahead = {"playerResponse": {"videoDetails": {"videoId": "prefetched0", "title": "not this"}}}
    return {
        "_place": served.place,
        "videoId": skin_id("youtube", served.item),
        "overlay": {"reelPlayerOverlayRenderer": {"style": "REEL_PLAYER_OVERLAY_STYLE_SHORTS"}},
        "unserializedPrefetchData": ahead,
        "adClientParams": {"isAd": served.item.kind == "ad"},
    }


def youtube_player(item: CatalogueItem) -> dict[str, Any]:
    return {
        "playabilityStatus": {"status": "OK"},
        "streamingData": {"_clip": clip_url(item)},
        "videoDetails": {
            "videoId": skin_id("youtube", item),
            "title": item.tagged_caption,
            "lengthSeconds": str(round(item.seconds)),
            "author": item.nickname,
            "channelId": "UC" + item.creator,
            "viewCount": str(item.plays),
            "isLive": item.kind == "live",
        },
    }


def youtube_item(item: CatalogueItem, *, legacy: bool) -> dict[str, Any]:
    overlay = _legacy_overlay(item) if legacy else _overlay(item)
    endpoint = {"videoId": skin_id("youtube", item), "params": "CAU"}
    return {
        "overlay": {"reelPlayerOverlayRenderer": overlay},
        "replacementEndpoint": {"reelWatchEndpoint": endpoint},
    }


def _overlay(item: CatalogueItem) -> dict[str, Any]:
    likes = f"like this video along with {item.likes:,} other people"
    like = {
        "iconName": "EMPTY_HEART",
        "title": compact_count(item.likes),
        "accessibilityText": likes,
    }
    comments = {
        "iconName": "SHORTS_COMMENT",
        "title": compact_count(item.comments),
        "accessibilityText": f"View {item.comments:,} comments",
    }
    meta = [
        {"reelChannelBarViewModel": {"channelName": {"content": f"@{item.creator}"}}},
        {"shortsVideoTitleViewModel": {"text": {"content": item.tagged_caption}}},
    ]
    buttons = [
        {"likeButtonViewModel": {"defaultButtonViewModel": {"buttonViewModel": like}}},
        {"buttonViewModel": comments},
    ]
    return {
        "metapanel": {"reelMetapanelViewModel": {"metadataItems": meta}},
        "buttonBar": {"reelActionBarViewModel": {"buttonViewModels": buttons}},
    }


def _legacy_overlay(item: CatalogueItem) -> dict[str, Any]:
    header = {
        "reelTitleText": {"runs": [{"text": item.tagged_caption}]},
        "channelTitleText": {"runs": [{"text": f"@{item.creator}"}]},
    }
    return {
        "reelPlayerHeaderSupportedRenderers": {"reelPlayerHeaderRenderer": header},
        "likeButton": {"likeButtonRenderer": {"likeCount": item.likes}},
        "viewCommentsButton": {
            "buttonRenderer": {
                "text": {"simpleText": compact_count(item.comments)},
                "accessibility": {"label": f"View {item.comments:,} comments"},
            }
        },
    }


def instagram_feed(served: Iterable[ServedItem]) -> dict[str, Any]:
    return _connection(INSTAGRAM_ROOT, served)


def instagram_ads(served: Iterable[ServedItem]) -> dict[str, Any]:
    """Answer the query of the ads pool. Its items look like reels, but for one mark."""
    body = _connection("xdt_api__v1__clips__ads_pool", served)
    for edge in body["data"]["xdt_api__v1__clips__ads_pool"]["edges"]:
        media = edge["node"]["media"]
        media |= {"product_type": "clips", "is_ad": True, "ad_id": f"8{media['pk']}"}
    return body


def instagram_inline(served: Iterable[ServedItem]) -> dict[str, Any]:
    """Return what one of the page's scripts holds."""
    result = {"__bbox": {"result": instagram_feed(served)}}
    return {"require": [["ScheduledServerJS", "handle", None, [result]]]}


def _connection(root: str, served: Iterable[ServedItem]) -> dict[str, Any]:
    edges = [{"node": {"media": _media(one)}, "cursor": str(one.place)} for one in served]
    return {"data": {root: {"edges": edges, "page_info": {"has_next_page": True}}}}


def _media(served: ServedItem) -> dict[str, Any]:
    item = served.item
    code = skin_id("instagram", item)
    pk = str(int.from_bytes(code.encode()[:8], "big"))
    song = {"original_media": {"code": "SONGxxxxxxx", "pk": "1", "caption": {"text": "not this"}}}
    return {
        "_place": served.place,
        "_clip": clip_url(item),
        "pk": pk,
        "id": f"{pk}_1",
        "code": code,
        "caption": {"text": item.tagged_caption},
        "user": {"pk": "9", "username": item.creator, "full_name": item.nickname},
        "coauthor_producers": [{"pk": "8", "username": "someone.else"}],
        "clips_metadata": {"mashup_info": song},
        "like_count": item.likes,
        "comment_count": item.comments,
        "play_count": item.plays,
        "view_count": None,
        "video_duration": item.seconds,
        "product_type": "ad" if item.kind == "ad" else "clips",
        "is_ad": item.kind == "ad",
        "is_paid_partnership": item.number % 10 == 0,
        "taken_at": CREATED + item.number,
        "like_and_view_counts_disabled": False,
    }

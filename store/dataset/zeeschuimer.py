"""Steps as Zeeschuimer writes its captures: NDJSON, one item of a site's own answers a line.

Names of fields, as published: the envelope in Zeeschuimer's ``js/zs-background.js``; items of
TikTok and Instagram as 4CAT reads them, in ``datasources/tiktok/search_tiktok.py`` and
``datasources/instagram/search_instagram.py``. What ``agent/platforms/`` reads from such an item,
it reads from these as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from store.privacy.redaction import STAND_IN
from store.runs.ledger_lines import RunStarted, Step, Video

Item = dict[str, Any]
MOST_PICTURES = 1000
"""Of a photo post; the sites take a few dozen."""


def write_captures(folder: Path, steps: Iterable[tuple[RunStarted, Step]]) -> dict[str, int]:
    """Write ``<site>.ndjson`` for each site, and return how many lines each has.

    Left out are live broadcasts, which Zeeschuimer leaves out, videos that were forgotten, and
    sites that it does not know.
    """
    files: dict[str, IO[str]] = {}
    counts: dict[str, int] = {}
    sittings: dict[str, int] = {}
    try:
        for run, step in steps:
            site = SITES.get(run.platform)
            if site is None or step.video.live or step.video.id.startswith(STAND_IN):
                continue
            name = f"{site}.ndjson"
            if name not in files:
                files[name] = (folder / name).open("w", encoding="utf-8", newline="\n")
            sitting = sittings.setdefault(run.run_id, len(sittings) + 1)
            json.dump(_line(run.platform, step, sitting), files[name], ensure_ascii=False)
            files[name].write("\n")
            counts[name] = counts.get(name, 0) + 1
    finally:
        for file in files.values():
            file.close()
    return counts


def _line(platform: str, step: Step, sitting: int) -> Item:
    return {
        "nav_index": f"{sitting}:0:0",
        "item_id": step.video.id,
        "timestamp_collected": int(step.at.timestamp() * 1000),
        "source_platform": SITES[platform],
        "source_platform_url": _PAGES[platform],
        "source_url": _PAGES[platform],
        "user_agent": "feedsway",
        "data": _ITEMS[platform](step.video),
    }


def _known(fields: Mapping[str, Any]) -> Item:
    """Leave out what is not known, as the sites do."""
    return {name: value for name, value in fields.items() if value is not None}


def _seconds(video: Video) -> int | None:
    return None if video.created_at is None else int(video.created_at.timestamp())


def tiktok_item(video: Video) -> Item:
    """Return a video as TikTok's feed describes one; counts that are not known are null."""
    counts = {
        "diggCount": video.likes,
        "commentCount": video.comments,
        "playCount": video.views,
        "shareCount": video.shares,
        "collectCount": video.saves,
    }
    music = {"id": video.music_id, "title": video.music_title, "authorName": video.music_author}
    pictures: Item | None = None
    if video.photos:
        pictures = {"images": [{}] * min(video.photos, MOST_PICTURES)}
    return {
        "id": video.id,
        "desc": video.caption,
        "author": {"uniqueId": video.author, "nickname": video.author_name},
        "stats": counts,
        "music": music,
        "video": _known({"duration": video.duration_s, "subtitleInfos": _subtitles(video)}),
        "textExtra": [{"hashtagName": tag} for tag in video.hashtags],
        "stickersOnItem": [{"stickerText": [text]} for text in video.stickers],
        **_known(
            {
                "createTime": _seconds(video),
                "isAd": video.ad,
                "adAuthorization": video.ad_authorised,
                "imagePost": pictures,
                "textLanguage": video.language,
                "CategoryType": video.category,
                "aigcLabelType": None if video.ai_label is None else int(video.ai_label),
            }
        ),
    }


def _subtitles(video: Video) -> list[Item] | None:
    if video.subtitled is None:
        return None
    if not video.subtitle_languages:
        return [{}] * video.subtitled
    return [{"LanguageCodeName": name} for name in video.subtitle_languages]


def instagram_item(video: Video) -> Item:
    """Return a reel as Instagram's lists describe one; counts that are not known are null."""
    song = {
        "audio_cluster_id": video.music_id,
        "title": video.music_title,
        "display_artist": video.music_author,
    }
    pictures = min(video.photos or 0, MOST_PICTURES)
    kind = {0: 2, 1: 1}.get(pictures, 8)  # a video, a picture, several
    return {
        "id": video.id,
        "code": video.id,
        "media_type": kind,
        "user": {"username": video.author, "full_name": video.author_name},
        "like_count": video.likes,
        "comment_count": video.comments,
        "play_count": video.views,
        "video_versions": [{"url": ""}],
        "clips_metadata": {"music_info": {"music_asset_info": song}},
        **({"carousel_media": [{"media_type": 1}] * pictures} if kind == 8 else {}),
        **_known(
            {
                # null would say that there is none, and not that it is not known
                "caption": None if video.caption is None else {"text": video.caption},
                "taken_at": _seconds(video),
                "video_duration": video.duration_s,
                "is_paid_partnership": video.paid_partnership,
                "product_type": {True: "ad", False: "clips", None: None}[video.ad],
            }
        ),
    }


SITES = {"tiktok": "tiktok.com", "instagram": "instagram.com"}
"""Our platforms, and what Zeeschuimer calls them."""
_PAGES = {
    "tiktok": "https://www.tiktok.com/foryou",
    "instagram": "https://www.instagram.com/reels/",
}
_ITEMS: dict[str, Callable[[Video], Item]] = {"tiktok": tiktok_item, "instagram": instagram_item}

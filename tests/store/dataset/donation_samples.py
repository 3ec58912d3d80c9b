"""Files as sites give them to their users, made up after the published shapes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 3, 1, 20, tzinfo=UTC)
SECRET = "something private"
"""Stands in every part of a donation that is not to be read."""


def tiktok(count: int, *, old: bool = False, newest_first: bool = True) -> dict[str, Any]:
    """A ``user_data_tiktok.json`` (``old``: as it was until 2025)."""
    videos = [
        {
            "Date": f"{START + timedelta(minutes=at):%Y-%m-%d %H:%M:%S}",
            "Link": f"https://www.tiktokv.com/share/video/{7300000000000000000 + at}/",
        }
        for at in range(count)
    ]
    if newest_first:
        videos.reverse()
    history = {"VideoList": videos}
    activity = {
        ("Video Browsing History" if old else "Watch History"): history,
        "Searches": {"SearchList": [{"Date": "2026-03-01 08:00:00", "SearchTerm": SECRET}]},
        "Login History": {"LoginHistoryList": [{"IP": "192.0.2.1", "DeviceModel": SECRET}]},
    }
    return {
        ("Activity" if old else "Your Activity"): activity,
        "Direct Message": {"Direct Messages": {"ChatHistory": {SECRET: [{"Content": SECRET}]}}},
        "Profile And Settings": {"Profile Info": {"ProfileMap": {"emailAddress": SECRET}}},
    }


def youtube() -> list[dict[str, Any]]:
    """Takeout's ``watch-history.json``: a video, a Short, an ad, and what is no video."""

    def entry(at: int, url: str | None, **more: Any) -> dict[str, Any]:
        time = f"{START + timedelta(minutes=at):%Y-%m-%dT%H:%M:%S.123Z}"
        told = {
            "header": "YouTube",
            "title": f"Watched {SECRET}",
            "titleUrl": url,
            "subtitles": [
                {"name": SECRET, "url": "https://www.youtube.com/channel/UC0123456789abcdefghij"}
            ],
            "time": time,
            "products": ["YouTube"],
            "activityControls": ["YouTube watch history"],
        }
        return {name: value for name, value in (told | more).items() if value is not None}

    watch = "https://www.youtube.com/watch?v\u003d"
    return [
        entry(9, f"{watch}aaaaaaaaa-1"),
        entry(8, "https://www.youtube.com/shorts/bbbbbbbbb_2", subtitles=None),
        entry(7, f"{watch}ccccccccc-3&t=1s", details=[{"name": "From Google Ads"}]),
        entry(6, f"{watch}aaaaaaaaa-1"),
        entry(5, "https://music.youtube.com/watch?v=ddddddddddd", header="YouTube Music"),
        entry(4, "https://www.youtube.com/post/Ugkx"),
        entry(3, None),
        entry(2, f"{watch}eeeeeeeeeee", time="yesterday"),
        entry(1, f"https://example.org/watch?v={'f' * 11}"),
    ]


def instagram_old() -> dict[str, Any]:
    """Instagram's ``videos_watched.json`` as it was: creators and times only, in Dutch."""
    return {
        "impressions_history_videos_watched": [
            {
                "title": "",
                "string_map_data": {
                    "Auteur": {"href": "", "value": f"maker_{at % 3}", "timestamp": 0},
                    "Tijd": {
                        "href": "",
                        "value": "",
                        "timestamp": int((START + timedelta(minutes=at)).timestamp()),
                    },
                },
            }
            for at in range(6)
        ]
    }


def instagram_new() -> list[dict[str, Any]]:
    """The same file since: labels, with an address or without."""

    def entry(at: int, values: list[dict[str, Any]]) -> dict[str, Any]:
        time = int((START + timedelta(minutes=at)).timestamp())
        return {"timestamp": time, "media": [], "label_values": values, "fbid": "17999999999"}

    url = "https://www.instagram.com/reel/Cabcdefghi{}/"
    owner = [
        {"label": "URL", "value": "https://www.instagram.com/maker_1"},
        {"label": "Naam", "value": "Maker"},
        {"label": "Gebruikersnaam", "value": "maker_1"},
    ]
    return [
        entry(
            at,
            [
                {"label": "URL", "value": url.format(at), "href": url.format(at)},
                {"dict": [{"dict": owner, "title": ""}], "title": "Eigenaar"},
            ],
        )
        for at in range(3)
    ] + [entry(5, [{"label": "Author", "value": "maker_2"}])]


def packed(members: Mapping[str, Any]) -> bytes:
    """A download: JSON or bytes by the names of its members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(
                name, content if isinstance(content, bytes) else json.dumps(content).encode()
            )
    return out.getvalue()

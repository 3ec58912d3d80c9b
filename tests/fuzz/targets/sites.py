"""Doors of sites: what their servers say to their own pages, and captures of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.drivers.base import ActiveVideo, Box, SiteAnswer
from agent.drivers.web.page_events import parse_json
from agent.platforms import load_platform
from agent.platforms.base import Feed
from agent.platforms.captures import is_capture, read_captures
from agent.recordings.session_redaction import Redaction
from store.dataset.zeeschuimer import instagram_item, tiktok_item
from store.runs.ledger_lines import Video, text_of
from store.runs.ledger_site_lines import FeedBatch
from store.untrusted.size_limits import ForeignFault
from tests.fuzz.guard import Target

SITES = ("tiktok", "youtube", "instagram", "playground")
_COUNTS = ("likes", "comments", "views", "photos", "shares", "saves")


def _answer(content: bytes) -> SiteAnswer:
    """Read an input as a response with its address, else as the text of one."""
    told = parse_json(content.decode("utf-8", "replace"))
    if not (isinstance(told, dict) and "url" in told and "body" in told):
        return SiteAnswer("https://x/api/recommend/item_list/", told)
    url, status, request = told["url"], told.get("status"), told.get("request")
    return SiteAnswer(
        url if isinstance(url, str) else "inline:x",
        told["body"],
        status if isinstance(status, int) else 200,
        request if isinstance(request, str) else None,
    )


def _reader(site: str) -> Callable[[bytes, Path], object]:
    def read(content: bytes, _: Path) -> object:
        platform = load_platform(site)
        answer = _answer(content)
        videos = platform.parse(answer)
        for video in videos:
            check_video(video)
        feed = Feed(platform)
        batches: list[FeedBatch] = []
        feed.record_batches(batches.append)
        feed.position = 1
        feed.take(answer)
        shown = [feed.describe(_shown(video.id)) for video in videos[:3]]
        for video in shown:
            check_video(video)
        for batch in batches:
            batch.model_dump_json()
        request = platform.request(answer)
        told = [video.model_dump(mode="json") for video in (*videos, *shown)]
        return told, feed.refusal, request.region, platform.beside(answer)

    return read


def _shown(id_: str) -> ActiveVideo:
    return ActiveVideo(
        id_,
        id_,
        "page",
        "https://x/",
        Box(0, 0, 1, 1),
        0.0,
        None,
        0.0,
        True,
        True,
        None,
        None,
        {},
        1,
        0.0,
    )


def check_video(video: Video) -> None:
    """What holds of every video, whatever a site says."""
    assert video.id
    assert all((getattr(video, name) or 0) >= 0 for name in _COUNTS)
    assert video.duration_s is None or video.duration_s > 0
    assert Video.model_validate_json(video.model_dump_json()) == video
    text_of(video)


def _read_capture(content: bytes, place: Path) -> object:
    path = place / "a.ndjson"
    path.write_bytes(content)
    is_capture(path)
    found = []
    for history in read_captures(path):
        assert history.left_out >= 0
        for each in history.videos:
            check_video(each.video)
            assert each.at.tzinfo is not None
            make = {"tiktok": tiktok_item, "instagram": instagram_item}[history.platform]
            found.append(make(each.video))
    return found


def _redact(content: bytes, _: Path) -> object:
    """Redact a body and texts of a page; the same thing becomes the same everywhere."""
    told: Any = parse_json(content.decode("utf-8", "replace"))
    redaction = Redaction({"http://127.0.0.1:1": "https://www.tiktok.com"})
    redaction.learn(told)
    json.dumps(redaction.body(told), allow_nan=False)
    for text in [one for one in _leaves(told) if len(one) < 5000][:20]:
        for become in (redaction.address, redaction.label, redaction.identifier, redaction.request):
            made = become(text)
            assert made == become(text)
            (made or "").encode()
    return None


def _leaves(node: Any) -> list[str]:
    found, waiting = [], [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str):
            found.append(one)
    return found


_DOORS = (
    "store/untrusted/clean_fields.py",
    "agent/platforms/feed_items.py",
    "agent/platforms/base.py",
    "agent/drivers/web/page_events.py",
)
TARGETS = (
    *(
        Target(f"site_{site}", (f"agent/platforms/{site}.py", *_DOORS), _reader(site), kind="json")
        for site in SITES
    ),
    Target(
        "capture",
        (
            "agent/platforms/captures.py",
            "store/untrusted/json_files.py",
            "store/dataset/zeeschuimer.py",
        ),
        _read_capture,
        (ForeignFault,),
        "lines",
    ),
    Target("session", ("agent/recordings/session_redaction.py",), _redact, kind="json"),
)

"""Captures of Zeeschuimer (NDJSON) as watch histories, read by the sites' own readers.

The browser extension keeps what a site sent, one item a line: ``data`` in an envelope with
``source_platform`` and ``timestamp_collected`` (milliseconds), as in its ``js/zs-background.js``.
4CAT writes the same items with the envelope inside, as ``__import_meta``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.platforms import feed_items, instagram, tiktok
from store.dataset.imported_run import ImportedVideo
from store.dataset.watch_history import BadHistory, WatchHistory, is_possible_time
from store.dataset.zeeschuimer import SITES
from store.runs.ledger_lines import Exclusion, Video
from store.untrusted.json_files import BadLines, read_json_lines

MOST_BYTES = 2**32
MOST_LINES = 1_000_000
MOST_LINE_BYTES = 2**22
"""An item of TikTok has some 20 kB."""
_META = "__import_meta"
_READERS: dict[str, Callable[[dict[str, Any]], Video | None]] = {
    "tiktok": tiktok.read_item,
    "instagram": instagram.read_item,
}
_PLATFORMS = {site: platform for platform, site in SITES.items()}


def is_capture(path: Path) -> bool:
    """Whether a file begins with a captured item; raises ``OSError``."""
    try:
        with path.open("rb") as file:
            first = next(read_json_lines(file, MOST_BYTES, MOST_LINES, MOST_LINE_BYTES), None)
    except BadLines:
        return False
    return isinstance(first, dict) and ("source_platform" in first or _META in first)


def read_captures(path: Path) -> tuple[WatchHistory, ...]:
    """Read a file's items in its order, one history for each site.

    Raises ``OSError``, and ``ForeignFault`` for what is no capture, or too much.
    """
    found: dict[str, list[ImportedVideo]] = {}
    sites: set[str] = set()
    left_out = 0
    with path.open("rb") as file:
        for line in read_json_lines(file, MOST_BYTES, MOST_LINES, MOST_LINE_BYTES):
            site, platform, video = _read(line)
            sites.add(site)
            if video is None:
                left_out += 1
            else:
                found.setdefault(platform, []).append(video)
    if not found:
        told = ", ".join(sorted(filter(None, sites))[:5])[:200] or "no site"
        raise BadHistory(f"it holds no video of {' or '.join(_PLATFORMS)}, and items of {told}")
    return tuple(
        WatchHistory(platform, "capture", tuple(videos), left_out)
        for platform, videos in found.items()
    )


def _read(line: Any) -> tuple[str, str, ImportedVideo | None]:
    """Return the site of an item, our name of it, and the video with its time."""
    envelope = feed_items.at(line, _META)
    data = line if isinstance(envelope, dict) else feed_items.at(line, "data")
    envelope = envelope if isinstance(envelope, dict) else line
    site = feed_items.name(feed_items.at(envelope, "source_platform")) or ""
    platform = _PLATFORMS.get(site, "")
    at = _collected(feed_items.at(envelope, "timestamp_collected"))
    video = _READERS[platform](data) if platform and isinstance(data, dict) else None
    if video is None or at is None:
        return site, platform, None
    return site, platform, ImportedVideo(at, video, _exclusion(video))


def _collected(told: Any) -> datetime | None:
    milliseconds = feed_items.count(told)
    try:
        at = datetime.fromtimestamp((milliseconds or 0) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return at if is_possible_time(at) else None


def _exclusion(video: Video) -> Exclusion | None:
    """Why a video would not count in a run."""
    if video.ad:
        return "ad"
    if video.live:
        return "live"
    return "photo" if video.photos else None

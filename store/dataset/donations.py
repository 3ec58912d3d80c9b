"""Data donations: watch histories in the files that sites give to their users.

Shapes, as public importers of such files know them (names of keys only):

- TikTok, ``user_data_tiktok.json`` (once ``user_data.json``): ``Your Activity`` or ``Activity``,
  ``Watch History`` or ``Video Browsing History``, ``VideoList`` of ``Date`` (UTC) and ``Link``;
- YouTube, Takeout's ``watch-history.json``: ``titleUrl``, ``time``, ``subtitles``, ``details``;
- Instagram, ``videos_watched.json``: ``impressions_history_videos_watched`` with
  ``string_map_data``, or a list with ``timestamp`` and ``label_values``.

Sources: ``d3i-infra/data-donation-task`` (``packages/python/port/platforms/``). Nothing else of a
file is read, and nothing is kept but ids, times and creators. Keys that a site translates are not
relied on, save where a word is a creator's name only because its label says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from store.dataset.imported_run import ImportedVideo
from store.dataset.watch_history import UNNAMED, BadHistory, WatchHistory, is_possible_time
from store.runs.ledger_lines import Video
from store.untrusted.json_files import parse_json
from store.untrusted.size_limits import read_file
from store.untrusted.zip_members import read_member

MOST_BYTES = 2**27
"""Of the JSON; a million entries have some hundred megabytes."""
_MOST_ENTRIES = 2_000_000
_ZIP = b"PK"
MEMBERS = (
    "user_data_tiktok.json",
    "user_data.json",
    "watch-history.json",
    "kijkgeschiedenis.json",
    "wiedergabeverlauf.json",
    "videos_watched.json",
)
"""Names of the files within a download; YouTube translates its own."""
_REMARKS = {
    "youtube": "YouTube does not tell Shorts from other videos in this file: all are kept.",
    "instagram": "Where Instagram names no video, repeats and what is shared are not known.",
}
_LONGEST_URL = 2_000
_TIKTOK_LINK = re.compile(r"(?:/@([\w.]{1,60}))?(?:/share)?/(?:video|photo)/(\d{1,30})/?", re.ASCII)
_CHANNEL = re.compile(r"/channel/([\w-]{10,60})", re.ASCII)
_WATCHED = re.compile(r"[?&]v=([\w-]{11})(?=[&#]|$)", re.ASCII)
_SHORT = re.compile(r"/shorts/([\w-]{11})/?", re.ASCII)
_REEL = re.compile(r"/(?:[\w.]{1,60}/)?(?:reels?|p|tv)/([\w-]{5,40})/?", re.ASCII)
_PROFILE = re.compile(r"/(?:_u/)?([\w.]{1,60})/?", re.ASCII)
_HANDLE = re.compile(r"[\w.]{1,60}", re.ASCII)
_CREATOR_LABELS = frozenset(
    {"Username", "Gebruikersnaam", "Nutzername", "Benutzername", "Nazwa użytkownika"}
    | {"Kullanıcı adı", "اسم المستخدم", "Имя пользователя", "Nome utente", "Nume de utilizator"}
    | {"Nombre de usuario", "Emri i përdoruesit"}
    | {"Author", "Auteur", "Autor", "Yazar", "الكاتب", "Автор", "Autore"}
)
"""In the languages that public importers know."""

Entry = dict[str, Any]


def read_donation(path: Path) -> WatchHistory:
    """Read a site's own file, or the .zip that it came in.

    Raises ``OSError``, and ``ForeignFault`` for what is none or too much.
    """
    with path.open("rb") as file:
        packed = file.read(2) == _ZIP
    content = read_member(path, MEMBERS, MOST_BYTES) if packed else read_file(path, MOST_BYTES)
    if content is None:
        raise BadHistory(f"it holds none of {', '.join(MEMBERS)}: ask the site for JSON")
    if content.lstrip()[:1] == b"<":
        raise BadHistory("it is HTML: ask the site for JSON")
    return parse_donation(parse_json(content))


def parse_donation(told: Any) -> WatchHistory:
    """Find the watch history in the JSON of a site's file; raises ``BadHistory``."""
    platform, entries, parse = _find(told)
    if len(entries) > _MOST_ENTRIES:
        raise BadHistory(f"it holds more than {_MOST_ENTRIES:,} entries")
    read = [parse(entry) if isinstance(entry, dict) else None for entry in entries]
    known = [each for each in read if each is not None]
    if len(known) > 1 and known[0].at > known[-1].at:
        known.reverse()  # newest first: so that equal times are in order, too
    known.sort(key=lambda each: each.at)
    named = (
        each if each.video.id else _renamed(each, f"{UNNAMED}{at}") for at, each in enumerate(known)
    )
    left_out = len(entries) - len(known)
    return WatchHistory(platform, "donation", tuple(named), left_out, _REMARKS.get(platform, ""))


def _renamed(each: ImportedVideo, name: str) -> ImportedVideo:
    return ImportedVideo(each.at, each.video.model_copy(update={"id": name}), each.excluded)


Parser = Callable[[Entry], ImportedVideo | None]


def _find(told: Any) -> tuple[str, Sequence[Any], Parser]:
    """Return the site, the entries of its history, and what reads one."""
    if isinstance(told, dict):
        lists = list(_tiktok_lists(told))
        if lists:
            return "tiktok", next(filter(None, lists), []), _tiktok_entry
        watched = told.get("impressions_history_videos_watched")
        if isinstance(watched, list):
            return "instagram", watched, _instagram_entry
    if isinstance(told, list):
        entries = [entry for entry in told if isinstance(entry, dict)]
        if any("label_values" in entry or "string_map_data" in entry for entry in entries):
            return "instagram", told, _instagram_entry
        if any("titleUrl" in entry for entry in entries):
            return "youtube", told, _youtube_entry
    raise BadHistory("it is no watch history of TikTok, YouTube or Instagram that is known")


def _tiktok_lists(told: Entry) -> Iterator[list[Any]]:
    for activity in (told.get("Your Activity"), told.get("Activity")):
        for section in ("Watch History", "Video Browsing History"):
            history = activity.get(section) if isinstance(activity, dict) else None
            listed = history.get("VideoList") if isinstance(history, dict) else None
            if isinstance(listed, list):
                yield listed


def _tiktok_entry(entry: Entry) -> ImportedVideo | None:
    link = entry.get("Link", entry.get("link", entry.get("VideoLink")))
    at = _moment(entry.get("Date", entry.get("date")))
    found = _TIKTOK_LINK.fullmatch(_path(link, "tiktok.com", "tiktokv.com"))
    if at is None or found is None:
        return None
    return ImportedVideo(at, Video(id=found[2], author=found[1]))


def _youtube_entry(entry: Entry) -> ImportedVideo | None:
    """Read a video; searches, posts, music and what was deleted since are none.

    A detail says where the video came from, and that is an advertisement.
    """
    url, at = entry.get("titleUrl"), _moment(entry.get("time"))
    path = _path(url, "youtube.com")
    id_ = _WATCHED.search(str(url)) if path == "/watch" else _SHORT.fullmatch(path)
    if at is None or entry.get("header") == "YouTube Music" or id_ is None:
        return None
    subtitles = entry.get("subtitles")
    first = subtitles[0] if isinstance(subtitles, list) and subtitles else None
    address = first.get("url") if isinstance(first, dict) else None
    channel = _CHANNEL.fullmatch(_path(address, "youtube.com"))
    video = Video(id=id_[1], author=channel[1] if channel else None)
    return ImportedVideo(at, video, "ad" if entry.get("details") else None)


def _instagram_entry(entry: Entry) -> ImportedVideo | None:
    """Read a video by its addresses, and by the words that name its creator.

    Many a file names the creator only. Such a video has no id here.
    """
    id_, author, times = "", None, [entry.get("timestamp")]
    for value in _values(entry):
        times.append(value.get("timestamp"))
        for text in (value.get("href"), value.get("value")):
            path = _path(text, "instagram.com")
            if reel := _REEL.fullmatch(path):
                id_ = id_ or reel[1]
            elif profile := _PROFILE.fullmatch(path):
                author = author or profile[1]
    at = next((moment for time in times if (moment := _moment(time)) is not None), None)
    if at is None:
        return None
    author = author or _instagram_creator(entry)
    return ImportedVideo(at, Video(id=id_, author=author)) if id_ or author else None


def _instagram_creator(entry: Entry) -> str | None:
    """Return the word that names the creator; any other may be a caption or a song.

    It has a label that says so, or stands in a map with nothing else but the time.
    """
    told = entry.get("string_map_data")
    fields = told if isinstance(told, dict) else {}
    labels = [*fields.items(), *((value.get("label"), value) for value in _values(entry))]
    for label, field in labels:
        if isinstance(label, str) and label in _CREATOR_LABELS and (name := _handle(field)):
            return name
    if len(fields) != 2:
        return None
    one, other = fields.values()
    return _word_beside_time(one, other) or _word_beside_time(other, one)


def _word_beside_time(word: Any, time: Any) -> str | None:
    is_time = isinstance(time, dict) and not time.get("value") and _moment(time.get("timestamp"))
    return _handle(word) if is_time else None


def _handle(field: Any) -> str | None:
    name = field.get("value") if isinstance(field, dict) else None
    return name if isinstance(name, str) and _HANDLE.fullmatch(name) else None


def _values(entry: Entry) -> Iterator[Entry]:
    """Give what ``string_map_data`` or ``label_values`` hold, to some depth."""
    waiting = [(entry.get("string_map_data"), 0), (entry.get("label_values"), 0)]
    while waiting:
        node, depth = waiting.pop(0)
        if depth > 5:
            continue
        if isinstance(node, dict):
            if "value" in node or "href" in node or "timestamp" in node:
                yield node
            waiting += [(child, depth + 1) for child in node.values()]
        elif isinstance(node, list):
            waiting += [(child, depth + 1) for child in node[:100]]


def _path(url: Any, *hosts: str) -> str:
    """Return the path of an address of one of these hosts; empty for any other text."""
    if not isinstance(url, str) or len(url) > _LONGEST_URL:
        return ""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return ""
    known = any(host == each or host.endswith(f".{each}") for each in hosts)
    return parts.path if known and parts.scheme in ("http", "https") else ""


def _moment(told: Any) -> datetime | None:
    """Return a time in UTC: ISO 8601, with a space or a zone or neither, or seconds since 1970."""
    try:
        if isinstance(told, str) and len(told) < 50:
            at = datetime.fromisoformat(told.removesuffix(" UTC"))
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        elif isinstance(told, int) and not isinstance(told, bool):
            at = datetime.fromtimestamp(told, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return at if is_possible_time(at) else None

"""What a platform is to the run: a description of its page, and a join of its metadata by id.

Refuses to know the browser, the persona and the model. Feeds prefetch, so the latest response is
never taken for the current video: items wait in a cache until the page shows their id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from agent.drivers.base import Hooks, Shown
from store.records import Video

Parser = Callable[[str, Any], list[Video]]
"""Turns the URL and the JSON of a response into the videos that it holds."""


@dataclass(frozen=True)
class Platform:
    """A site: where its feed is, what its page and its responses look like."""

    name: str
    hooks: Hooks
    json_from: tuple[str, ...]
    """Parts of URLs whose JSON responses hold feed items."""
    parse: Parser
    live: bool = True
    """Whether real people's videos are watched, at the speed of life."""


class Feed:
    """Items that the feed's responses brought, by id, until the page shows them."""

    def __init__(self, platform: Platform) -> None:
        self._parse = platform.parse
        self._items: dict[str, Video] = {}
        self._batches = 0
        self.position = 0
        """The position being watched, which a response is stamped with."""

    def take(self, url: str, body: Any) -> None:
        """Keep the items of one response. An item that came before keeps its first batch."""
        videos = self._parse(url, body)
        if not videos:
            return
        for video in videos:
            stamped = video.model_copy(
                update={"batch": self._batches, "batch_requested_at": self.position}
            )
            self._items.setdefault(video.id, stamped)
        self._batches += 1

    def describe(self, shown: Shown) -> Video:
        """Join what the page shows with what the responses said of that id."""
        known = self._items.get(shown.id or "")
        video = known or Video(id=shown.id or shown.key)
        update: dict[str, Any] = {"url": video.url or shown.url or None}
        sources = dict(video.sources)
        if shown.id_source:
            sources["id"] = shown.id_source
        for name in ("caption", "author"):
            if getattr(video, name) is None and shown.fields.get(name):
                update[name] = shown.fields[name]
                sources[name] = "page"
        if video.duration_s is None and shown.duration_s is not None:
            update["duration_s"] = shown.duration_s
            sources["duration_s"] = "page"
        update["ad"] = video.ad if shown.ad is None else bool(video.ad) or shown.ad
        update["live"] = video.live if shown.live is None else bool(video.live) or shown.live
        return video.model_copy(update={**update, "sources": sources})

    def recall(self, videos: Iterable[Video]) -> None:
        """Know videos as an earlier run recorded them, their batches included."""
        self._items.update((video.id, video) for video in videos)

    def resume(self, batches: int) -> None:
        """Go on counting batches where an interrupted run stopped."""
        self._batches = max(self._batches, batches)

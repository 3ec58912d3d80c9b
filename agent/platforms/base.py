"""A platform: a description of its page, and a join of its metadata by id.

Feeds prefetch, so the latest response is never taken for the current video: items wait in a cache
until the page shows their id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.drivers.base import ActiveVideo, PageHooks, SiteAnswer, WallKind
from agent.platforms import feed_items
from agent.platforms.adapter_file import BadAdapter, read_adapter
from agent.platforms.canary import FROM_RESPONSES, Expectations
from agent.platforms.feed_batches import NOTHING_SAID, BatchLog, FeedRequest
from agent.platforms.missing_fields import FieldWatch
from agent.run_config import AdapterMark
from store.runs.ledger_lines import ObservedVideo, Step, Video
from store.runs.ledger_site_lines import FeedBatch

Parser = Callable[[SiteAnswer], list[Video]]
"""Turns a response into the videos that it holds. Takes any JSON."""


SLOW_DOWN = (403, 429)


def read_refusal(answer: SiteAnswer) -> WallKind | None:
    """Which wall a response amounts to: it says to slow down, or says nothing."""
    if answer.status in SLOW_DOWN or (answer.status == 200 and answer.body is None):
        return "rate_limit"
    return "error" if answer.status >= 500 else None


@dataclass(frozen=True)
class SiteSession:
    """How a site knows its visitor."""

    login_url: str
    """Where a person signs in by hand."""
    cookies: tuple[str, ...]
    """Names of cookies; one that is there and not expired means signed in."""
    needed: bool
    """Whether the feed is not shown without."""


@dataclass(frozen=True)
class Platform:
    """A site: where its feed is, what its page and its responses look like."""

    name: str
    hooks: PageHooks
    json_from: tuple[str, ...]
    """Parts of URLs whose JSON responses hold feed items."""
    parse: Parser
    live: bool = True
    """Whether real people's videos are watched, at the speed of life."""
    own_site: bool = False
    """Whether the run serves the site itself, without a skin."""
    recorded: bool = False
    """Whether another run is watched again, which has no page."""
    from_file: bool = False
    """Whether a recording of a site is played back (``agent/recordings/``)."""
    url: str = ""
    """Address of the feed; empty where the platform is started by the run."""
    refused: Callable[[SiteAnswer], WallKind | None] = read_refusal
    """Reads a response that holds no items as a wall, or as none."""
    session: SiteSession | None = None
    about_one: tuple[str, ...] = ()
    """Parts of addresses whose answers tell of one video, wherever the feed has it: no batch."""
    batch_name: Callable[[Any], str | None] = lambda _: None
    """The site's own name of the batch that a response holds; ``None`` where it gives none."""
    order: Callable[[SiteAnswer], list[str]] | None = None
    """The ids of a response in its order, empty for what has none; ``None``: those of ``parse``."""
    request: Callable[[SiteAnswer], FeedRequest] = lambda _: NOTHING_SAID
    """Reads what the request of a response says of the visitor."""
    beside: Callable[[SiteAnswer], bool] = lambda _: False
    """Whether an answer only describes what the page puts between the feed's videos by itself, such
    as advertisements of a pool: it is no batch, and says nothing of whether the feed goes on."""
    expected: tuple[str, ...] = ("author", "caption")
    """Fields that nearly every video has; their absence in a row means a changed layout."""
    hosts: tuple[str, ...] = ()
    """The site's own hosts, subdomains included: nothing else is believed about its feed. Empty:
    the origin of the opened page only."""
    expects: Expectations = field(default_factory=Expectations)
    """What its responses usually give."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Keys of its responses that are new, and the ones that ``parse`` knows them by."""
    adapter: AdapterMark | None = None
    """The adapter file that it is described by; ``None`` where it is described in code alone."""

    def described_by(self, path: Path, *, own: bool) -> Platform:
        """Return the platform as an adapter file describes it; ``own``: one that a user gave.

        Raises
        ------
        BadAdapter
            The file cannot be used, or describes another site.
        """
        adapter, mark = read_adapter(path)
        if adapter.platform != self.name:
            raise BadAdapter(path, f"It describes {adapter.platform}, not {self.name}.")
        feed, session = adapter.feed, None
        if (known := adapter.session) is not None:
            session = SiteSession(known.login_url, known.cookies, needed=known.needed)
        return replace(
            self,
            hooks=adapter.hooks(),
            json_from=feed.json_from,
            url=feed.url,
            about_one=feed.about_one,
            hosts=feed.hosts,
            renamed=feed.renamed,
            session=session,
            expects=adapter.expectations(),
            adapter=mark.model_copy(update={"own": own, "file": path if own else None}),
        )

    def marked_by(self, path: Path) -> Platform:
        """Return the platform with a user's adapter file, which describes what it plays back.

        Raises
        ------
        BadAdapter
            The file cannot be used.
        """
        _, mark = read_adapter(path)
        return replace(self, adapter=mark.model_copy(update={"own": True, "file": path}))


def described_in_package(platform: Platform) -> Platform:
    """Return a platform as the adapter file beside this module describes it."""
    return platform.described_by(Path(__file__).with_name(f"{platform.name}.toml"), own=False)


class Feed:
    """Items that the feed's responses brought, by id, until the page shows them.

    ``watch`` counts missing fields and unknown ids; not so for a driver that can know none.
    """

    def __init__(self, platform: Platform, *, watch: bool = True) -> None:
        self._platform = platform
        self.watch = FieldWatch(
            platform.expected,
            platform.expects,
            platform.hooks,
            answers=bool(platform.json_from),
        )
        """What is watched of each video; where a driver can know none of it, nothing is."""
        self.watches = watch
        self._items: dict[str, Video] = {}
        self._batches = BatchLog()
        self.refusal: WallKind | None = None
        """What the last response amounts to, if it was refused; a good one clears it."""
        self.refused_at: tuple[int, str] | None = None
        """Position and address of that response."""
        self._next_position = 0

    @property
    def position(self) -> int:
        """The latest position that is reacted to, which a request is stamped with."""
        return self._batches.position

    @position.setter
    def position(self, position: int) -> None:
        self._batches.watch_position(position)
        self._next_position = position + 1

    @property
    def next_position(self) -> int:
        """The position of the video that is described next: one after what is reacted to."""
        return self._next_position

    def open_page(self, position: int) -> None:
        self._batches.open_page(position)
        self._next_position = position

    def record_batches(self, on_batch: Callable[[FeedBatch], None]) -> None:
        """Tell of each batch from now on, so that a resumed run knows it again."""
        self._batches.on_batch = on_batch

    def take(self, answer: SiteAnswer) -> None:
        """Keep the items of one response; a later one fills gaps, and overwrites nothing."""
        if self._platform.renamed:
            body = feed_items.rename_keys(answer.body, self._platform.renamed)
            answer = replace(answer, body=body)
        videos = self._platform.parse(answer) if answer.status < 400 else []
        if not videos:
            kind = self._platform.refused(answer)
            if kind is not None and not answer.url.startswith("inline:"):
                self.refusal, self.refused_at = kind, (self.position, answer.url.split("?")[0])
            return
        beside = self._platform.beside(answer)
        if not beside:
            self.refusal = self.refused_at = None
        for video in videos:
            known = self._items.get(video.id)
            self._items[video.id] = video if known is None else _filled(known, video)
        if not beside and not any(part in answer.url for part in self._platform.about_one):
            order = self._platform.order
            self._batches.add(
                order(answer) if order else [video.id for video in videos],
                self._platform.batch_name(answer.body),
                answer.requested_s,
                self._platform.request(answer),
            )

    def describe(self, shown: ActiveVideo) -> Video:
        """Join the page and the responses by id; ``LayoutChanged`` where fields go missing."""
        known = self._items.get(shown.id or "")
        video = known or Video(id=shown.id or shown.key)
        update: dict[str, Any] = {"url": video.url or shown.url or None}
        if (batch := self._batches.take(video.id)) is not None:
            update |= {"batch": batch.number, "batch_requested_at": batch.requested_at}
        sources = dict(video.sources)
        if shown.id_source:
            sources["id"] = shown.id_source
        if video.url is None:
            sources["url"] = "url"
        for name in ("caption", "author"):
            if getattr(video, name) is None and shown.fields.get(name):
                update[name] = shown.fields[name]
                sources[name] = "page"
        if video.duration_s is None and shown.duration_s is not None:
            update["duration_s"] = shown.duration_s
            sources["duration_s"] = "page"
        if video.photos is None and shown.pictures:
            update["photos"] = shown.pictures
            sources["photos"] = "page"
        update["ad"] = video.ad if shown.ad is None else bool(video.ad) or shown.ad
        update["live"] = video.live if shown.live is None else bool(video.live) or shown.live
        described = video.model_copy(update={**update, "sources": sources})
        if self.watches:
            self.watch.take(shown, described, self.next_position)
        return described

    def replay(self, steps: Iterable[Step], position: int) -> None:
        """Know videos as an earlier run recorded them; its batches come again from a position."""
        steps = list(steps)
        self._items.update((step.video.id, step.video) for step in steps)
        self._batches.replay(steps[position:])

    def resume(self, batches: Sequence[FeedBatch], steps: Sequence[ObservedVideo]) -> None:
        """Know what an interrupted run knew: its videos, its batches, and where it stopped."""
        for step in steps:
            self._items.setdefault(step.video.id, _as_answered(step.video))
        self._batches.resume(batches, steps)


def _as_answered(video: Video) -> Video:
    """What the feed's responses said of a video, without what was read off the page."""
    names = {name for name, source in video.sources.items() if source in FROM_RESPONSES}
    fields = {name: getattr(video, name) for name in names if name in Video.model_fields}
    return Video(
        **{**fields, "id": video.id}, sources={name: video.sources[name] for name in names}
    )


def _filled(known: Video, more: Video) -> Video:
    """Fill gaps from another answer on the same id. An ad or live in either is one."""
    gaps = {
        name: getattr(more, name)
        for name in more.sources
        if getattr(known, name) in (None, ())
        or (name in ("ad", "live") and getattr(more, name) and not getattr(known, name))
    }
    sources = {name: more.sources[name] for name in gaps}
    return known.model_copy(update={**gaps, "sources": {**known.sources, **sources}})

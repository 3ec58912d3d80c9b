"""Records a site: walks a few videos, and keeps what it said and showed, redacted.

All is redacted in memory; nothing else than the finished recording is ever written.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from agent.doctor.feed_walk import walk_feed
from agent.drivers.base import ActiveVideo
from agent.errors import RunFault, WallShown
from agent.platforms.base import Platform
from agent.provenance import provenance
from agent.recordings.page_redaction import PageRedaction
from agent.recordings.recording_file import (
    Ending,
    InlineData,
    Line,
    RecordedAnswer,
    RecordingHeader,
    Scene,
)
from agent.recordings.session_redaction import Redaction
from agent.run.environment import OpenedFeed, RunBrowser, open_feed
from agent.run_config import RunConfig
from store.runs.ledger_lines import Video

if TYPE_CHECKING:
    from agent.drivers.web.recording_driver import (
        HeardAnswer,
        InlineText,
        PageView,
        RecordingDriver,
    )
    from agent.run.pacing import SlowHands

WATCH_S = 3.0
_Heard = TypeVar("_Heard")


@dataclass
class RecordedWalk:
    """What a walk left: the redacted lines of a recording, and what ended it early."""

    lines: list[Line] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Classes of the faults; their words may hold ids."""

    left_out: int = 0
    """Responses that the format cannot hold, such as one at an address too long."""

    @property
    def scenes(self) -> list[Scene]:
        return [line for line in self.lines if isinstance(line, Scene)]


async def record_site(
    config: RunConfig,
    run_browser: RunBrowser,
    videos: int,
    hands: SlowHands,
    tell: Callable[[int], None],
) -> RecordedWalk:
    """Open a site and record so many videos. A fault ends the walk only."""
    async with AsyncExitStack() as stack:
        browser = replace(run_browser, recorded=True)
        opened = await open_feed(config, browser, "record", 0, stack)
        return await record_feed(opened, config.locale, videos, hands, tell)


async def record_feed(
    opened: OpenedFeed,
    locale: str,
    videos: int,
    hands: SlowHands,
    tell: Callable[[int], None],
) -> RecordedWalk:
    """Walk so many videos of a feed, opened for a recording; return what may be written."""
    from agent.drivers.web.recording_driver import RecordingDriver

    described: dict[int, dict[str, Any]] = {}
    walk = RecordedWalk()
    driver = opened.driver
    assert isinstance(driver, RecordingDriver)

    async def see(shown: ActiveVideo, video: Video) -> None:
        view = await driver.see_page()
        described[id(view)] = describe_video(shown, video)
        tell(len(described))
        view.leave()

    stood = False
    try:
        await walk_feed(opened, videos, hands, WATCH_S, see)
    except RunFault as fault:
        walk.faults.append(type(fault).__name__)
        stood = isinstance(fault, WallShown)
    except asyncio.CancelledError:  # what was seen so far is kept
        walk.faults.append("Interrupted")
    session = _Session(driver, opened.platform, described, stands=stood)
    walk.lines += [_header(opened, locale), *session.lines(opened.url)]
    walk.left_out = session.left_out
    return walk


def describe_video(shown: ActiveVideo, video: Video) -> dict[str, Any]:
    """Return what a recording tells of a video, by the names of the ledger's fields."""
    told = video.model_dump() | {"id": shown.id or ""}
    return told | {"shown": shown.shown, "has_video": shown.has_video, "moved": shown.moved}


def _header(opened: OpenedFeed, locale: str) -> RecordingHeader:
    from agent.drivers.web.page_events import read_origin

    return RecordingHeader(
        platform=opened.platform.name,
        url=opened.platform.url,
        recorded_on=datetime.now(UTC).date(),
        of_skin=read_origin(opened.url) != read_origin(opened.platform.url),
        signed_in=opened.signed_in,
        viewport=opened.driver.viewport,
        locale=locale,
        browser=opened.driver.browser,
        code_version=provenance().code_version,
    )


@dataclass
class _Session:
    """Makes lines of what a driver heard and saw."""

    driver: RecordingDriver
    platform: Platform
    described: dict[int, dict[str, Any]]
    stands: bool
    """Whether the last wall is what the walk ended at."""
    left_out: int = 0

    def lines(self, opened_url: str) -> Iterator[Line]:
        from agent.drivers.web.page_events import read_origin
        from agent.drivers.web.recording_driver import PageView

        self._redaction = Redaction({read_origin(opened_url): read_origin(self.platform.url)})
        self._learn()
        self._pages = PageRedaction(self._redaction)
        self._documents: dict[str, int] = {}
        self._views = [one for one in self.driver.heard if isinstance(one, PageView)]
        for held in self.driver.inline:
            yield from self._fitting(self._inline, held)
        answers = 0
        for one in self.driver.heard:
            if isinstance(one, PageView):
                yield self._scene(one)
            else:
                early = answers < self.driver.early
                yield from self._fitting(partial(self._answer, early=early), one)
                answers += 1

    def _fitting(self, make: Callable[[_Heard], Line], heard: _Heard) -> Iterator[Line]:
        """Leave out what the format cannot hold, so that the rest of the walk is kept."""
        try:
            yield make(heard)
        except ValidationError:  # its words may hold what was to be redacted
            self.left_out += 1

    def _inline(self, held: InlineText) -> InlineData:
        return InlineData(
            name=held.name,
            attributes=self._redaction.attributes(held.attributes),
            body=self._redaction.body(held.body),
        )

    def _learn(self) -> None:
        """Know all names and captions first: a page may show one before its response comes."""
        from agent.drivers.web.recording_driver import HeardAnswer

        for held in self.driver.inline:
            self._redaction.learn(held.body)
        for described in self.described.values():
            self._redaction.learn(described)
        for one in self.driver.heard:
            if isinstance(one, HeardAnswer):
                self._redaction.learn(one.answer.body)

    def _answer(self, heard: HeardAnswer, *, early: bool) -> RecordedAnswer:
        answer = heard.answer
        at = bisect_right([view.seen_at for view in self._views], heard.asked_s) - 1
        return RecordedAnswer(
            url=self._redaction.address(answer.url),
            request=self._redaction.request(answer.request),
            status=answer.status,
            body=self._redaction.body(answer.body),
            asked_at=at,
            reacting=at >= 0 and heard.asked_s >= self._views[at].left_at,
            early=early and at < 0,
        )

    def _scene(self, view: PageView) -> Scene:
        known = self.described.get(id(view))
        return Scene(
            address=self._redaction.address(view.address) or self.platform.url,
            document=self._documents.setdefault(view.document, len(self._documents)),
            nodes=self._pages.nodes(view.nodes),
            wall=view.wall,
            ending=None if view.wall is None else self._ending(view),
            described=None if known is None else self._redaction.video(known),
        )

    def _ending(self, view: PageView) -> Ending:
        if view.declined:
            return "declined"
        return "stood" if self.stands and view is self._views[-1] else "gone"

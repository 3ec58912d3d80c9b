"""What a site has counted of a visitor, held against a ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Protocol

from store.privacy.redaction import STAND_IN
from store.runs.ledger_lines import Step
from store.runs.ledger_site_lines import SiteCheck

STILL_ON = (None, "pagehide")
"""Ends of a view after which the visitor has not moved on."""
REPORT_S = 5.0
"""How long the last report may be on its way."""
POLL_S = 0.05
ALLOWED_S = 0.3
"""Seconds of video by which a dwell may differ: one animation frame at the highest speed."""


@dataclass(frozen=True)
class WatchedPlace:
    """One place of a visitor's feed that was watched."""

    index: int
    id: str
    watched_s: float
    """Seconds of video, over all views of the place."""
    liked: bool
    ended_by: str | None
    """How its latest view ended; ``None`` while it goes on."""


@dataclass(frozen=True)
class SiteRecord:
    """What a site knows of one visitor, by place of its feed."""

    places: tuple[WatchedPlace, ...] = ()

    @property
    def current(self) -> WatchedPlace | None:
        """The place that the visitor has not moved on from."""
        last = self.places[-1] if self.places else None
        return last if last is not None and last.ended_by in STILL_ON else None

    def after(self, previous: str | None, video_id: str) -> SiteRecord:
        """Return the places after that of the step before; ``previous`` is that step's video.

        A step may show a video again whose earlier showings tell nothing of it. What the site
        never heard of is not there, though the visitor has seen it.
        """
        ids = [place.id for place in self.places]
        known = [number for number, one in enumerate(ids) if one == previous]
        if not known:  # one move at most came after the step
            return SiteRecord(self.places[-2:])
        twice = previous == video_id and ids[known[-1] - 1 : known[-1]] == [video_id]
        return SiteRecord(self.places[known[-1] + (not twice) :])

    def latest(self, video_id: str) -> WatchedPlace | None:
        return next((one for one in reversed(self.places) if one.id == video_id), None)

    def was_left(self, video_id: str) -> bool:
        """Whether the visitor has moved on from the latest showing of a video."""
        place = self.latest(video_id)
        return place is not None and place != self.current


class Witness(Protocol):
    """A site that tells what it has counted."""

    async def record(self) -> SiteRecord: ...


@dataclass
class _Visit:
    """One place of the feed, and the steps that were made there."""

    place: WatchedPlace
    steps: list[Step] = field(default_factory=list)


async def check_run(
    witness: Witness, steps: Sequence[Step], now: Callable[[], datetime]
) -> SiteCheck:
    """Hold a run's steps against the site, once it heard how the last one ended."""
    until = monotonic() + REPORT_S
    while True:
        record = await witness.record()
        last = record.latest(steps[-1].video.id) if steps else None
        heard = not steps or (last is not None and last.ended_by is not None)
        if heard or monotonic() > until:
            return compare_steps(steps, record, now())
        await asyncio.sleep(POLL_S)  # its report is on the way


def compare_steps(steps: Sequence[Step], record: SiteRecord, at: datetime) -> SiteCheck:
    """Hold a run's steps against the site, from their ends back: earlier runs lie before."""
    visits, unrecorded, unreported = _align(steps, record)
    gaps: dict[int, float] = {}
    likes: list[int] = []
    for visit in visits:
        dwells = [step.reaction.dwell_s for step in visit.steps]
        known = [dwell for dwell in dwells if dwell is not None]
        position = visit.steps[-1].position
        if len(known) == len(dwells):
            gaps[position] = abs(sum(known) - visit.place.watched_s)
        step_likes = [step.reaction.liked for step in visit.steps]
        if visit.place.liked != any(step_likes) and (any(step_likes) or None not in step_likes):
            likes.append(position)
    return SiteCheck(
        at=at,
        position=steps[-1].position + 1 if steps else 0,
        compared=sum(len(visit.steps) for visit in visits),
        furthest_s=round(max(gaps.values()), 3) if gaps else None,
        dwells=tuple(sorted(where for where, gap in gaps.items() if gap > ALLOWED_S)),
        likes=tuple(sorted(likes)),
        unrecorded=tuple(sorted(unrecorded)),
        unreported=tuple(sorted(unreported)),
    )


def _align(steps: Sequence[Step], record: SiteRecord) -> tuple[list[_Visit], list[int], list[int]]:
    """Find the place of each step. Places and steps without a partner are told apart."""
    visits: list[_Visit] = []
    unrecorded: list[int] = []
    unreported: list[int] = []
    places = list(record.places)
    if record.current is not None and (not steps or places[-1].id != steps[-1].video.id):
        places.pop()  # the video that the run was left on
    for step in reversed(steps):
        again = visits and visits[-1].steps[0].video.id == step.video.id
        if again and (not places or places[-1].id != visits[-1].place.id):
            visits[-1].steps.insert(0, step)  # shown once more in the same place
            continue
        forgotten = step.video.id.startswith(STAND_IN)
        card = places and bool(step.video.live) and "id" not in step.video.sources
        found = (n for n in reversed(range(len(places))) if places[n].id == step.video.id)
        # a live card may have no id, and what was forgotten has another
        where = len(places) - 1 if card or (forgotten and places) else next(found, None)
        if where is None:
            unreported.append(step.position)
            continue
        unrecorded += [one.index for one in places[where + 1 :]]
        visits.append(_Visit(places[where], [step]))
        del places[where:]
    return visits, unrecorded, unreported

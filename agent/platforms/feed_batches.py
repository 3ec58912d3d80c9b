"""Which batch of the feed brought a video, and what the site knew by then.

A batch is the site's own where the site names it; else each response that brings something new is
one. A page that is opened anew asks anew, so what an earlier page had ready counts only where the
site names it again.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from time import perf_counter

from store.runs.ledger_lines import ObservedVideo, Step
from store.runs.ledger_site_lines import FeedBatch, id_digest

_TURNS = 256
"""Positions whose beginnings are remembered: a request is never answered later than that."""


@dataclass(frozen=True)
class FeedRequest:
    """What a request of the feed says of its visitor. ``None``: it does not say."""

    seen: int | frozenset[str] | None = None
    """How many videos the site has counted so far, or names of some that it has."""
    personalised: bool | None = None
    signed_in: bool | None = None
    region: str | None = None


NOTHING_SAID = FeedRequest()


class BatchLog:
    """Numbers a run's batches and tells which of them brought a video."""

    def __init__(self) -> None:
        self.on_batch: Callable[[FeedBatch], None] | None = None
        """Told of each new batch, for the ledger."""
        self._next = 0
        self._latest = -1
        self._named: dict[str, FeedBatch] = {}
        self._waiting: dict[str, list[FeedBatch]] = {}
        self._recorded: dict[str, list[FeedBatch]] = {}
        self._brought: dict[str, FeedBatch] = {}
        self._turns: deque[tuple[float, int]] = deque([(float("-inf"), 0)], _TURNS)
        self._reached = 0
        self._page = -1
        self._seen: set[str] = set()

    @property
    def position(self) -> int:
        return self._turns[-1][1]

    def watch_position(self, position: int) -> None:
        """This position is reacted to from now on: the site may learn of it."""
        self._turns.append((perf_counter(), position))
        self._reached = position

    def open_page(self, position: int) -> None:
        """A page is opened at this position. What it asks for knows the ones before."""
        self.watch_position(max(0, position - 1))
        self._reached = position
        self._page += 1
        self._seen.clear()
        self._waiting.clear()

    def resume(self, batches: Sequence[FeedBatch], steps: Sequence[ObservedVideo]) -> None:
        shown = [step.video.batch for step in steps if step.video.batch is not None]
        self._next = max([self._next, *(b.number + 1 for b in batches), *(n + 1 for n in shown)])
        self._latest = max(shown, default=-1)
        self._page = max([self._page, *(b.page for b in batches if b.page is not None)])
        self._named.update((batch.name, batch) for batch in batches if batch.name is not None)

    def replay(self, steps: Iterable[Step]) -> None:
        """Hand out the batches of recorded steps again, one step after the other."""
        for step in steps:
            video = step.video
            if video.batch is not None:
                batch = FeedBatch(
                    number=video.batch,
                    requested_at=video.batch_requested_at,
                    position=step.position,
                )
                self._recorded.setdefault(video.id, []).append(batch)

    def add(
        self,
        ids: Sequence[str],
        name: str | None,
        requested_s: float | None,
        request: FeedRequest = NOTHING_SAID,
    ) -> None:
        """Take the videos that one response has, in its order; one without an id is empty.

        Under the site's own ``name`` each is one place of the feed; without one, a video that waits
        to be shown is not counted again. ``requested_s``: as of ``perf_counter``; ``None``: now.
        """
        if name is not None:
            batch = self._named.get(name) or self._new(name, requested_s)
            for video, places in Counter(filter(None, ids)).items():
                waiting = self._waiting.setdefault(video, [])
                waiting += [batch] * (places - waiting.count(batch))
            return
        fresh = {video for video in ids if video and not self._waiting.get(video)}
        if fresh:
            batch = self._new(None, requested_s, _listed(ids, fresh), request)
            self._waiting.update((video, [batch]) for video in fresh)

    def _count(self, request: FeedRequest) -> int | None:
        """Return the site's count; names that it gives are added up as long as a page is open."""
        if not isinstance(request.seen, frozenset):
            return request.seen
        self._seen |= request.seen
        return len(self._seen)

    def take(self, video: str) -> FeedBatch | None:
        """Return the batch that brought a video that is shown now; ``None`` where none did."""
        waiting = self._waiting.get(video) or self._recorded.get(video)
        if not waiting:
            return self._brought.get(video)
        # they are shown in order: one that lies behind is of a video that was never shown
        place = next((i for i, batch in enumerate(waiting) if batch.number >= self._latest), 0)
        batch = waiting[place]
        del waiting[: place + 1]
        self._latest = max(self._latest, batch.number)
        self._brought[video] = batch
        return batch

    def _new(
        self,
        name: str | None,
        requested_s: float | None,
        order: tuple[str, ...] = (),
        request: FeedRequest = NOTHING_SAID,
    ) -> FeedBatch:
        batch = FeedBatch(
            number=self._next,
            requested_at=self._position_at(requested_s),
            name=name,
            position=self._reached,
            order=order,
            page=self._page if self._page >= 0 else None,
            site_count=self._count(request),
            personalised=request.personalised,
            signed_in=request.signed_in,
            region=request.region,
        )
        self._next += 1
        if name is not None:
            self._named[name] = batch
        if self.on_batch is not None:
            self.on_batch(batch)
        return batch

    def _position_at(self, asked_s: float | None) -> int:
        if asked_s is None:
            return self.position
        known = [position for since, position in self._turns if since <= asked_s]
        return known[-1] if known else self._turns[0][1]


def _listed(ids: Sequence[str], fresh: Set[str]) -> tuple[str, ...]:
    """Return the digests of a response's new videos in its order, and of those without an id."""
    once = [video for place, video in enumerate(ids) if not video or video not in ids[:place]]
    return tuple(id_digest(video) if video else "" for video in once if not video or video in fresh)

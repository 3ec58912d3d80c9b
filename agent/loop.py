"""The run loop: look, judge, react, confirm, record; one browser page per run.

Refuses to know which site, browser, model or folder it works with: it sees protocols and receives
instances. Nothing here sleeps: every wait is for an event, with a limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Protocol

from agent.config import RunConfig
from agent.drivers.base import Arrival, Driver, Shown
from agent.errors import DriverFault, PageError, RunFault
from agent.platforms.base import Feed
from agent.reactions import Plan, plan
from store.records import (
    Exclusion,
    Frame,
    Judgement,
    Move,
    Phase,
    Reaction,
    Step,
    Video,
    text_of,
)

MAX_FAULTS_IN_A_ROW = 5
NOT_ASKED = Judgement(answer=None, missing="not_asked", attempts=0)


class Judge(Protocol):
    """Answers about one video; a reply that cannot be had is a missing answer, not an error."""

    async def judge(self, frames: tuple[bytes, ...], caption: str | None) -> Judgement:
        """Judge the frames."""
        ...


class Recorder(Protocol):
    """Keeps what happened, durably and in order."""

    async def look(self, jpeg: bytes, time_s: float, retakes: int) -> Frame:
        """Describe a picture without keeping it yet."""
        ...

    async def keep(self, jpeg: bytes) -> None:
        """Keep the picture durably."""
        ...

    async def step(self, step: Step, jpeg: bytes) -> None:
        """Append the step, after the frames that it names."""
        ...

    async def fault(self, fault: RunFault, position: int, *, recovered: bool) -> None:
        """Append a fault."""
        ...


class Schedule(Protocol):
    """The reactions of a yoked run."""

    def take(self, otherwise: Plan) -> Plan:
        """Return the reaction for the next eligible step of the active block."""
        ...


class Watcher(Protocol):
    """Someone who looks on: a progress display, a log."""

    def judged(self, video: Video, judgement: Judgement) -> None:
        """A video was judged; it is being watched now."""
        ...

    def stepped(self, step: Step) -> None:
        """A step was recorded."""
        ...

    def faulted(self, fault: RunFault, *, recovered: bool) -> None:
        """Something went wrong."""
        ...


@dataclass
class Progress:
    """Where the run stands; rebuilt from the ledger on resume."""

    position: int = 0
    eligible: int = 0
    seen: set[str] = field(default_factory=set)

    def count(self, step: Step) -> None:
        """Take one recorded step into account."""
        self.position = step.position + 1
        self.eligible += step.eligible
        self.seen.add(step.video.id)


@dataclass(frozen=True)
class Parts:
    """What the loop works with."""

    driver: Driver
    feed: Feed
    judge: Judge
    recorder: Recorder
    watcher: Watcher
    now: Callable[[], datetime]
    schedule: Schedule | None = None
    """What a yoked run does, whatever the judge says."""


@dataclass
class _Look:
    """One video as it was looked at and judged, before the reaction."""

    video: Video
    phase: Phase
    excluded: Exclusion | None
    jpeg: bytes
    frame: Frame
    judgement: Judgement
    timings: dict[str, float]


class RunLoop:
    """Watches until every window is full."""

    def __init__(self, config: RunConfig, parts: Parts, progress: Progress, url: str) -> None:
        self._config = config
        self._parts = parts
        self._at = progress
        self._url = url
        self._pending: asyncio.Task[None] | None = None
        self._faults = 0

    async def run(self) -> None:
        """Watch to the end, restarting the browser after a fault of it."""
        shown: Shown | None = None
        try:
            while self._at.eligible < self._config.windows.total:
                try:
                    shown = await self._step(shown or await self._parts.driver.open(self._url))
                except DriverFault as fault:
                    await self._recover(fault)
                    shown = None
        finally:
            await self._settle()

    async def _recover(self, fault: DriverFault) -> None:
        """Have the browser opened again, unless it failed too often in a row."""
        await self._settle()
        self._faults += 1
        if self._faults >= MAX_FAULTS_IN_A_ROW:
            raise fault
        self._parts.watcher.faulted(fault, recovered=True)
        await self._parts.recorder.fault(fault, self._at.position, recovered=True)
        await self._parts.driver.close()

    async def _settle(self) -> None:
        """Wait until the last step is on the disk."""
        pending, self._pending = self._pending, None
        if pending is not None:
            await asyncio.shield(pending)

    async def _step(self, shown: Shown) -> Shown | None:
        """Take one step; return the next video, or ``None`` where this was the last one."""
        started = perf_counter()
        look = await self._look(shown)
        timings = look.timings
        decided = self._decide(look)
        self._parts.watcher.judged(look.video, look.judgement)
        thought_s = perf_counter() - started
        played_s = 0.0 if shown.held else thought_s * self._config.speed
        watching = perf_counter()
        liked = decided.like and await self._parts.driver.like()
        dwell_s = await self._parts.driver.watch(shown, decided.dwell_s)
        timings["dwell"] = _ms(watching)
        last = self._at.eligible + (look.excluded is None) >= self._config.windows.total
        arrival: Arrival | None = None
        try:
            if not last:
                arrival = await self._move(shown, timings)
                dwell_s = arrival.left_dwell_s
        finally:  # what was watched is recorded, also where the feed could not be moved on
            timings["total"] = _ms(started)
            not_ours = sum(timings.get(name, 0.0) for name in ("judge", "dwell", "animation"))
            timings["overhead"] = timings["total"] - not_ours
            reaction = Reaction(
                action=decided.action, liked=liked, dwell_asked_s=decided.dwell_s,
                dwell_s=dwell_s, exposure_s=shown.exposure_s + played_s,
                held_s=thought_s if shown.held else 0.0,
            )  # fmt: skip
            await self._record(look, reaction, arrival)
        return arrival.shown if arrival else None

    def _decide(self, look: _Look) -> Plan:
        decided = plan(self._config, look.phase, look.judgement, look.excluded)
        scheduled = self._parts.schedule
        passive = self._config.windows.baseline == "passive" and look.phase == "before"
        if scheduled is None or passive or look.excluded is not None:
            return decided
        return scheduled.take(decided)

    # Look and judge

    async def _look(self, shown: Shown) -> _Look:
        self._parts.feed.position = self._at.position
        video = self._parts.feed.describe(shown)
        excluded = _excluded(video, shown, self._at.seen)
        phase = self._config.windows.phase(self._at.eligible)
        timings: dict[str, float] = {}
        jpeg, frame = await self._picture(shown, timings)
        keeping = asyncio.create_task(self._parts.recorder.keep(jpeg))
        judging = perf_counter()
        judgement = NOT_ASKED
        try:
            if excluded is None:
                judgement = await self._parts.judge.judge((jpeg,), text_of(video))
            timings["judge"] = _ms(judging)
        finally:
            waiting = perf_counter()
            await keeping  # a frame is on the disk before any line names it
            timings["write"] = _ms(waiting)
        return _Look(video, phase, excluded, jpeg, frame, judgement, timings)

    async def _picture(self, shown: Shown, timings: dict[str, float]) -> tuple[bytes, Frame]:
        """Take the frame; a blank one is taken again once, then recorded as what it is."""
        started = perf_counter()
        capture = await self._parts.driver.capture(shown)
        timings["capture"] = _ms(started)
        describing = perf_counter()
        frame = await self._parts.recorder.look(capture.jpeg, capture.time_s, capture.retakes)
        if frame.quality != "ok":
            capture = await self._parts.driver.capture(shown)
            frame = await self._parts.recorder.look(
                capture.jpeg, capture.time_s, capture.retakes + 1
            )
        timings["describe"] = _ms(describing)
        return capture.jpeg, frame

    # Confirm and record

    async def _move(self, shown: Shown, timings: dict[str, float]) -> Arrival:
        """Move on. The former step's record, which was written meanwhile, is on the disk first."""
        waiting = perf_counter()
        await self._settle()
        timings["settle"] = _ms(waiting)
        started = perf_counter()
        arrival = await self._parts.driver.next(shown)
        timings["animation"] = arrival.shown.animation_ms
        timings["move"] = _ms(started) - arrival.shown.animation_ms
        self._faults = 0
        return arrival

    async def _record(self, look: _Look, reaction: Reaction, arrival: Arrival | None) -> None:
        step = Step(
            position=self._at.position, at=self._parts.now(), phase=look.phase, video=look.video,
            frames=(look.frame,), excluded=look.excluded, judgement=look.judgement,
            reaction=reaction, move=_move_record(arrival),
            timings_ms={name: round(value, 2) for name, value in look.timings.items()},
        )  # fmt: skip
        await self._settle()  # one line after the other, also where nothing was waited for since
        self._at.count(step)
        self._pending = asyncio.create_task(self._write(step, look.jpeg))
        self._parts.watcher.stepped(step)

    async def _write(self, step: Step, jpeg: bytes) -> None:
        """Append the step, and what the page reported by itself meanwhile."""
        await self._parts.recorder.step(step, jpeg)
        for event in self._parts.driver.events():
            fault = PageError(event.message, kind=event.kind)
            await self._parts.recorder.fault(fault, step.position, recovered=True)


def _excluded(video: Video, shown: Shown, seen: set[str]) -> Exclusion | None:
    """Why a video does not count, if it does not."""
    if video.ad:
        return "ad"
    if video.live:
        return "live"
    if not shown.shown:
        return "not_shown"
    return "repeat" if video.id in seen else None


def _move_record(arrival: Arrival | None) -> Move | None:
    if arrival is None:
        return None
    return Move(action=arrival.action, attempts=arrival.attempts, moved=arrival.shown.moved)


def _ms(since: float) -> float:
    return (perf_counter() - since) * 1000

"""The run loop: look, judge, react, confirm, record; one browser page per run.

Refuses to know which site, browser, model or folder it works with: it sees protocols and receives
instances. Nothing here sleeps: every wait is for an event, with a limit.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter

from agent.config import RunConfig
from agent.drivers.base import Arrival, Shown
from agent.drivers.walls import fault_of
from agent.errors import (
    ActionNotConfirmed,
    DriverFault,
    FeedEmpty,
    FeedIneligible,
    PageError,
    PageStuck,
    PlatformFault,
    WallShown,
)
from agent.looking import Pictures, sheet, take
from agent.reactions import Plan, plan
from agent.run.parts import Parts, Progress
from store.records import (
    Exclusion,
    Judgement,
    Move,
    Phase,
    Reaction,
    Repeat,
    Step,
    Video,
    text_of,
)

MAX_FAULTS_IN_A_ROW = 5
FEED_STANDS = (FeedEmpty, ActionNotConfirmed, PageStuck)
"""How a feed that does not go on shows; a refused response is what it then comes from."""
NOT_OURS = ("judge", "dwell", "exposure", "animation", "pace")
"""Stages of a step that take as long as the model, the plan or the site wants."""
NOT_ASKED = Judgement(answer=None, missing="not_asked", attempts=0)


@dataclass
class _Look:
    """One video as it was looked at and judged, before the reaction."""

    video: Video
    phase: Phase
    excluded: Exclusion | None
    repeat: Repeat | None
    pictures: Pictures
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
        self._since_opened = 0
        self._excluded_in_a_row = 0

    async def run(self) -> None:
        """Watch to the end, restarting the browser after a fault of it."""
        shown: Shown | None = None
        try:
            while self._at.eligible < self._config.windows.total:
                try:
                    shown = await self._step(shown or await self._open())
                    self._check_feed()
                except (DriverFault, PlatformFault) as fault:
                    await self._meet(fault)
                    shown = None
        finally:
            await self._settle()

    def _check_feed(self) -> None:
        """End with a feed that goes on and on with what does not count."""
        if self._excluded_in_a_row >= self._config.max_excluded:
            raise FeedIneligible(self._excluded_in_a_row)

    async def _open(self) -> Shown:
        """Open the feed, in a new browser where the old one has shown enough videos."""
        self._since_opened = 0
        self._parts.feed.open_page(self._at.position)
        await self._paced()
        return await self._parts.driver.open(self._url)

    def _refusal(self) -> WallShown | None:
        """What the site's server has said, where its feed then does not go on."""
        feed = self._parts.feed
        if feed.refusal is None or feed.refused_at is None:
            return None
        kind, (_, address) = feed.refusal, feed.refused_at
        feed.refusal = feed.refused_at = None
        return fault_of(kind, address, f"the answer of {address}")

    async def _meet(self, fault: DriverFault | PlatformFault) -> None:
        """Wait at a wall, recover from a fault of the browser, end with any other."""
        await self._settle()
        if isinstance(fault, FEED_STANDS):
            fault = self._refusal() or fault
        if isinstance(fault, WallShown):
            await self._wait_at(fault)
        elif isinstance(fault, DriverFault):
            await self._recover(fault)
        else:
            raise fault

    async def _recover(self, fault: DriverFault) -> None:
        """Have the browser opened again, unless it failed too often in a row."""
        self._faults += 1
        if self._faults >= MAX_FAULTS_IN_A_ROW:
            raise fault
        if self._parts.pacer is not None:
            self._parts.pacer.erred()
        self._parts.watcher.faulted(fault, recovered=True)
        await self._parts.recorder.fault(fault, self._at.position, recovered=True)
        await self._parts.driver.close()

    async def _wait_at(self, wall: WallShown) -> None:
        """Wait until a person has answered the wall, or let it end the run."""
        name = f"{self._at.position:06}-{type(wall).__name__}.png"
        with suppress(DriverFault):  # a page that is gone has no picture
            png = await self._parts.driver.picture()
            wall.details["picture"] = await self._parts.recorder.photograph(png, name)
        if not self._parts.patient:
            raise wall
        if self._parts.pacer is not None:
            self._parts.pacer.erred()
        self._parts.watcher.waiting(wall)
        await self._parts.recorder.fault(wall, self._at.position, recovered=True)
        await self._parts.driver.until_clear()

    async def _paced(self) -> None:
        if self._parts.pacer is not None:
            await self._parts.pacer.before_action()

    async def _settle(self) -> None:
        """Wait until the last step is on the disk."""
        pending, self._pending = self._pending, None
        if pending is not None:
            await asyncio.shield(pending)

    async def _step(self, shown: Shown) -> Shown | None:
        """Take one step; return the next video, or ``None`` where this was the last one."""
        started = perf_counter()
        look = await self._look(shown)
        shown, timings = look.pictures.shown, look.timings
        decided = self._decide(look)
        self._parts.watcher.judged(look.video, look.judgement)
        thought_s = perf_counter() - started
        played_s = 0.0 if shown.held else thought_s * self._config.speed
        watching = perf_counter()
        liked = decided.like and await self._parts.driver.like()
        dwell_s = await self._parts.driver.watch(shown, decided.dwell_s)
        timings["dwell"] = _ms(watching)
        last = self._at.eligible + (look.excluded is None) >= self._config.windows.total
        self._since_opened += 1
        renew = 0 < self._parts.renew_after <= self._since_opened
        arrival: Arrival | None = None
        try:
            if not last and not renew:
                arrival = await self._move(shown, timings)
                dwell_s = arrival.left_dwell_s
        finally:  # what was watched is recorded, also where the feed could not be moved on
            timings["total"] = _ms(started)
            not_ours = sum(timings.get(name, 0.0) for name in NOT_OURS)
            timings["overhead"] = timings["total"] - not_ours
            reaction = Reaction(
                action=decided.action, liked=liked, dwell_asked_s=decided.dwell_s,
                dwell_s=dwell_s, exposure_s=shown.exposure_s + played_s,
                held_s=thought_s if shown.held else 0.0,
            )  # fmt: skip
            await self._record(look, reaction, arrival)
        if renew:
            await self._settle()
            await self._parts.driver.close()
        return arrival.shown if arrival else None

    def _decide(self, look: _Look) -> Plan:
        decided = plan(self._config, look.phase, look.judgement, look.excluded)
        scheduled = self._parts.schedule
        passive = self._config.windows.baseline == "passive" and look.phase == "before"
        if scheduled is None or passive or look.excluded is not None:
            return decided
        return scheduled.plan_at(self._at.eligible)

    # Look and judge

    async def _look(self, shown: Shown) -> _Look:
        self._parts.feed.position = self._at.position
        video = self._parts.feed.describe(shown)
        excluded, repeat = _excluded(video, shown), self._at.repeat_of(video)
        phase = self._config.windows.phase(self._at.eligible)
        pictures = await take(self._parts.driver, self._parts.recorder, shown, self._config.frames)
        timings = pictures.timings
        keeping = asyncio.create_task(self._keep(pictures.jpegs))
        judging = perf_counter()
        judgement = NOT_ASKED
        try:
            if excluded is None:
                judgement = self._at.judgement_of(video) or await self._judge(pictures, video)
            timings["judge"] = _ms(judging)
        finally:
            waiting = perf_counter()
            await keeping  # a frame is on the disk before any line names it
            timings["write"] = _ms(waiting)
        return _Look(video, phase, excluded, repeat, pictures, judgement, timings)

    async def _judge(self, pictures: Pictures, video: Video) -> Judgement:
        given = pictures.jpegs
        if self._config.frames.sheet and len(given) > 1:
            given = (await asyncio.to_thread(sheet, given),)
        return await self._parts.judge.judge(given, text_of(video))

    async def _keep(self, jpegs: tuple[bytes, ...]) -> None:
        for jpeg in jpegs:
            await self._parts.recorder.keep(jpeg)

    # Confirm and record

    async def _move(self, shown: Shown, timings: dict[str, float]) -> Arrival:
        """Move on. The former step's record, which was written meanwhile, is on the disk first."""
        waiting = perf_counter()
        await self._settle()
        timings["settle"] = _ms(waiting)
        if self._parts.pacer is not None:
            pacing = perf_counter()
            await self._paced()
            timings["pace"] = _ms(pacing)
        started = perf_counter()
        arrival = await self._parts.driver.next(shown)
        timings["animation"] = arrival.shown.animation_ms
        timings["move"] = _ms(started) - arrival.shown.animation_ms
        self._faults = 0
        return arrival

    async def _record(self, look: _Look, reaction: Reaction, arrival: Arrival | None) -> None:
        step = Step(
            position=self._at.position, at=self._parts.now(), phase=look.phase, video=look.video,
            frames=look.pictures.frames, excluded=look.excluded, repeat=look.repeat,
            judgement=look.judgement,
            reaction=reaction, move=_move_record(arrival),
            timings_ms={name: round(value, 2) for name, value in look.timings.items()},
        )  # fmt: skip
        await self._settle()  # one line after the other, also where nothing was waited for since
        self._at.count(step)
        self._excluded_in_a_row = 0 if step.eligible else self._excluded_in_a_row + 1
        self._pending = asyncio.create_task(self._write(step, look.pictures.jpegs))
        self._parts.watcher.stepped(step)

    async def _write(self, step: Step, jpegs: tuple[bytes, ...]) -> None:
        """Append the step, and what the page reported by itself meanwhile."""
        await self._parts.recorder.step(step, jpegs)
        for event in self._parts.driver.events():
            fault = PageError(event.message, kind=event.kind)
            await self._parts.recorder.fault(fault, step.position, recovered=True)


def _excluded(video: Video, shown: Shown) -> Exclusion | None:
    """Why a video does not count, if it does not."""
    if video.ad:
        return "ad"
    if video.live:
        return "live"
    return None if shown.shown else "not_shown"


def _move_record(arrival: Arrival | None) -> Move | None:
    if arrival is None:
        return None
    return Move(action=arrival.action, attempts=arrival.attempts, moved=arrival.shown.moved)


def _ms(since: float) -> float:
    return (perf_counter() - since) * 1000

"""The run loop: look, judge, react, confirm, record. Each wait is for an event, with a limit."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter

from agent.drivers.base import ActiveVideo, Arrival
from agent.drivers.web.wall_handling import make_fault
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
from agent.run.capture import VideoFrames, sheet, take_frames
from agent.run.dwell_policy import ReactionPlan, plan_reaction
from agent.run.loop_dependencies import RunTools
from agent.run.progress import OpenStep, RunProgress
from agent.run.site_counts_vs_ledger import SiteRecord
from agent.run_config import PhotoRule, RunConfig
from store.runs.ledger_lines import (
    Exclusion,
    Intention,
    Judgement,
    Move,
    Phase,
    Repeat,
    Step,
    StepOpened,
    Video,
    text_of,
)

MAX_FAULTS_IN_A_ROW = 5
FEED_STANDS = (FeedEmpty, ActionNotConfirmed, PageStuck)
"""How a feed that does not go on shows; a refused response is what it then comes from."""
_MOMENT_S = 0.001
NOT_ASKED = Judgement(answer=None, missing="not_asked", attempts=0)


@dataclass
class _Look:
    """One video as it was looked at and judged, before the reaction."""

    video: Video
    phase: Phase
    excluded: Exclusion | None
    repeat: Repeat | None
    pictures: VideoFrames
    judgement: Judgement
    timings: dict[str, float]


class RunLoop:
    """Watches until every window is full."""

    def __init__(self, config: RunConfig, tools: RunTools, progress: RunProgress, url: str) -> None:
        self._config = config
        self._tools = tools
        self._at = progress
        self._url = url
        self._pending: asyncio.Task[None] | None = None
        self._faults = 0
        self._since_opened = 0
        self._excluded_in_a_row = 0
        self._before_s = 0.0
        self._watched: ActiveVideo | None = None
        """The video whose dwell is going on."""
        opened = progress.open_step
        self._step_open = None if opened is None else OpenStep(opened)

    async def run(self) -> float | None:
        """Watch to the end. Return the seconds played of a further video, where it ended on one."""
        shown: ActiveVideo | None = None
        try:
            while not self._done:
                try:
                    shown = shown or await self._open()
                    if not self._done:
                        shown = await self._step(shown)
                    self._check_feed()
                except (DriverFault, PlatformFault) as fault:
                    await self._meet(fault)
                    shown = None
        finally:
            await self._end()
        return shown.exposure_s if shown is not None else None

    @property
    def _done(self) -> bool:
        return self._step_open is None and self._at.eligible >= self._config.windows.total

    async def _end(self) -> None:
        """Close what is open and known, unless the site will tell a resumed run more."""
        step = self._step_open
        if step is not None and self._tools.witness is None:
            if step.dwell_s is None and self._watched is not None:
                with suppress(DriverFault):  # a page that is gone tells nothing: it stays open
                    more = self._watched.exposure_s + _MOMENT_S
                    step.dwell_s = step.before_s + await self._tools.driver.watch(
                        self._watched, more, then_hold=True
                    )
            if step.dwell_s is not None:
                await self._close(step, None)
        await self._settle()

    def _check_feed(self) -> None:
        if self._excluded_in_a_row >= self._config.max_excluded:
            raise FeedIneligible(self._excluded_in_a_row)

    async def _open(self) -> ActiveVideo:
        """Open the feed, in a new browser where the old one has shown enough videos."""
        self._since_opened = 0
        witness, step = self._tools.witness, self._step_open
        record = await witness.record() if witness is not None else None
        news = None
        if step is not None and record is not None:
            news = record.after(self._at.previous, step.video_id)
            if news.was_left(step.video_id):
                step.interrupt(news, "")  # the page opens on the video after it
                await self._close(step, None)
        self._tools.feed.open_page(self._at.position)
        await self._paced()
        shown = await self._tools.driver.open(self._url)
        here = record.current if record is not None else None
        self._before_s = here.watched_s if here is not None and here.id == _id(shown) else 0.0
        if self._step_open is not None:
            await self._take_up(self._step_open, shown, news)
        return shown

    async def _take_up(self, step: OpenStep, shown: ActiveVideo, record: SiteRecord | None) -> None:
        """Go on with an interrupted step where its video is shown again; else close it."""
        step.interrupt(record, _id(shown))
        if self._config.of is not None:  # nothing of a recording is played, so that is known
            step.dwell_s, step.liked = 0.0, False
        if step.dwell_s is None or _id(shown) != step.video_id:
            await self._close(step, None)
            return
        step.play_on()

    def _refusal(self) -> WallShown | None:
        """What the site's server has said, where its feed then does not go on."""
        feed = self._tools.feed
        if feed.refusal is None or feed.refused_at is None:
            return None
        kind, (_, address) = feed.refusal, feed.refused_at
        feed.refusal = feed.refused_at = None
        return make_fault(kind, address, f"the answer of {address}")

    async def _meet(self, fault: DriverFault | PlatformFault) -> None:
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
        self._faults += 1
        if self._faults >= MAX_FAULTS_IN_A_ROW:
            raise fault
        if self._tools.pacer is not None:
            self._tools.pacer.erred()
        self._tools.watcher.faulted(fault, recovered=True)
        await self._tools.recorder.fault(fault, self._at.position, recovered=True)
        await self._tools.driver.close()

    async def _wait_at(self, wall: WallShown) -> None:
        name = f"{self._at.position:06}-{type(wall).__name__}.png"
        with suppress(DriverFault):  # a page that is gone has no picture
            png = await self._tools.driver.picture()
            wall.details["picture"] = await self._tools.recorder.photograph(png, name)
        if not self._tools.patient:
            raise wall
        if self._tools.pacer is not None:
            self._tools.pacer.erred()
        self._tools.watcher.waiting(wall)
        await self._tools.recorder.fault(wall, self._at.position, recovered=True)
        await self._tools.driver.until_clear()

    async def _paced(self) -> None:
        if self._tools.pacer is not None:
            await self._tools.pacer.before_action()

    async def _settle(self) -> None:
        """Wait until the last step is on the disk."""
        pending, self._pending = self._pending, None
        if pending is not None:
            await asyncio.shield(pending)

    async def _step(self, shown: ActiveVideo) -> ActiveVideo | None:
        """Take one step. Return ``None`` where the feed is to be opened anew."""
        step = self._step_open
        if step is None:
            began = perf_counter()
            look = await self._look(shown)
            shown = look.pictures.shown
            step = await self._begin(look, began)
        await self._react(step, shown)
        return await self._leave(step, shown)

    async def _begin(self, look: _Look, began: float) -> OpenStep:
        """Decide, and have it on the disk before the hands act."""
        pictures, decided = look.pictures, self._decide(look)
        shown = pictures.shown
        self._tools.watcher.judged(look.video, look.judgement)
        await self._settle()
        waiting = perf_counter()
        played_s = 0.0 if shown.held else (waiting - pictures.counted_at) * self._config.speed
        opening = StepOpened(
            position=self._at.position,
            at=self._tools.now(),
            phase=look.phase,
            video=look.video,
            frames=pictures.frames,
            excluded=look.excluded,
            repeat=look.repeat,
            judgement=look.judgement,
            intention=Intention(action=decided.action, like=decided.like, dwell_s=decided.dwell_s),
            exposure_s=self._before_s + shown.exposure_s + played_s,
        )
        await self._tools.recorder.open_step(opening)
        look.timings["open"] = _ms(waiting)
        self._step_open = OpenStep(
            opening,
            pictures.jpegs,
            look.timings,
            began,
            before_s=self._before_s,
            held_s=-pictures.released_s if shown.held else 0.0,
        )
        return self._step_open

    async def _react(self, step: OpenStep, shown: ActiveVideo) -> None:
        self._tools.feed.position = self._at.position  # from here on the site can learn of it
        if step.intention.like and not step.liked:
            step.liked = await self._tools.driver.like()
        if shown.held:
            step.hold(step.began)
        watching, self._watched = perf_counter(), shown
        played_s = await self._tools.driver.watch(shown, step.left_s, then_hold=True)
        step.dwell_s = step.before_s + played_s
        self._watched = None
        step.timings["dwell"] = _ms(watching)

    async def _leave(self, step: OpenStep, shown: ActiveVideo) -> ActiveVideo | None:
        """Move on and close the step; ``None`` where the feed is to be opened anew."""
        eligible = self._at.eligible + step.opening.eligible
        last = eligible >= self._config.windows.total
        self._since_opened += 1
        renew = 0 < self._tools.renew_after <= self._since_opened
        if last and self._config.of is not None:  # a recording has nothing to move on to
            await self._close(step, None)
            return None
        try:
            arrival = await self._move(step, shown)
        except (DriverFault, PlatformFault) as fault:
            if not last:
                raise
            await self._tools.recorder.fault(fault, self._at.position, recovered=True)
            await self._close(step, None)
            return None
        step.dwell_s = step.before_s + arrival.left_dwell_s
        self._before_s = 0.0
        await self._close(step, arrival)
        if last or not renew:
            return arrival.shown
        await self._settle()
        await self._tools.driver.close()
        return None

    def _decide(self, look: _Look) -> ReactionPlan:
        decided = plan_reaction(self._config, look.phase, look.judgement, look.excluded)
        scheduled = self._tools.schedule
        passive = self._config.windows.baseline == "passive" and look.phase == "before"
        if scheduled is None or passive or look.excluded is not None:
            return decided
        return scheduled.plan_at(self._at.eligible)

    # Look and judge

    async def _look(self, shown: ActiveVideo) -> _Look:
        video = self._tools.feed.describe(shown)
        excluded = _excluded(video, shown, self._config.photos)
        repeat = self._at.repeat_of(video)
        phase = self._config.windows.phase(self._at.eligible)
        pictures = await take_frames(
            self._tools.driver, self._tools.recorder, shown, self._config.frames
        )
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

    async def _judge(self, pictures: VideoFrames, video: Video) -> Judgement:
        given = pictures.jpegs
        if self._config.frames.sheet and len(given) > 1:
            given = (await asyncio.to_thread(sheet, given),)
        return await self._tools.judge.judge(given, text_of(video))

    async def _keep(self, jpegs: tuple[bytes, ...]) -> None:
        for jpeg in jpegs:
            await self._tools.recorder.keep(jpeg)

    # Confirm and record

    async def _move(self, step: OpenStep, shown: ActiveVideo) -> Arrival:
        """Move on. The floor between actions is waited out while the player is held."""
        timings, waiting = step.timings, perf_counter()
        if self._tools.pacer is not None:
            await self._paced()
            timings["pace"] = _ms(waiting)
        if shown.held:
            step.hold(waiting)
        started = perf_counter()
        arrival = await self._tools.driver.next(shown)
        timings["animation"] = arrival.shown.animation_ms
        timings["move"] = _ms(started) - arrival.shown.animation_ms
        self._faults = 0
        return arrival

    async def _close(self, step: OpenStep, arrival: Arrival | None) -> None:
        """Write the step's last line, beside what comes next."""
        jpegs = step.jpegs
        if jpegs is None:
            jpegs = await self._tools.recorder.read_frames(step.opening.frames)
        line = step.close(self._tools.now(), _move_record(arrival))
        self._step_open = None
        await self._settle()  # one line after the other, also where nothing was waited for since
        self._at.count(line)
        self._excluded_in_a_row = 0 if line.eligible else self._excluded_in_a_row + 1
        self._pending = asyncio.create_task(self._write(line, jpegs))
        self._tools.watcher.stepped(line)

    async def _write(self, step: Step, jpegs: tuple[bytes, ...]) -> None:
        await self._tools.recorder.step(step, jpegs)
        for event in self._tools.driver.events():
            fault = PageError(event.message, kind=event.kind)
            await self._tools.recorder.fault(fault, step.position, recovered=True)


def _excluded(video: Video, shown: ActiveVideo, photos: PhotoRule) -> Exclusion | None:
    if video.ad:
        return "ad"
    if video.live:
        return "live"
    if shown.pictures or video.photos:
        return "photo" if photos == "pass" else None
    return None if shown.shown else "not_shown"


def _id(shown: ActiveVideo) -> str:
    """What a step calls the video."""
    return shown.id or shown.key


def _move_record(arrival: Arrival | None) -> Move | None:
    if arrival is None:
        return None
    return Move(action=arrival.action, attempts=arrival.attempts, moved=arrival.shown.moved)


def _ms(since: float) -> float:
    return (perf_counter() - since) * 1000

"""What the run loop works with: driver, feed, judge, recorder, and who looks on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from agent.drivers.base import Driver
from agent.errors import RunFault, WallShown
from agent.platforms.base import Feed
from agent.run.dwell_policy import ReactionPlan
from agent.run.recorder import LedgerRecorder
from agent.run.site_counts_vs_ledger import Witness
from store.runs.ledger_lines import Judgement, Step, Video


class VideoJudge(Protocol):
    """Answers about one video. A reply that cannot be had is missing, not an error."""

    async def judge(self, frames: tuple[bytes, ...], caption: str | None) -> Judgement: ...


class ReactionSchedule(Protocol):
    """The reactions of a yoked run."""

    def plan_at(self, eligible: int) -> ReactionPlan: ...


class Watcher(Protocol):
    """Someone who looks on: a progress display, a log."""

    def judged(self, video: Video, judgement: Judgement) -> None: ...

    def stepped(self, step: Step) -> None: ...

    def faulted(self, fault: RunFault, *, recovered: bool) -> None: ...

    def waiting(self, wall: WallShown) -> None: ...


class Pacer(Protocol):
    """Keeps the hands slow."""

    async def before_action(self) -> None:
        """Wait until the next action may be taken; raise where none may be now."""
        ...

    def erred(self) -> None: ...


@dataclass(frozen=True)
class RunTools:
    """What the loop works with."""

    driver: Driver
    feed: Feed
    judge: VideoJudge
    recorder: LedgerRecorder
    watcher: Watcher
    now: Callable[[], datetime]
    schedule: ReactionSchedule | None = None
    """What a yoked run does, whatever the judge says."""
    pacer: Pacer | None = None
    """``None``: as fast as the site goes."""
    patient: bool = False
    """Whether a wall is waited at, for a person to answer it."""
    witness: Witness | None = None
    """The site's own record of what was watched; ``None`` where no site tells it."""
    renew_after: int = 0
    """Videos after which the browser is opened anew, which bounds its memory; 0: never."""

"""What the run loop works with: its protocols, its parts, and where the run stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from agent.drivers.base import Driver
from agent.errors import RunFault, WallShown
from agent.platforms.base import Feed
from agent.run.capture import Describer
from agent.run.policy import ReactionPlan
from agent.run.site_record import Witness
from store.jsonl.keyed import UNANSWERED
from store.runs.records import Frame, Judgement, Repeat, Step, StepOpened, Usage, Video


class VideoJudge(Protocol):
    """Answers about one video; a reply that cannot be had is a missing answer, not an error."""

    async def judge(self, frames: tuple[bytes, ...], caption: str | None) -> Judgement:
        """Judge the frames."""
        ...


class Recorder(Describer, Protocol):
    """Keeps what happened, durably and in order."""

    async def keep(self, jpeg: bytes) -> None:
        """Keep the picture durably."""
        ...

    async def open_step(self, opening: StepOpened) -> None:
        """Append what was judged and what is about to be done, before it is done."""
        ...

    async def kept(self, frames: Sequence[Frame]) -> tuple[bytes, ...]:
        """Return the pictures of frames that are kept."""
        ...

    async def step(self, step: Step, jpegs: tuple[bytes, ...]) -> None:
        """Append the step, after the frames that it names."""
        ...

    async def photograph(self, png: bytes, name: str) -> str:
        """Keep a picture for a person to look at; return where it lies."""
        ...

    async def fault(self, fault: RunFault, position: int, *, recovered: bool) -> None:
        """Append a fault."""
        ...


class ReactionSchedule(Protocol):
    """The reactions of a yoked run."""

    def plan_at(self, eligible: int) -> ReactionPlan:
        """Return the reaction for the step that this many eligible ones came before."""
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

    def waiting(self, wall: WallShown) -> None:
        """The run waits for a person."""
        ...


class Pacer(Protocol):
    """Keeps the hands slow."""

    async def before_action(self) -> None:
        """Wait until the next action may be taken; raises where none may be taken now."""
        ...

    def erred(self) -> None:
        """Something went wrong: be slower from now on."""
        ...


@dataclass
class RunProgress:
    """Where the run stands; rebuilt from the ledger on resume."""

    position: int = 0
    eligible: int = 0
    judgements: dict[str, Judgement] = field(default_factory=dict)
    """What was said of each video that was shown, by its id."""
    former: frozenset[str] = frozenset()
    """Videos that former runs of the same account showed."""
    previous: str | None = None
    """Video of the last step."""
    open_step: StepOpened | None = None
    """What an interrupted run had judged and not finished."""

    def count(self, step: Step) -> None:
        """Take one recorded step into account."""
        self.position = step.position + 1
        self.eligible += step.eligible
        self.previous = step.video.id
        if step.excluded == "not_shown":
            return
        if _is_answer(step.judgement) or step.video.id not in self.judgements:
            self.judgements[step.video.id] = step.judgement

    def repeat_of(self, video: Video) -> Repeat | None:
        """Return where a video was shown before, if it was."""
        if video.id in self.judgements:
            return "run"
        return "account" if video.id in self.former else None

    def judgement_of(self, video: Video) -> Judgement | None:
        """Return the answer that a video has in this run, as it costs when it is used again.

        A refusal and an unreadable reply are answers too: no repeat gives them another chance.
        """
        known = self.judgements.get(video.id)
        if known is None or not _is_answer(known):
            return None
        return known.model_copy(update={"usage": Usage(), "attempts": 0, "latency_s": 0.0})


def _is_answer(judgement: Judgement) -> bool:
    """Whether the model was asked and replied; what got no reply is due again."""
    return judgement.missing not in UNANSWERED | {"not_asked"}


@dataclass(frozen=True)
class Parts:
    """What the loop works with."""

    driver: Driver
    feed: Feed
    judge: VideoJudge
    recorder: Recorder
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

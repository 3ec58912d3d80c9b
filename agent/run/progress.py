"""Where a run stands: the steps that are over, and the open one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter

from agent.run.site_counts_vs_ledger import SiteRecord
from store.jsonl.answer_file import UNANSWERED
from store.runs.ledger_lines import (
    Intention,
    Judgement,
    Move,
    ObservedVideo,
    Reaction,
    Repeat,
    Step,
    StepOpened,
    Usage,
    Video,
)

NOT_OURS = ("judge", "dwell", "exposure", "animation", "pace")
"""Stages of a step that take as long as the model, the plan or the site wants."""
INTERRUPTED = "interrupted"


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
        self.position = step.position + 1
        self.eligible += step.eligible
        self.previous = step.video.id
        if step.excluded == "not_shown":
            return
        if _is_answer(step.judgement) or step.video.id not in self.judgements:
            self.judgements[step.video.id] = step.judgement

    def repeat_of(self, video: Video) -> Repeat | None:
        if video.id in self.judgements:
            return "run"
        return "account" if video.id in self.former else None

    def judgement_of(self, video: Video) -> Judgement | None:
        """Return the answer that a video has here, at no cost. A refusal is one, and final."""
        known = self.judgements.get(video.id)
        if known is None or not _is_answer(known):
            return None
        return known.model_copy(update={"usage": Usage(), "attempts": 0, "latency_s": 0.0})


def _is_answer(judgement: Judgement) -> bool:
    """Whether the model was asked and replied; what got no reply is due again."""
    return judgement.missing not in UNANSWERED | {"not_asked"}


@dataclass
class OpenStep:
    """One step between its opening line and its last one."""

    opening: StepOpened
    jpegs: tuple[bytes, ...] | None = None
    """``None`` where an earlier process took them: they are kept already."""
    timings: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=perf_counter)
    """The clock when the video was first looked at."""
    before_s: float = 0.0
    """Seconds of video that were played before the present page was opened."""
    dwell_s: float | None = None
    """Delivered in all; ``None`` while it is not known."""
    liked: bool | None = None
    held_s: float | None = None
    """Wall time for which the player was held; ``None`` where it is not known."""
    interruptions: int = 0

    def __post_init__(self) -> None:
        if not self.intention.like:
            self.liked = False

    @property
    def intention(self) -> Intention:
        return self.opening.intention

    @property
    def video_id(self) -> str:
        return self.opening.video.id

    @property
    def left_s(self) -> float:
        """Seconds of video that are to be watched on the present page."""
        return max(0.0, self.intention.dwell_s - self.before_s)

    def interrupt(self, record: SiteRecord | None, shown_again: str) -> None:
        """Learn from the site, where it tells, what was delivered before an interruption.

        Of the video that it shows again and never heard of, nothing was watched. Of another one
        that it never heard of, nothing is known.
        """
        self.interruptions += 1
        self.held_s = None
        self.timings = {}
        if record is not None:
            place, again = record.latest(self.video_id), shown_again == self.video_id
            self.dwell_s = place.watched_s if place else 0.0 if again else None
            self.liked = place.liked if place else False if again else self.liked

    def play_on(self) -> None:
        """Go on where the video is shown again: what was played before counts."""
        self.before_s = self.dwell_s or 0.0

    def hold(self, since: float) -> None:
        if self.held_s is not None:
            self.held_s += perf_counter() - since

    def close(self, at: datetime, move: Move | None) -> Step:
        opening = self.opening
        known = self.dwell_s is not None and self.liked is not None
        reaction = Reaction(
            action=self.intention.action,
            liked=self.liked,
            dwell_asked_s=self.intention.dwell_s,
            dwell_s=self.dwell_s,
            exposure_s=opening.exposure_s,
            held_s=self.held_s,
            unknown=None if known else INTERRUPTED,
            interruptions=self.interruptions,
        )
        if not self.interruptions:  # what an interruption took is nobody's stage
            total = (perf_counter() - self.began) * 1000
            not_ours = sum(self.timings.get(name, 0.0) for name in NOT_OURS)
            self.timings |= {"total": total, "overhead": total - not_ours}
        fields = {
            name: getattr(opening, name) for name in ObservedVideo.model_fields if name != "kind"
        }
        timings = {name: round(value, 2) for name, value in self.timings.items()}
        return Step(**fields | {"at": at}, reaction=reaction, move=move, timings_ms=timings)

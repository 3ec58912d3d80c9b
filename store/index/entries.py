"""What the index holds about a frame, and what a search asks for and finds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from store.frames.near_duplicates import near_duplicates
from store.runs.ledger_lines import RunStarted, Step, text_of

LABELS = ("ad", "paid_partnership", "ad_authorised", "ai_label")
"""Marks of commercial and of generated content, as a video has them."""


def entry_id(run_id: str, position: int, number: int) -> str:
    """Return the id of a frame: its run, its step, and its number there."""
    return f"{run_id}/{position}/{number}"


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One frame of one step, as its ledger tells it."""

    id: str
    """As ``entry_id`` has it."""
    run: str
    position: int
    platform: str
    persona: str
    strategy: str
    model: str
    arm: str
    phase: str
    video: str
    answer: Literal["yes", "no", "missing"]
    excluded: str
    """Why the step does not count, or nothing."""
    caption: str
    """The platform's words on the video: its caption, and the hashtags not in it."""
    sha256: str
    phash: str
    language: str = ""
    """As the site tells it; so are category and labels. Empty where it tells none."""
    category: str = ""
    labels: str = ""
    """Which of ``LABELS`` it has, in their order and apart by a space. What is not there is not
    labelled, or not known."""

    @classmethod
    def of(cls, run: RunStarted, step: Step, number: int = 0) -> IndexEntry:
        frame = step.frames[number]
        return cls(
            id=entry_id(run.run_id, step.position, number),
            run=run.run_id,
            position=step.position,
            platform=run.platform,
            persona=run.persona.id,
            strategy=run.strategy,
            model=run.model,
            arm=run.arm,
            phase=step.phase,
            video=step.video.id,
            answer=step.judgement.answer or "missing",
            excluded=step.excluded or "",
            caption=text_of(step.video) or "",
            sha256=frame.sha256,
            phash=frame.phash,
            language=step.video.language or "",
            category=step.video.category or "",
            labels=" ".join(name for name in LABELS if getattr(step.video, name)),
        )

    def metadata(self) -> dict[str, str | int]:
        fields = asdict(self)
        return {name: fields[name] for name in fields if name not in ("id", "caption")}


@dataclass(frozen=True, slots=True)
class Filters:
    """What hits must agree with; ``None`` lets everything through."""

    platform: str | None = None
    persona: str | None = None
    answer: Literal["yes", "no", "missing"] | None = None
    run: str | None = None

    def conditions(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Hit:
    """A frame that was found."""

    entry: IndexEntry
    similarity: float
    """Cosine, -1 to 1."""
    duplicate_of: str | None
    """Id of the first frame of which this one is a near-duplicate."""

    @classmethod
    def read(
        cls, key: str, caption: str | None, metadata: Mapping[str, Any], distance: float
    ) -> Hit:
        """Put together what the engine keeps apart; ``distance`` is one less the cosine."""
        fields = dict(metadata)
        twin = str(fields.pop("duplicate_of")) or None
        return cls(IndexEntry(id=key, caption=caption or "", **fields), 1.0 - distance, twin)


def entries(run: RunStarted, steps: Iterable[Step]) -> list[IndexEntry]:
    return [
        IndexEntry.of(run, step, number) for step in steps for number in range(len(step.frames))
    ]


def distinct(hits: Sequence[Hit]) -> list[Hit]:
    """One hit per video, and none that is a near-duplicate of a better one."""
    videos: dict[tuple[str, str], Hit] = {}
    for hit in hits:
        videos.setdefault((hit.entry.platform, hit.entry.video), hit)
    firsts = list(videos.values())
    twins = near_duplicates(hit.entry.phash for hit in firsts)
    return [hit for hit, twin in zip(firsts, twins, strict=True) if twin is None]

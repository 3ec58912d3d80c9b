"""What a ledger tells of its run as a whole, beside its videos: gathered in one look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from store.runs.ledger import LedgerLine, LedgerStream
from store.runs.ledger_lines import (
    Fault,
    Forgotten,
    ObservedVideo,
    RunFinished,
    RunResumed,
    RunStarted,
    Step,
    StepOpened,
)
from store.runs.ledger_site_lines import FeedBatch, SiteCheck


@dataclass(frozen=True, slots=True)
class RunOutline:
    """A run without its videos, and how many there are."""

    path: Path
    started: RunStarted
    resumes: tuple[RunResumed, ...]
    faults: tuple[Fault, ...]
    forgotten: tuple[Forgotten, ...]
    checks: tuple[SiteCheck, ...]
    finished: RunFinished | None
    steps: int
    open_step: StepOpened | None
    """The step that was being made when the run was interrupted: judged, and not closed."""
    torn: int
    """Bytes of an unfinished last line, dropped."""

    @property
    def status(self) -> Literal["complete", "interrupted"]:
        return "interrupted" if self.finished is None else "complete"


def outline_run(stream: LedgerStream, take: Callable[[ObservedVideo], None]) -> RunOutline:
    """Look through a ledger; ``take`` is given each step, and what it was opened with before.

    Raises as ``ledger.read``, at the line where the fault is: what was taken by then is of a run
    that is not to be read.
    """
    others: list[LedgerLine] = []
    steps, opened = 0, None
    for record in stream:
        if isinstance(record, ObservedVideo):
            take(record)
            steps += isinstance(record, Step)
            opened = record if isinstance(record, StepOpened) else None
        elif not isinstance(record, FeedBatch):
            others.append(record)
    return RunOutline(
        path=stream.path,
        started=next(record for record in others if isinstance(record, RunStarted)),
        resumes=tuple(record for record in others if isinstance(record, RunResumed)),
        faults=tuple(record for record in others if isinstance(record, Fault)),
        forgotten=tuple(record for record in others if isinstance(record, Forgotten)),
        checks=tuple(record for record in others if isinstance(record, SiteCheck)),
        finished=next((record for record in others if isinstance(record, RunFinished)), None),
        steps=steps,
        open_step=opened,
        torn=stream.torn,
    )

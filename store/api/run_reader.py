"""One run as a value with words, and one of its steps with its frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store.api.table_formats import TableFormat, check_format, make_table
from store.errors import StoreError
from store.frames.frame_store import FrameStore
from store.jsonl.locks import holder
from store.runs import ledger
from store.runs.ledger import LOCK, RunSummary
from store.runs.ledger_lines import Step
from store.runs.rejudgements import judgement_files, read_judgements
from store.runs.step_columns import REJUDGEMENT_COLUMNS, STEP_COLUMNS, rejudgement_rows, step_rows
from store.terminal.printing import count_of
from store.untrusted.clean_text import show_line
from store.untrusted.size_limits import decode_picture

if TYPE_CHECKING:
    from PIL.Image import Image


class StepNotFound(StoreError):
    """A run has no step at this position."""

    def __init__(self, run_id: str, position: int, count: int) -> None:
        super().__init__(
            f"Run {run_id} has no step {position}; it has {count}, counted from 0. "
            f"Type: python -m store show {run_id}"
        )


@dataclass(frozen=True)
class StepReader:
    """One video as it was seen, judged and reacted to."""

    record: Step
    """All that the ledger holds of it (``docs/ledger.md``)."""
    frame_store: FrameStore

    @property
    def frames(self) -> list[Image]:
        """Its frames as RGB pictures (``PIL.Image``); none where they were forgotten.

        Raises ``DataUnreadable`` and ``DamagedFrame``.
        """
        kept = [frame.sha256 for frame in self.record.frames]
        return [decode_picture(self.frame_store.read(sha256)) for sha256 in kept]


@dataclass(frozen=True, repr=False, kw_only=True)
class RunReader:
    """One run, in words; ``pandas.DataFrame(data.runs())`` has a row for each.

    Where the first line of a ledger cannot be read, only ``id``, ``status``, ``videos``,
    ``problem`` and ``path`` are known.
    """

    id: str
    persona: str | None = None
    platform: str | None = None
    arm: str | None = None
    strategy: str | None = None
    model: str | None = None
    account: str | None = None
    study: str | None = None
    status: str
    """``complete``, ``running``, ``interrupted``, or ``damaged``."""
    started: datetime | None = None
    videos: int
    """How many steps it has; 0 where it is damaged."""
    problem: str | None = None
    """What is damaged, and what to type."""
    path: Path
    """Its ledger."""

    @classmethod
    def of(cls, run: RunSummary) -> RunReader:
        busy = run.status == "interrupted" and holder(run.path.parent / LOCK)
        plain = cls(
            id=run.run_id,
            status="running" if busy else run.status,
            videos=run.steps,
            problem=run.problem,
            path=run.path,
        )
        first = run.started
        if first is None:
            return plain
        return replace(
            plain,
            persona=first.persona.id,
            platform=first.platform,
            arm=first.arm,
            strategy=first.strategy,
            model=first.model,
            account=first.account,
            study=first.study,
            started=first.at,
        )

    def __repr__(self) -> str:
        who = f"{self.persona} on {self.platform}, {self.arm}, " if self.started else ""
        return show_line(f"<{self.id}: {who}{self.status}, {count_of(self.videos, 'video')}>")

    @property
    def frame_store(self) -> FrameStore:
        """The frames of its data folder."""
        return FrameStore(self.path.absolute().parents[2] / "frames")

    def steps(self, format: TableFormat = "pandas") -> Any:  # noqa: A002 - as the word is typed
        """Return its steps as a table, one row each; the columns are in ``docs/notebooks.md``.

        Raises ``DamagedLedger`` and ``FormatUnavailable``.

        Examples
        --------
        >>> import store
        >>> run = store.open("data").run("latest")
        >>> run.steps()["phase"].unique().tolist()
        ['before', 'adapt', 'after']
        """
        check_format(format)
        return make_table(STEP_COLUMNS, step_rows([ledger.read(self.path)]), format)

    def rejudgements(self, format: TableFormat = "pandas") -> Any:  # noqa: A002
        """Return what judges said later about its frames, one row each; raises as ``steps``."""
        check_format(format)
        files = map(read_judgements, judgement_files(self.path.parent))
        return make_table(REJUDGEMENT_COLUMNS, rejudgement_rows(files), format)

    def step(self, position: int) -> StepReader:
        """Return the step at a position, from 0; raises ``StepNotFound`` and ``DamagedLedger``."""
        steps = self.read_steps()
        for step in steps:
            if step.record.position == position:
                return step
        raise StepNotFound(self.id, position, len(steps))

    def read_steps(self) -> list[StepReader]:
        """Return its steps one by one, with their frames; raises ``DamagedLedger``."""
        frames = self.frame_store
        return [StepReader(step, frames) for step in ledger.read(self.path).steps]

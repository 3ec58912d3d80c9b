"""One run as a person looks at it: its ledger's lines counted, and little of it kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from agent.daemon.journal.damage import SHOWN, VERIFY, UnreadableLine
from agent.models import find_capabilities
from store.errors import DamagedLedger, StoreError
from store.jsonl.base_record import tell_fault
from store.jsonl.paths import PathName
from store.runs.ledger import check_schema, parse_line
from store.runs.ledger_lines import (
    Fault,
    Phase,
    RunFinished,
    RunResumed,
    RunStarted,
    Step,
    StepOpened,
    Windows,
)
from store.untrusted.clean_text import show_line

NO, YES, MISSING = 0, 1, 2
"""An eligible step's answer, as the byte that is kept of it."""
QUARTER_S = 900


class _Part(BaseModel):
    """Some fields of a record, whatever else stands there."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Viewer(_Part):
    """The persona of a run."""

    id: str
    traits: tuple[str, ...]


class Origin(_Part):
    """What a run was started for, of its configuration."""

    study: PathName | None = None
    cell: str | None = None


class RunHead(_Part):
    """Whose run it is: what the daemon must know of a first line, though the rest be damaged."""

    at: AwareDatetime
    persona: Viewer
    platform: str
    strategy: str
    model: str
    arm: Literal["treatment", "yoked", "passive"]
    account: str
    windows: Windows
    config: Origin
    config_hash: str


@dataclass(slots=True)
class RunTally:
    """One run, counted."""

    run_id: str
    path: Path
    head: RunHead | None = None
    """``None`` until the first line was read, and where nobody can tell whose run it is."""
    answers: dict[Phase, bytearray] = field(default_factory=dict)
    """One byte an eligible step."""
    steps: int = 0
    last: Step | None = None
    """The last step; of one that is finished nothing."""
    opened: StepOpened | None = None
    """The video that is judged, while the hands act on it."""
    finished: bool = False
    fault: Fault | None = None
    """The last one since the run was started or resumed."""
    lines: int = 0
    unreadable: list[UnreadableLine] = field(default_factory=list)
    lost: int = 0
    """Unreadable lines, those included that are not told one by one."""
    later: bool = False
    """Whether a later version has written it, so that nothing of it is read."""
    watched: Counter[int] = field(default_factory=Counter)
    """Steps in each quarter of an hour since 1970 (``CalendarDay``)."""
    cost: Counter[int] = field(default_factory=Counter)
    """US dollars in each quarter of an hour, in millionths."""
    unpriced: int = 0

    @property
    def begun(self) -> RunHead:
        """First line of a run that is among ``Ledgers.now``."""
        assert self.head is not None
        return self.head

    @property
    def eligible(self) -> int:
        return sum(map(len, self.answers.values()))

    def add_line(self, line: bytes) -> None:
        """Take one line of the ledger in; one that cannot be read is told, and takes no other."""
        self.lines += 1
        try:
            if self.lines == 1:
                self._start(line)
            if self.later:
                return
            record = parse_line(self.path, self.lines, line)
        except StoreError as error:
            self.note_loss(str(error))
            return
        match record:
            case Step():
                self._step(record)
            case StepOpened():
                self.opened = record
            case RunResumed() | RunStarted():
                self.fault = None
            case Fault():
                self.fault = record
            case RunFinished():
                self.finished, self.last, self.opened = True, None, None

    def note_loss(self, problem: str) -> None:
        """Remember that a line, or all of it, cannot be read; the sentence ends in what to type."""
        self.lost += 1
        if len(self.unreadable) == SHOWN:
            return
        told, _, command = problem.partition(" Type: ")
        name = f"runs/{show_line(self.run_id)}/{self.path.name}"
        place = f"{self.path}:{self.lines} is damaged: "
        self.unreadable.append(
            UnreadableLine(
                file=name,
                line=max(1, self.lines),
                command=command or VERIFY,
                problem=told.removeprefix(place).replace(str(self.path), name),
            )
        )

    def _start(self, line: bytes) -> None:
        try:
            check_schema(self.path, line)
        except StoreError:
            self.later = True
            raise
        try:
            self.head = RunHead.model_validate_json(line)
        except ValidationError as error:
            parse_line(self.path, self.lines, line)  # says better what is wrong, where it knows
            raise DamagedLedger(self.path, self.lines, f"{tell_fault(error)}.") from None

    def _step(self, step: Step) -> None:
        quarter = int(step.at.timestamp()) // QUARTER_S
        usage = step.judgement.usage
        if usage.cost_usd:
            self.cost[quarter] += round(1e6 * usage.cost_usd)
        elif usage.cost_usd is None and usage.calls and not usage.cached:
            free = self.head is not None and find_capabilities(self.head.model).in_process
            self.unpriced += 0 if free else usage.calls
        self.steps += 1
        self.watched[quarter] += 1
        if step.eligible:
            answer = {"yes": YES, "no": NO}.get(step.judgement.answer or "", MISSING)
            self.answers.setdefault(step.phase, bytearray()).append(answer)
        self.last, self.opened = step, None

"""The ledger of a run: one JSON line a record, appended and synced, read back as values.

Completion is proved by the last line, and status is derived from it. A torn last line is dropped
and said so (``append_only``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from store.errors import DamagedLedger, DataUnreadable, NewerSchema, StoreError
from store.jsonl.append_only import LineWriter, committed, divide, is_json
from store.jsonl.base_record import tell_fault
from store.jsonl.hash_chain import ChainWalk, body_of, rewrite_lines
from store.jsonl.locks import NamedLock
from store.runs.ledger_lines import (
    SCHEMA,
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

LOCK = "ledger.lock"
LedgerLine = Annotated[
    RunStarted
    | RunResumed
    | FeedBatch
    | StepOpened
    | Step
    | Fault
    | SiteCheck
    | Forgotten
    | RunFinished,
    Field(discriminator="kind"),
]
_LINE: TypeAdapter[LedgerLine] = TypeAdapter(LedgerLine)
_TAIL = 1 << 16


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a ledger holds."""

    path: Path
    started: RunStarted
    resumes: tuple[RunResumed, ...]
    steps: tuple[Step, ...]
    faults: tuple[Fault, ...]
    finished: RunFinished | None
    torn: int
    """Bytes of an unfinished last line, dropped."""
    forgotten: tuple[Forgotten, ...] = ()
    openings: tuple[StepOpened, ...] = ()
    """What was judged, before it was acted on; older ledgers have none."""
    checks: tuple[SiteCheck, ...] = ()
    batches: tuple[FeedBatch, ...] = ()

    @property
    def status(self) -> Literal["complete", "interrupted"]:
        return "interrupted" if self.finished is None else "complete"

    @property
    def next_position(self) -> int:
        return self.steps[-1].position + 1 if self.steps else 0

    @property
    def open_step(self) -> StepOpened | None:
        """The step that was being made when the run was interrupted: judged, and not closed."""
        last = self.openings[-1] if self.openings else None
        return last if last is not None and last.position >= self.next_position else None

    @property
    def seen(self) -> tuple[ObservedVideo, ...]:
        """All videos that were judged: the steps, and the one that is open still."""
        return self.steps if self.open_step is None else (*self.steps, self.open_step)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run as its first and last lines tell it."""

    run_id: str
    path: Path
    status: Literal["complete", "interrupted", "damaged"]
    steps: int
    """Committed steps; 0 where the ledger is damaged."""
    started: RunStarted | None
    """``None`` where the first line cannot be read."""
    problem: str | None = None


def read(path: Path) -> Ledger:
    """Read a whole ledger; raises ``DataUnreadable`` and ``NewerSchema``.

    Raises ``DamagedLedger``, with the line counted from 1, where a committed line is no record or
    not as it was written, a position comes twice or goes back, or lines stand in an impossible
    order.
    """
    return parse(path, _read_bytes(path))


def parse(path: Path, content: bytes) -> Ledger:
    """Make a ledger of the bytes that a file holds; raises as ``read``."""
    records, torn = _parse_lines(path, content)
    last = next((one for one in reversed(records) if not isinstance(one, Forgotten)), None)
    return Ledger(
        path=path,
        started=_in_order(path, records),
        resumes=tuple(record for record in records if isinstance(record, RunResumed)),
        steps=tuple(record for record in records if isinstance(record, Step)),
        faults=tuple(record for record in records if isinstance(record, Fault)),
        finished=last if isinstance(last, RunFinished) else None,
        torn=torn,
        forgotten=tuple(record for record in records if isinstance(record, Forgotten)),
        openings=tuple(record for record in records if isinstance(record, StepOpened)),
        checks=tuple(record for record in records if isinstance(record, SiteCheck)),
        batches=tuple(record for record in records if isinstance(record, FeedBatch)),
    )


def read_each(paths: Iterable[Path], problems: list[str]) -> list[Ledger]:
    """Read the ledgers that can be read, and add to ``problems`` why the others cannot."""
    found = []
    for path in paths:
        try:
            found.append(read(path))
        except StoreError as error:
            problems.append(str(error))
    return found


def read_lines(path: Path) -> tuple[list[LedgerLine], int]:
    """Read the records as they stand, and the bytes of a torn last line; raises as ``read``."""
    return _parse_lines(path, _read_bytes(path))


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataUnreadable(path, error.strerror or str(error)) from None


def _parse_lines(path: Path, content: bytes) -> tuple[list[LedgerLine], int]:
    lines, torn = divide(content)
    if not lines:
        raise DamagedLedger(path, 1, "nothing was committed to it.")
    check_schema(path, body_of(lines[0]))
    walk, records = ChainWalk(), []
    for number, line in enumerate(lines, 1):
        body, fault = walk.take(line)
        records.append(parse_line(path, number, body))
        if fault is not None:
            raise DamagedLedger(path, number, fault)
    return records, torn


def summarise(path: Path) -> RunSummary | None:
    """Tell a run from the first and the last line of its ledger, without reading the rest.

    ``None`` where nothing was committed, so that there is no run to speak of.
    """
    run_id = path.parent.name
    try:
        with path.open("rb") as file:
            first = body_of(file.readline().removesuffix(b"\n"))
            final = _final_line(file)
    except OSError as error:
        raise DataUnreadable(path, error.strerror or str(error)) from None
    except ValidationError:
        return _damaged(path)
    if final is None:
        return None
    try:
        started = _LINE.validate_json(first)
    except ValidationError:
        return _damaged(path)
    if not isinstance(started, RunStarted) or started.schema_ > SCHEMA:
        return _damaged(path)
    if isinstance(final, RunFinished):
        return RunSummary(run_id, path, "complete", final.steps, started)
    steps = 0 if isinstance(final, RunStarted) else final.position + isinstance(final, Step)
    return RunSummary(run_id, path, "interrupted", steps, started)


def _damaged(path: Path) -> RunSummary:
    """Summary of a ledger that the quick look could not read; the full one names the line."""
    run_id = path.parent.name
    try:
        kept = read(path)
    except StoreError as error:
        return RunSummary(run_id, path, "damaged", 0, None, str(error))
    # it was replaced between the two looks, as a request to forget does
    return RunSummary(run_id, path, kept.status, kept.next_position, kept.started)


def scan(ledgers: Iterable[Path]) -> list[RunSummary]:
    """Summaries of runs, by start; damaged ones come first."""
    found = [summarise(path) for path in ledgers]
    runs = [summary for summary in found if summary is not None]
    return sorted(
        runs, key=lambda run: (run.started.at.isoformat() if run.started else "", run.run_id)
    )


class LedgerWriter(LineWriter):
    """Appends records to ``runs/<run-id>/ledger.jsonl``, whole and synced, one writer at a time.

    Only a benchmark turns ``fsync`` off. Raises ``RunLocked`` and ``DataUnwritable``.
    """

    def __init__(self, path: Path, fsync: bool = True) -> None:
        super().__init__(path, NamedLock(path.parent / LOCK), path.parent.name, fsync=fsync)
        self._checked = False

    def _raise_schema(self) -> None:
        """Say in the first line of an older ledger that lines of today's schema follow.

        Without it, an older reader would call them damage.
        """
        lines, _ = divide(self.path.read_bytes())
        bodies = list(map(body_of, lines))
        started = _LINE.validate_json(bodies[0]) if lines else None
        if isinstance(started, RunStarted) and started.schema_ < SCHEMA:
            raised = started.model_copy(update={"schema_": SCHEMA})
            bodies[0] = raised.model_dump_json(by_alias=True).encode()
            self._replace(rewrite_lines(lines, bodies, f"{datetime.now(UTC):%Y-%m-%d}"))

    def append(self, record: LedgerLine) -> None:
        """Commit one record; raises ``DataUnwritable``, and the next append is valid all the same.

        It is read back first: a value that JSON cannot carry (a NaN where a number must be) raises
        pydantic's error here, and is not found months later.
        """
        self.append_all([record])

    def append_all(self, records: Iterable[LedgerLine]) -> None:
        """Commit records together, synced once; raises as ``append``, and none is written then."""
        lines = [record.model_dump_json(by_alias=True).encode() for record in records]
        for line in lines:
            _LINE.validate_json(line)
        if not self._checked:
            self._raise_schema()
            self._checked = True
        self._commit(b"".join(line + b"\n" for line in lines))


def _final_line(file: IO[bytes]) -> LedgerLine | None:
    """Return the last line, or the end of a run to which forgetting has added lines."""
    size = file.seek(0, os.SEEK_END)
    block = _TAIL
    while True:
        start = max(0, size - block)
        file.seek(start)
        lines, _ = committed(file.read())
        last = None
        for line in reversed(lines[1:] if start else lines):  # the first may be cut
            record = _LINE.validate_json(line)
            last = last or record
            if not isinstance(record, Forgotten):
                return record if isinstance(record, RunFinished) else last
        if start == 0:
            return last
        block *= 4


def parse_line(path: Path, number: int, line: bytes) -> LedgerLine:
    """Return the record of one committed line, ``number`` counted from 1.

    Raises ``DamagedLedger``, which says what field is at fault, and nothing that stands in it.
    """
    try:
        return _LINE.validate_json(line)
    except ValidationError as error:
        raise DamagedLedger(path, number, f"{tell_fault(error)}.") from None


def check_schema(path: Path, line: bytes) -> None:
    """Refuse a later version's ledger before its unknown fields look like damage."""
    head = from_json(line) if is_json(line) else None
    schema = head.get("schema") if isinstance(head, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise NewerSchema(path, schema, SCHEMA)


def _in_order(path: Path, records: Sequence[LedgerLine]) -> RunStarted:
    started = records[0]
    if not isinstance(started, RunStarted):
        raise DamagedLedger(path, 1, "it does not start with run_started.")
    position, opened, finished = -1, None, False
    for number, record in enumerate(records[1:], 2):
        if isinstance(record, RunStarted):
            raise DamagedLedger(path, number, "a second run_started.")
        if finished and not isinstance(record, Forgotten):
            raise DamagedLedger(path, number, "it stands after run_finished.")
        finished |= isinstance(record, RunFinished)
        if not isinstance(record, ObservedVideo):
            continue
        if record.position <= position:
            raise DamagedLedger(path, number, f"position {record.position} comes after {position}.")
        closes = isinstance(record, Step) and record.position == opened
        if opened is not None and not closes:
            raise DamagedLedger(
                path, number, f"position {record.position} comes before {opened} is closed."
            )
        if isinstance(record, Step):
            position, opened = record.position, None
        else:
            opened = record.position
    return started

"""The order in which lines of a ledger may stand."""

from __future__ import annotations

from pathlib import Path

from store.errors import DamagedLedger
from store.jsonl.base_record import Record
from store.runs.ledger_lines import Forgotten, ObservedVideo, RunFinished, RunStarted, Step


class LineOrder:
    """Checks the order of one ledger's lines, one after the other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = -1
        self._opened: int | None = None
        """Position of a step that is opened and not yet closed."""
        self._is_finished = False

    def check(self, number: int, record: Record) -> None:
        """Take the next line, ``number`` counted from 1; raises ``DamagedLedger``."""
        problem = self._find_problem(number, record)
        if problem:
            raise DamagedLedger(self._path, number, problem)

    def _find_problem(self, number: int, record: Record) -> str:
        if number == 1:
            starts = isinstance(record, RunStarted)
            return "" if starts else "it does not start with run_started."
        if isinstance(record, RunStarted):
            return "a second run_started."
        if self._is_finished and not isinstance(record, Forgotten):
            return "it stands after run_finished."
        self._is_finished |= isinstance(record, RunFinished)
        return self._take_video(record) if isinstance(record, ObservedVideo) else ""

    def _take_video(self, record: ObservedVideo) -> str:
        if record.position <= self._position:
            return f"position {record.position} comes after {self._position}."
        closes = isinstance(record, Step) and record.position == self._opened
        if self._opened is not None and not closes:
            return f"position {record.position} comes before {self._opened} is closed."
        if isinstance(record, Step):
            self._position, self._opened = record.position, None
        else:
            self._opened = record.position
        return ""

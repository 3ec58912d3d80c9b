"""Follows the journal and the ledgers as they grow: what was read once is not read again.

Of each ledger only counts and its last video stay in memory, of the journal what it amounts to.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from pathlib import Path

from agent.daemon.journal.damage import VERIFY, JournalReader
from agent.daemon.journal.events import AnyEvent, ChildEnded, OccurrenceSkipped
from agent.daemon.journal.run_tally import QUARTER_S, RunTally
from agent.daemon.journal.state import State
from agent.daemon.machine_clock import OF_THE_MACHINE
from store.errors import DataUnreadable, StoreError
from store.jsonl.append_only import divide
from store.jsonl.hash_chain import body_of
from store.runs.data_folder import LEDGER, DataFolder

SHOWN = 20
"""Failures that are kept; what else happens is folded into the state."""


@dataclass(frozen=True)
class CalendarDay:
    """A calendar day of a time zone, which may be longer or shorter than 24 hours."""

    first: int
    """Its first quarter of an hour since 1970; no zone is off by less."""
    end: int

    @classmethod
    def of(cls, moment: datetime, zone: tzinfo) -> CalendarDay:
        date = moment.astimezone(zone).date()
        midnights = [
            datetime.combine(on, time(), zone).timestamp()
            for on in (date, date + timedelta(days=1))
        ]
        first, end = (int(seconds) // QUARTER_S for seconds in midnights)
        return cls(first, end)

    def count(self, quarters: Counter[int]) -> int:
        return sum(counted for at, counted in quarters.items() if self.first <= at < self.end)


class GrowingFile:
    """A file of JSON lines that only grows, unless it is replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: tuple[int, int] | None = None
        self._offset = 0

    def more(self) -> tuple[list[bytes], bool]:
        """Return lines committed since the last call, and whether the file was replaced since.

        The lines are as they stand, with their seals.
        """
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return [], False
        seen = (found.st_ino, found.st_size)
        if seen == self._file:
            return [], False
        replaced = self._file is not None and (
            found.st_ino != self._file[0] or found.st_size < self._offset
        )
        if replaced:
            self._offset = 0
        with self.path.open("rb") as file:
            file.seek(self._offset)
            raw = file.read()
        lines, torn = divide(raw)
        self._offset += len(raw) - torn
        self._file = seen
        return lines, replaced


class Events:
    """What the journal's events amount to, and the latest that did not end well."""

    def __init__(self, path: Path) -> None:
        self._file = GrowingFile(path)
        self._forget()

    def _forget(self) -> None:
        self.state = State()
        self.failures: deque[ChildEnded | OccurrenceSkipped] = deque(maxlen=SHOWN)
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """How often an entry ended how, since the journal began."""
        self.reader = JournalReader(self._file.path)

    def catch_up(self) -> None:
        """Take in what is new; raises ``DataUnreadable`` where nothing can be read."""
        try:
            lines, replaced = self._file.more()
        except OSError as error:
            raise DataUnreadable(self._file.path, error.strerror or str(error)) from None
        if replaced:
            self._forget()
        for event in self.reader.read(lines):
            self._take(event)

    def _take(self, event: AnyEvent) -> None:
        self.state.apply_event(event)
        if not isinstance(event, ChildEnded | OccurrenceSkipped):
            return
        outcome = event.outcome if isinstance(event, ChildEnded) else "skipped"
        self.outcomes[event.entry, outcome] += 1
        if outcome not in ("complete", "interrupted", "busy"):
            self.failures.append(event)


class Ledgers:
    """Every run of a data folder, as a tally."""

    def __init__(self, data: DataFolder) -> None:
        self._data = data
        self._files: dict[str, tuple[GrowingFile, RunTally]] = {}

    def now(self, only: Collection[str] | None = None) -> list[RunTally]:
        """Return the runs that have begun and tell whose they are, by start; ``only`` of these."""
        try:
            names = {item.name for item in os.scandir(self._data.runs_dir)}
        except FileNotFoundError:
            names = set()
        if only is not None:
            names &= set(only)
        for gone in self._files.keys() - names:
            del self._files[gone]
        found = [self._follow(name) for name in names]
        begun = [tally for tally in found if tally.head is not None]
        return sorted(begun, key=lambda tally: (tally.begun.at, tally.run_id))

    @property
    def damaged(self) -> list[RunTally]:
        """Runs that cannot be read as a whole, as of the last look."""
        found = [tally for _, tally in self._files.values() if tally.lost]
        return sorted(found, key=lambda tally: tally.run_id)

    @property
    def nameless(self) -> list[RunTally]:
        """Those of them whose first line does not tell whose they are."""
        return [tally for tally in self.damaged if tally.head is None]

    def _follow(self, name: str) -> RunTally:
        if name not in self._files:
            path = self._data.runs_dir / name / LEDGER
            self._files[name] = GrowingFile(path), RunTally(name, path)
        file, tally = self._files[name]
        try:
            if not tally.lines and file.path.exists():
                self._data.ledger_path(name)  # a hostile name, or a link to elsewhere
            lines, replaced = file.more()
        except StoreError as error:
            if not tally.lost:
                tally.note_loss(str(error))
            return tally
        except OSError as error:
            if error.errno in OF_THE_MACHINE:
                raise
            if not tally.lost:
                tally.note_loss(f"it cannot be read ({error.strerror}). Type: {VERIFY}")
            return tally
        if replaced:
            tally = RunTally(name, file.path)
            self._files[name] = file, tally
        for line in lines:
            tally.add_line(body_of(line))
        return tally

"""Follows the journal and the ledgers as they grow: what was read once is not read again.

Of each ledger only counts and its last video stay in memory, of the journal what it amounts to.
Refuses to know what is shown of it (``status``) and to write anything.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from agent.daemon.journal import AnyEvent, Ended, Skipped, parse
from agent.daemon.state import State
from store.data import DataFolder
from store.lines import committed
from store.records import PersonaRecord, Phase, Windows

NO, YES, MISSING = 0, 1, 2
"""An eligible step's answer, as the byte that is kept of it."""
SHOWN = 20
"""Failures that are kept; what else happens is folded into the state."""
QUARTER_S = 900
_FREE = ("embedded/", "scripted/", "hfvlm/")


@dataclass(frozen=True)
class Day:
    """A calendar day of a time zone, which may be longer or shorter than 24 hours."""

    first: int
    """Its first quarter of an hour since 1970; no zone is off by less."""
    end: int
    """The first quarter after it."""

    @classmethod
    def of(cls, moment: datetime, zone: tzinfo) -> Day:
        """Return the day on which a moment lies in a time zone."""
        date = moment.astimezone(zone).date()
        midnights = [
            datetime.combine(on, time(), zone).timestamp()
            for on in (date, date + timedelta(days=1))
        ]
        first, end = (int(seconds) // QUARTER_S for seconds in midnights)
        return cls(first, end)

    def count(self, quarters: Counter[int]) -> int:
        """Add up what was counted on this day."""
        return sum(counted for at, counted in quarters.items() if self.first <= at < self.end)


class Grown:
    """A file of JSON lines that only grows, unless it is replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: tuple[int, int] | None = None
        self._offset = 0

    def more(self) -> tuple[list[bytes], bool]:
        """Committed lines that are new since the last call, and whether it was replaced since."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
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
        lines, torn = committed(raw)
        self._offset += len(raw) - torn
        self._file = seen
        return lines, replaced


class Events:
    """What the journal's events amount to, and the latest that did not end well."""

    def __init__(self, path: Path) -> None:
        self._file = Grown(path)
        self._forget()

    def _forget(self) -> None:
        self.state = State()
        self.failures: deque[Ended | Skipped] = deque(maxlen=SHOWN)
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """How often an entry ended how, since the journal began."""

    def catch_up(self) -> None:
        """Take in what is new."""
        lines, replaced = self._file.more()
        if replaced:
            self._forget()
        for line in lines:
            self._take(parse(line))

    def _take(self, event: AnyEvent) -> None:
        self.state.take(event)
        if not isinstance(event, Ended | Skipped):
            return
        outcome = event.outcome if isinstance(event, Ended) else "skipped"
        self.outcomes[event.entry, outcome] += 1
        if outcome not in ("complete", "interrupted", "busy"):
            self.failures.append(event)


@dataclass(slots=True)
class Tally:
    """One run, as far as a person looks at it."""

    run_id: str
    started: dict[str, Any] = field(default_factory=dict)
    """First line without its configuration; empty until it was read."""
    windows: Windows = field(default_factory=Windows)
    answers: dict[Phase, bytearray] = field(default_factory=dict)
    """One byte an eligible step."""
    steps: int = 0
    last: dict[str, Any] | None = None
    """The last step; of one that is finished nothing."""
    finished: bool = False
    problem: str | None = None
    watched: Counter[int] = field(default_factory=Counter)
    """Steps in each quarter of an hour since 1970 (``Day``)."""
    cost: Counter[int] = field(default_factory=Counter)
    """US dollars in each quarter of an hour, in millionths."""
    unpriced: int = 0
    """Calls whose price is not known."""

    @property
    def eligible(self) -> int:
        """Steps that count."""
        return sum(map(len, self.answers.values()))

    def take(self, line: bytes) -> None:
        """Take one line of the ledger in."""
        record = from_json(line)
        kind = record["kind"]
        if kind == "run_started":
            self._start(record)
        elif kind == "step":
            self._step(record)
        elif kind == "run_finished":
            self.finished, self.last = True, None

    def _start(self, record: dict[str, Any]) -> None:
        self.windows = Windows.model_validate(record["windows"])
        names = (
            "persona", "platform", "strategy", "model", "arm", "account", "at", "config_hash",
        )  # fmt: skip
        self.started = {name: record[name] for name in names}
        self.started["persona"] = PersonaRecord.model_validate(record["persona"])
        self.started["at"] = datetime.fromisoformat(record["at"])
        self.started |= {name: record["config"].get(name) for name in ("study", "cell")}

    def _step(self, record: dict[str, Any]) -> None:
        self.steps = record["position"] + 1
        judged = record["judgement"]
        quarter = int(datetime.fromisoformat(record["at"]).timestamp()) // QUARTER_S
        self.watched[quarter] += 1
        usage = judged["usage"]
        if usage["cost_usd"]:
            self.cost[quarter] += round(1e6 * usage["cost_usd"])
        elif usage["cost_usd"] is None and usage["calls"] and not usage["cached"]:
            self.unpriced += 0 if self.started["model"].startswith(_FREE) else usage["calls"]
        if record["excluded"] is None:
            answer = {"yes": YES, "no": NO}.get(judged["answer"], MISSING)
            self.answers.setdefault(record["phase"], bytearray()).append(answer)
        self.last = record


class Ledgers:
    """Every run of a data folder, as a tally."""

    def __init__(self, data: DataFolder) -> None:
        self._data = data
        self._files: dict[str, tuple[Grown, Tally]] = {}

    def now(self) -> list[Tally]:
        """Return the runs that have begun, by start."""
        try:
            names = {item.name for item in os.scandir(self._data.runs_dir)}
        except FileNotFoundError:
            names = set()
        for gone in self._files.keys() - names:
            del self._files[gone]
        found = [self._follow(name) for name in names]
        begun = [tally for tally in found if tally.started]
        return sorted(begun, key=lambda tally: (tally.started["at"], tally.run_id))

    def _follow(self, name: str) -> Tally:
        if name not in self._files:
            self._files[name] = Grown(self._data.ledger_path(name)), Tally(name)
        file, tally = self._files[name]
        lines, replaced = file.more()
        if replaced:
            tally = Tally(name)
            self._files[name] = file, tally
        try:
            for line in lines:
                tally.take(line)
        except (ValueError, KeyError, TypeError) as error:
            tally.problem = f"its ledger cannot be read ({type(error).__name__})"
        return tally

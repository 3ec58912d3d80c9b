"""Lines of a journal or a ledger that cannot be read: told by file and line, and set aside.

One such line takes nothing else with it. A lost line of the journal may have held something back:
then the daemon pauses and asks a person, and otherwise it goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from agent.daemon.journal.events import AnyEvent, PauseChanged, parse_event
from agent.daemon.journal.state import State
from agent.run_config import FrozenValue
from store.errors import DataUnreadable, DataUnwritable
from store.jsonl.append_only import divide
from store.jsonl.atomic import write_whole
from store.jsonl.base_record import tell_fault
from store.jsonl.hash_chain import ChainWalk, reseal

MEND = "python -m agent daemon --mend"
VERIFY = "python -m store verify"
SHOWN = 20
"""Unreadable lines of one file that are told one by one; more are only counted."""
_KIND = re.compile(rb'"kind": ?"([a-z_]+)"')
_HARMLESS = {
    b"daemon_started",
    b"daemon_stopped",
    b"file_taken",
    b"file_refused",
    b"queued",
    b"started",
    b"ended",
    b"skipped",
    b"asked",
    b"noticed",
}
"""Kinds without which the ledgers still tell what is due; the others hold starts back."""


class UnreadableLine(FrozenValue):
    """A line that cannot be read, where it stands, and what a person types."""

    file: str
    """Path below the data folder."""
    line: int
    problem: str
    command: str


class JournalReader:
    """Reads the journal line by line, and remembers the lines that it cannot read."""

    def __init__(self, path: Path) -> None:
        self._name = f"{path.parent.name}/{path.name}"
        self.lines = 0
        self.unreadable: list[UnreadableLine] = []
        self.lost = 0
        """Those included that are not told one by one."""
        self.may_hold = False
        """Whether a lost line may have been a pause, a wall or an open breaker."""

    def read(self, lines: Iterable[bytes]) -> list[AnyEvent]:
        return [event for line in lines if (event := self._read(line)) is not None]

    def read_sealed(self, lines: Iterable[bytes]) -> Iterator[tuple[bytes, AnyEvent]]:
        """Read a journal from its first line on; one that was changed cannot be read either."""
        walk = ChainWalk()
        for line in lines:
            body, fault = walk.take(line)
            if (event := self._read(body, fault)) is not None:
                yield body, event

    def _read(self, line: bytes, fault: str | None = None) -> AnyEvent | None:
        self.lines += 1
        try:
            event = parse_event(line)
        except ValidationError as error:
            event, fault = None, f"{tell_fault(error)}."
        if fault is not None:
            self._lose(line, fault)
        return event if fault is None else None

    def _lose(self, line: bytes, problem: str) -> None:
        self.lost += 1
        kind = _KIND.search(line)
        self.may_hold |= kind is None or kind[1] not in _HARMLESS
        if len(self.unreadable) < SHOWN:
            one = UnreadableLine(file=self._name, line=self.lines, problem=problem, command=MEND)
            self.unreadable.append(one)

    def summary(self) -> str | None:
        if not self.lost:
            return None
        first = self.unreadable[0]
        more = f" and {self.lost - 1} more" if self.lost > 1 else ""
        return (
            f"line {first.line} of {self._name}{more} cannot be read. "
            f"End the daemon, then type: {MEND}"
        )


def read_journal(path: Path) -> tuple[list[AnyEvent], JournalReader]:
    """Read what can be read of a journal; raises ``DataUnreadable`` where nothing can."""
    reader = JournalReader(path)
    return [event for _, event in reader.read_sealed(divide(_content(path))[0])], reader


def mend_journal(path: Path, at: datetime) -> Path | None:
    """Set a damaged journal aside, and return where; what can be read of it goes on.

    The whole of it is kept beside the journal, and is on the disk before the journal is replaced.
    Where a lost line may have held something back, and nobody was asked yet, the mended journal
    ends in a pause. Nothing is done, and nothing returned, where nothing is damaged. Raises
    ``DataUnreadable`` and ``DataUnwritable``; the journal is then as it was.
    """
    content = _content(path)
    reader = JournalReader(path)
    readable, state = [], State()
    lines = divide(content)[0]
    for line, event in reader.read_sealed(lines):
        readable.append(line)
        state.apply_event(event)
    if not reader.lost:
        return None
    if reader.may_hold and "journal" not in state.troubles:
        readable.append(PauseChanged(at=at, entry=None, paused=True).model_dump_json().encode())
    aside = _free_name(path, at)
    try:
        write_whole(aside, content)
        write_whole(path, reseal([lines], readable))
    except OSError as error:
        raise DataUnwritable(path, error.strerror or str(error)) from None
    return aside


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise DataUnreadable(path, error.strerror or str(error)) from None


def _free_name(path: Path, at: datetime) -> Path:
    made = f"{path.stem}-damaged-{at:%Y%m%dT%H%M%SZ}"
    aside, number = path.with_name(f"{made}{path.suffix}"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{made}-{number}{path.suffix}")
    return aside

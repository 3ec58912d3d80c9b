"""Which of several copies of one run's ledger stands: the longest, and what was forgotten.

A copy that begins like another and goes on is that run, longer. Forgetting rewrites lines, so a
redacted copy is known by what redaction leaves: all else, as records, since it writes out fields
that an older version left away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from store.jsonl.append_only import committed
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger, LedgerLine, parse, parse_line
from store.runs.ledger_lines import Fault, Forgotten, RunStarted
from store.runs.ledger_site_lines import FeedBatch


@dataclass(frozen=True)
class LedgerCopy:
    """One folder's copy of a run's ledger."""

    data: DataFolder
    ledger: Ledger
    lines: tuple[bytes, ...]
    """Without seals, newlines or a torn end."""
    content: bytes
    """As it stands, without a torn end."""

    @classmethod
    def parse(cls, data: DataFolder, run_id: str, content: bytes) -> LedgerCopy:
        """Make a copy of the bytes of its file; raises as `ledger.read`."""
        lines, torn = committed(content)
        whole = content[: len(content) - torn]
        return cls(data, parse(data.ledger_path(run_id), content), tuple(lines), whole)

    @cached_property
    def emptied(self) -> frozenset[int]:
        """Positions of steps that were forgotten."""
        return frozenset(place for line in self.ledger.forgotten for place in line.positions)

    @cached_property
    def hidden(self) -> frozenset[int]:
        """Those, and steps in which a name was replaced."""
        edited = (place for line in self.ledger.forgotten for place in line.edited)
        return self.emptied.union(edited)

    @cached_property
    def frames(self) -> frozenset[str]:
        return frozenset(frame.sha256 for step in self.ledger.seen for frame in step.frames)

    @cached_property
    def _outline(self) -> list[LedgerLine]:
        """Each line that forgetting did not add, without what it may rewrite anywhere."""
        numbered = enumerate(self.lines, 1)
        records = [parse_line(self.ledger.path, number, line) for number, line in numbered]
        return [_unworded(one) for one in records if not isinstance(one, Forgotten)]

    def covers(self, other: LedgerCopy) -> bool:
        """Whether this is the other run's copy, as long or longer, with as much forgotten."""
        forgotten, others = self.ledger.forgotten, other.ledger.forgotten
        if not forgotten or len(others) > len(forgotten) or not other.hidden <= self.hidden:
            return False
        mine, theirs = self._outline, other._outline
        if len(theirs) > len(mine):
            return False
        for one, his in zip(mine, theirs, strict=False):
            if _place(one) != _place(his) or (one != his and _place(one)[1] not in self.hidden):
                return False
        return True


def _place(line: LedgerLine) -> tuple[str, int | None, datetime | None]:
    """Kind, position and time, as far as the line has them: what a site listed has no time."""
    return line.kind, getattr(line, "position", None), getattr(line, "at", None)


def _unworded(line: LedgerLine) -> LedgerLine:
    """A line without the fields that forgetting may rewrite whatever its position."""
    if isinstance(line, RunStarted):
        return line.model_copy(update={"schema_": 0})
    if isinstance(line, Fault):
        return line.model_copy(update={"message": "", "details": {}})
    return line.model_copy(update={"order": ()}) if isinstance(line, FeedBatch) else line


def longer_copy(first: LedgerCopy, second: LedgerCopy) -> LedgerCopy | None:
    """Return the copy that holds all of the other; ``None`` where neither does."""
    for one, other in ((first, second), (second, first)):
        if one.lines[: len(other.lines)] == other.lines or one.covers(other):
            return one
    return None


def choose_copy(copies: Sequence[LedgerCopy]) -> LedgerCopy | None:
    """Return the copy that holds all others; ``None`` where they contradict each other."""
    best = copies[0]
    for copy in copies[1:]:
        longer = longer_copy(best, copy)
        if longer is None:
            return None
        best = longer
    return best

"""How long a model is asked that does not reply: attempts at a question, silences in a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.errors import ModelSilent
from store.jsonl.answer_file import UNANSWERED


@dataclass(frozen=True)
class Patience:
    """What is put up with before a question, or a whole sitting, is given up."""

    attempts: int = 3  # how often a question that no reply came to is asked, over all sittings
    in_a_row: int = 10  # questions without a reply in a row that end a sitting; 0: however many

    def streak(self, due: int, before: int) -> Streak:
        """Return what counts over a sitting of ``due`` questions.

        One of few questions ends when none has a reply. ``before`` are the silences that the former
        sitting ended with; one question at least is asked.
        """
        limit = min(self.in_a_row, due)
        return Streak(limit, min(before, max(limit - 1, 0)))


DEFAULT = Patience()


class Streak:
    """Counts questions in a row that no reply came to, up to a limit; 0: without one."""

    def __init__(self, limit: int = 0, before: int = 0) -> None:
        self._limit = limit
        self._length = before

    def count(self, missing: str | None, fault: str | None = None) -> None:
        """Take one reading, and the fault behind it, into account.

        Raises ``ModelSilent`` at the limit.
        """
        if missing not in UNANSWERED:
            self._length = 0
            return
        self._length += 1
        if 0 < self._limit <= self._length:
            raise ModelSilent(self._length, fault or missing)


def trailing(readings: Sequence[str | None]) -> int:
    """Count the questions without a reply at the end, in order of time."""
    answers = [place for place, missing in enumerate(readings) if missing not in UNANSWERED]
    return len(readings) - (answers[-1] + 1 if answers else 0)

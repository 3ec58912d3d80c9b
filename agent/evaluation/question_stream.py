"""A stream of questions: several under way at a time, the next asked as soon as one is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from time import monotonic
from typing import Generic, Protocol, TypeVar

from agent.errors import BudgetSpent, ModelSilent
from agent.judge.retry_limits import Streak

COMMIT_ANSWERS = 32
"""So many answers are committed together at the latest."""
COMMIT_S = 1.0
"""Seconds that an answer waits for its commit at most, while questions are under way."""


class StreamedAnswer(Protocol):
    """What a question came to: an answer, or the reason why there is none."""

    @property
    def missing(self) -> str | None: ...


_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer", bound=StreamedAnswer)


@dataclass
class QuestionStream(Generic[_Asked, _Answer]):
    """Questions that are under way together, and what came of those that are answered.

    ``at_once`` says how many may be under way by now. ``keep`` commits answers: up to
    ``COMMIT_ANSWERS`` at a time, every ``COMMIT_S`` seconds, and at the end however it ends.
    """

    questions: Iterable[_Asked]
    at_once: Callable[[], int]
    keep: Callable[[Sequence[tuple[_Asked, _Answer]]], None] = lambda _: None
    streak: Streak = field(default_factory=Streak)
    answered: list[tuple[_Asked, _Answer]] = field(default_factory=list)
    ended: BudgetSpent | ModelSilent | None = None
    """Why nothing more is asked."""
    _open: int = 0
    _held: list[_Asked] = field(default_factory=list)
    """What the cap has no room for while so much is reserved for the others under way."""
    _kept: int = 0
    _kept_at: float = 0.0

    async def answer(self, ask: Callable[[_Asked], Awaitable[_Answer]]) -> None:
        """Answer every question; the first failure ends the others.

        A spent budget and a silent model are no failures: what is under way is waited for. A
        question that a cap has no room for is put again once the others are settled.
        """
        left = iter(self.questions)
        under_way: set[asyncio.Task[None]] = set()
        self._kept_at = monotonic()
        try:
            while self._start_more(under_way, left, ask):
                done, under_way = await asyncio.wait(
                    under_way, timeout=self._until_commit(), return_when=asyncio.FIRST_COMPLETED
                )
                for error in [task.exception() for task in done]:  # all are looked at
                    if error is not None:
                        raise error
                if self._until_commit() == 0 or len(self.answered) - self._kept >= COMMIT_ANSWERS:
                    self._commit()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
            self._commit()

    def _start_more(
        self,
        under_way: set[asyncio.Task[None]],
        left: Iterator[_Asked],
        ask: Callable[[_Asked], Awaitable[_Answer]],
    ) -> bool:
        """Start as many questions as there is room for; tell whether any is under way."""
        if self._held and under_way:
            return True
        first, self._held = iter(self._held), []
        while self.ended is None and len(under_way) < self.at_once():
            for question in chain(first, left):
                under_way.add(asyncio.create_task(self._answer_one(question, ask)))
                self._open += 1
                break
            else:
                break
        self._held = [*first]
        return bool(under_way)

    async def _answer_one(
        self, question: _Asked, ask: Callable[[_Asked], Awaitable[_Answer]]
    ) -> None:
        try:
            if self.ended is not None:  # meanwhile
                return
            answer = await ask(question)
            self.answered.append((question, answer))
            self.streak.count(answer.missing)
        except BudgetSpent as fault:
            if self._open > 1:  # calls are reserved at the most that they may cost
                self._held.append(question)
            else:
                self.ended = self.ended or fault
        except ModelSilent as fault:
            self.ended = self.ended or fault
        finally:
            self._open -= 1

    def _until_commit(self) -> float | None:
        """Seconds until what is answered is committed; ``None`` where nothing is."""
        if len(self.answered) == self._kept:
            return None
        return max(0.0, self._kept_at + COMMIT_S - monotonic())

    def _commit(self) -> None:
        answered = self.answered[self._kept :]
        self._kept, self._kept_at = len(self.answered), monotonic()
        self.keep(answered)

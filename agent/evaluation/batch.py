"""Answers to many questions about stored frames: several at a time, kept in batches, under a cap.

What was answered was paid for, so it is kept whatever happens to the rest. What each call cost is
in the book of payments, so that a cap holds over sittings and kills. Refuses to know what is asked.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from agent.errors import BudgetSpent, ModelSilent
from agent.judge.budget import ModelAccount, Spending
from agent.judge.patience import Streak
from agent.models.metering import CappedAccounts
from store.jsonl.keyed import KeyedWriter
from store.runs.data_folder import DataFolder
from store.runs.payments import PaymentBook
from store.runs.records import Judgement, Usage

BATCH = 32
"""Answers committed together."""
AT_ONCE = 8
"""Questions under way at the same time."""
LOST = ".lost.json"
"""Ends the name of the file in which older versions kept what was paid for no answer."""


class BatchAnswer(Protocol):
    """What a question came to: an answer, or the reason why there is none."""

    @property
    def missing(self) -> str | None:
        """Why there is no answer; ``None`` where there is one."""
        ...


_Question = TypeVar("_Question")
_Answer = TypeVar("_Answer", bound=BatchAnswer)


@dataclass
class Batch(Generic[_Question, _Answer]):
    """Questions whose answers are committed together."""

    questions: Sequence[_Question]
    streak: Streak = field(default_factory=Streak)
    answered: list[tuple[_Question, _Answer]] = field(default_factory=list)
    ended: BudgetSpent | ModelSilent | None = None
    """Why nothing more is asked."""

    async def answer(self, judge: Callable[[_Question], Awaitable[_Answer]]) -> None:
        """Answer, several at a time; the first failure ends the others.

        A spent budget and a silent model are no failures: what is under way is waited for.
        """
        places = asyncio.Semaphore(AT_ONCE)

        async def one(question: _Question) -> None:
            async with places:
                if self.ended is None:
                    await self._put(question, judge)

        try:
            async with asyncio.TaskGroup() as group:
                for question in self.questions:
                    group.create_task(one(question))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _put(
        self, question: _Question, judge: Callable[[_Question], Awaitable[_Answer]]
    ) -> None:
        try:
            answer = await judge(question)
            self.answered.append((question, answer))
            self.streak.count(answer.missing)
        except (BudgetSpent, ModelSilent) as fault:
            self.ended = self.ended or fault


async def sit(
    due: Sequence[_Question],
    judge: Callable[[_Question], Awaitable[_Answer]],
    keep: Callable[[Batch[_Question, _Answer]], None],
    tell: Callable[[int], None],
    streak: Streak,
) -> list[_Answer]:
    """Answer what is due in batches, each of which is kept however it ends.

    Parameters
    ----------
    tell
        Called with the number of answers that each batch added.
    streak
        Counts the silences of all batches.

    Raises
    ------
    BudgetSpent
        The cap is reached. What was answered is kept.
    ModelSilent
        No reply came to too many questions in a row. The attempts are kept.
    """
    made: list[_Answer] = []
    for start in range(0, len(due), BATCH):
        batch: Batch[_Question, _Answer] = Batch(due[start : start + BATCH], streak)
        try:
            await batch.answer(judge)
        finally:  # what was answered was paid for
            keep(batch)
        if batch.ended is not None:
            raise batch.ended
        made += [answer for _, answer in batch.answered]
        tell(len(batch.answered))
    return made


def keep_lines(file: KeyedWriter[Any]) -> Callable[[Batch[Any, Any]], None]:
    """Return what keeps a batch of lines in a file."""

    def keep(batch: Batch[Any, Any]) -> None:
        file.append([line for _, line in batch.answered])

    return keep


def fewest_first(
    due: Sequence[_Question], attempts: Callable[[_Question], int], seed: int
) -> list[_Question]:
    """Shuffle what is due; what was tried often comes last, so that an outage wears nothing out."""
    order = np.random.default_rng(seed).permutation(len(due))
    return sorted((due[place] for place in order), key=attempts)


def till_of(
    data: DataFolder, paid: Mapping[Path, Iterable[Usage]], now: datetime
) -> CappedAccounts:
    """Open the accounts of files of answers, with what they cost before there was a book."""
    book = PaymentBook(data.payments)
    for path, usages in paid.items():
        before = ModelAccount.of_usages(usages)
        before = replace(before, spent=before.spent + _lost(path))
        book.carry(before.carried(account_of(data, path), now))
    return CappedAccounts(book, tuple(account_of(data, path) for path in paid))


def account_of(data: DataFolder, path: Path) -> str:
    """Name the account that pays for a file of answers, by its place in the data folder."""
    return Path(os.path.relpath(path, data.root)).with_suffix("").as_posix()


def as_given(judged: Judgement) -> Judgement:
    """Return the judgement of an opposite question with the answer as it was given."""
    if judged.answer is None:
        return judged
    turned = "no" if judged.answer == "yes" else "yes"
    p_yes = None if judged.p_yes is None else 1 - judged.p_yes
    return judged.model_copy(update={"answer": turned, "p_yes": p_yes})


def _lost(path: Path) -> Spending:
    """Return what was paid for no answer, as older versions kept it beside a file."""
    kept = path.with_suffix(LOST)
    return Spending(**json.loads(kept.read_bytes())) if kept.exists() else Spending()

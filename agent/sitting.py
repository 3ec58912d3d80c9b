"""Answers to many questions about stored frames: several at a time, kept in batches, under a cap.

What was answered was paid for, so it is kept whatever happens to the rest; what was paid for no
answer is kept beside the answers, so that a cap holds over sittings. Refuses to know what is asked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Generic, TypeVar

from agent.errors import BudgetSpent
from agent.models.budget import Account, Spent
from store.files import write_whole
from store.judgements import JudgementWriter
from store.keyed import KeyedWriter
from store.records import Judgement, Record, Usage
from store.writer import LineWriter

BATCH = 32
"""Answers committed together."""
AT_ONCE = 8
"""Questions under way at the same time."""
LOST = ".lost.json"
"""Ends the name of the file, beside a judge's answers, that holds what was paid for none."""

_Question = TypeVar("_Question")
_Answer = TypeVar("_Answer")
_Line = TypeVar("_Line", bound=Record)


@dataclass
class Batch(Generic[_Question, _Answer]):
    """Questions whose answers are committed together."""

    questions: Sequence[_Question]
    answered: list[tuple[_Question, _Answer]] = field(default_factory=list)
    spent: list[tuple[_Question, BudgetSpent]] = field(default_factory=list)
    """Questions that the cap left without an answer."""

    async def answer(self, judge: Callable[[_Question], Awaitable[_Answer]]) -> None:
        """Answer, several at a time; the first failure ends the others.

        A spent budget is no failure: what is under way fits in it and is waited for.
        """
        places = asyncio.Semaphore(AT_ONCE)

        async def one(question: _Question) -> None:
            async with places:
                if self.spent:
                    return
                try:
                    self.answered.append((question, await judge(question)))
                except BudgetSpent as fault:
                    self.spent.append((question, fault))

        try:
            async with asyncio.TaskGroup() as group:
                for question in self.questions:
                    group.create_task(one(question))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None


async def sit(
    due: Sequence[_Question],
    work: Callable[[_Question], Awaitable[_Line]],
    file: KeyedWriter[Any],
    tell: Callable[[int], None],
) -> list[_Line]:
    """Do work that ends in one line each, in batches that are kept as they come.

    Parameters
    ----------
    tell
        Called with the number of lines that each batch added.

    Raises
    ------
    BudgetSpent
        The cap is reached. What was answered is kept.
    """
    made: list[_Line] = []
    for start in range(0, len(due), BATCH):
        batch: Batch[_Question, _Line] = Batch(due[start : start + BATCH])
        try:
            await batch.answer(work)
        finally:  # what was answered was paid for
            lines = [line for _, line in batch.answered]
            file.append(lines)
            for _, fault in batch.spent:
                lose(file, fault)
        if batch.spent:
            raise batch.spent[0][1]
        made += lines
        tell(len(lines))
    return made


def spent_before(writers: Sequence[JudgementWriter]) -> Account:
    """Add up what earlier sittings spent on these questions."""
    return spent((line.judgement.usage for writer in writers for line in writer.kept), writers)


def spent(usages: Iterable[Usage], writers: Sequence[LineWriter]) -> Account:
    """Add up what was paid for answers, and what for none."""
    account = Account.of_usages(usages)
    lost = sum((_lost(writer) for writer in writers), start=Spent())
    return replace(account, spent=account.spent + lost)


def lose(writer: LineWriter, fault: BudgetSpent) -> None:
    """Keep what was paid for a question that the cap left without an answer."""
    lost = _lost(writer) + Spent(**fault.details.get("lost", {}))
    write_whole(writer.path.with_suffix(LOST), json.dumps(asdict(lost)).encode())


def as_given(judged: Judgement) -> Judgement:
    """Return the judgement of an opposite question with the answer as it was given."""
    if judged.answer is None:
        return judged
    turned = "no" if judged.answer == "yes" else "yes"
    p_yes = None if judged.p_yes is None else 1 - judged.p_yes
    return judged.model_copy(update={"answer": turned, "p_yes": p_yes})


def _lost(writer: LineWriter) -> Spent:
    """Return what was paid for calls that led to no answer before the cap was reached."""
    path = writer.path.with_suffix(LOST)
    return Spent(**json.loads(path.read_bytes())) if path.exists() else Spent()

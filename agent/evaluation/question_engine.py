"""Asks models about stored frames: a stream of questions, several at a time, under a cap.

A question is asked as soon as another is answered, as many at once as the model takes by then.
What was answered was paid for, so it is kept whatever happens to the rest. What each call cost is
in the book of payments, so that a cap holds over sittings and kills. A kind of question says which
`KeyedQuestion`s there are, in which order, and under which header their answers are kept.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from agent.evaluation.question_stream import QuestionStream
from agent.judge.judge import ModelJudge, QuestionForm
from agent.judge.model_under_cap import guarded
from agent.judge.retry_limits import Patience, trailing
from agent.judge.spending_cap import ModelAccount, Spending, SpendingCap
from agent.models import ModelRequest
from agent.models import load as load_model
from agent.models.base import Model
from agent.models.cluster_model import open_cluster_model
from agent.models.local_server import warmed
from agent.models.local_server.warm_model import hold_worker
from agent.models.paid_calls import CappedAccounts, charged_to
from personas.persona import Persona
from store.cluster.ray_cluster import Cluster
from store.jsonl.answer_file import KeyedRecord, KeyedWriter
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import Usage
from store.runs.payment_book import PaymentBook

LOST = ".lost.json"
"""Ends the name of the file in which older versions kept what was paid for no answer."""

Onlooker = Callable[[int, int], None]
"""Told how many questions of how many are answered."""
Order = Callable[[list[Any]], list[Any]]
"""Puts what is due in the order in which it is asked; ``list`` leaves it as it is."""


class PaidRecord(KeyedRecord, Protocol):
    """A question and what came of it, as it is kept, with what that cost."""

    @property
    def usage(self) -> Usage: ...


_Key = TypeVar("_Key", bound=Hashable)
_Line = TypeVar("_Line", bound=PaidRecord)


@dataclass(frozen=True)
class KeyedQuestion(Generic[_Key, _Line]):
    """A question, the file that its answer is kept in, and its key there."""

    key: _Key
    file: KeyedWriter[Any, _Line]
    ask: Callable[[], Awaitable[_Line]]


_Question = TypeVar("_Question", bound=KeyedQuestion[Any, Any])


@dataclass
class AskingProgress:
    """How many of how many questions are answered, as an onlooker is told."""

    onlooker: Onlooker
    total: int
    done: int = 0

    def add(self, more: int) -> None:
        self.done += more
        self.onlooker(self.done, self.total)


@dataclass(frozen=True)
class QuestionEngine:
    """Asks what is due, within a cap and a patience, and keeps every answer in its file."""

    data: DataFolder
    now: datetime
    cap: SpendingCap
    patience: Patience
    onlooker: Onlooker

    def cap_model(self, loaded: Model, files: Iterable[KeyedWriter[Any, Any]]) -> Model:
        """Put the cap around a model, over all that these files of answers cost and will cost.

        Raises
        ------
        BadConfig
            The cap could not be held.
        DamagedLedger
            A committed line of the book is no payment.
        """
        book = PaymentBook(self.data.payments)
        accounts = []
        for file in files:
            account = self._account_of(file)
            before = ModelAccount.of_usages(line.usage for line in file.kept)
            before = replace(before, spent=before.spent + _read_lost(file.path))
            book.carry(before.carried(account, self.now))
            accounts.append(account)
        capped = CappedAccounts(book, tuple(accounts))
        return guarded(loaded, self.cap, capped, self.data.replies_dir)

    def due(self, questions: Iterable[_Question]) -> list[_Question]:
        """Leave out what was answered, or asked as often as is put up with."""
        attempts = self.patience.attempts
        return [question for question in questions if question.file.due(question.key, attempts)]

    async def run(
        self,
        model: Model,
        questions: Sequence[KeyedQuestion[Any, _Line]],
        after: Iterable[KeyedWriter[Any, Any]],
        order: Order,
        progress: AskingProgress | None = None,
    ) -> list[_Line]:
        """Ask what is due, as many at once as the model takes, and keep it however it ends.

        Parameters
        ----------
        after
            Files whose former sittings may have ended in silences, which are counted on.

        Raises
        ------
        BudgetSpent
            The cap is reached. What was answered is kept.
        ModelSilent
            No reply came to too many questions in a row. The attempts are kept.
        """
        due: list[KeyedQuestion[Any, _Line]] = order(self.due(questions))
        progress = progress or AskingProgress(self.onlooker, len(questions))
        progress.add(len(questions) - len(due))
        silences = sum(trailing([line.missing for line in file.kept]) for file in after)

        def keep(answered: Sequence[tuple[KeyedQuestion[Any, _Line], _Line]]) -> None:
            if answered:
                _keep_answers(answered)
                progress.add(len(answered))

        stream = QuestionStream(
            due, lambda: model.at_once, keep, self.patience.streak(len(due), silences)
        )
        await stream.answer(self._ask)
        if stream.ended is not None:
            raise stream.ended
        return [line for _, line in stream.answered]

    async def _ask(self, question: KeyedQuestion[Any, _Line]) -> _Line:
        with charged_to(self._account_of(question.file)):
            return await question.ask()

    def _account_of(self, file: KeyedWriter[Any, Any]) -> str:
        """Name the account that pays for a file, by the file's place in the data folder."""
        return Path(os.path.relpath(file.path, self.data.root)).with_suffix("").as_posix()


def _keep_answers(answered: Sequence[tuple[KeyedQuestion[Any, _Line], _Line]]) -> None:
    lines: dict[KeyedWriter[Any, _Line], list[_Line]] = {}
    for question, line in answered:
        lines.setdefault(question.file, []).append(line)
    for file, of_file in lines.items():
        file.append(of_file)


def _read_lost(path: Path) -> Spending:
    """Return what was paid for no answer, as older versions kept it beside a file."""
    kept = path.with_suffix(LOST)
    return Spending(**json.loads(kept.read_bytes())) if kept.exists() else Spending()


def fewest_first(due: Sequence[_Question]) -> list[_Question]:
    """Put what was tried often last, so that an outage wears nothing out."""
    return sorted(due, key=lambda question: question.file.attempts(question.key))


def shuffled(seed: int) -> Order:
    """Shuffle what is due; what was tried often comes last all the same."""

    def order(due: list[_Question]) -> list[_Question]:
        places = np.random.default_rng(seed).permutation(len(due))
        return fewest_first([due[place] for place in places])

    return order


async def open_models(stack: AsyncExitStack, wanted: Sequence[ModelRequest]) -> list[Model]:
    """Load models, each with the server or the cluster that it needs, until the stack is closed."""
    for name in sorted({each.name for each in wanted}):
        await stack.enter_async_context(warmed(name))
    addresses = {each.cluster for each in wanted if each.cluster is not None}
    clusters = {where: stack.enter_context(Cluster.connect(where)) for where in addresses}
    models = []
    for each in wanted:
        if each.cluster is None:
            loaded = await _load(each)
        else:
            loaded = await open_cluster_model(clusters[each.cluster], each.name, each.settings)
        stack.push_async_callback(loaded.close)
        models.append(loaded)
    return models


async def _load(wanted: ModelRequest) -> Model:
    async with hold_worker(wanted.name, wanted.settings):
        return await asyncio.to_thread(
            load_model,
            wanted.name,
            wanted.revision,
            wanted.settings,
            wanted.connections,
            wanted.batch,
        )


class JudgePanel:
    """One model as judges of one strategy: as each persona, in each form of the question."""

    def __init__(self, model: Model, strategy: str) -> None:
        self._model = model
        self._strategy = strategy
        self._judges: dict[Hashable, ModelJudge] = {}

    def judge(self, persona: Persona | None, form: QuestionForm) -> ModelJudge:
        who = None if persona is None else (persona.id, persona.traits)
        if (who, form) not in self._judges:
            judge = ModelJudge.of(self._model, self._strategy, persona, form)
            self._judges[who, form] = judge
        return self._judges[who, form]

"""The engine under every kind of question: batches, files, accounts, progress, resuming."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from agent.evaluation.question_engine import (
    BATCH,
    KeyedQuestion,
    QuestionEngine,
    shuffled,
)
from agent.judge.model_under_cap import NO_CAP
from agent.judge.retry_limits import Patience
from agent.models.paid_calls import CappedAccounts
from store.jsonl.answer_file import KeyedWriter
from store.runs.data_folder import DataFolder
from store.runs.payment_book import PaymentBook
from tests.store.jsonl.test_answer_file import TASTED, Sip, Taster
from tests.store.samples import START

Cup = KeyedQuestion[int, Sip]
CUPS = 40


async def sip(cup: int) -> Sip:
    await asyncio.sleep(0)
    return Sip(cup=cup)


class Tasting:
    """A made-up kind of question: cups, of which the even and the odd have a file each."""

    def __init__(self, root: Path) -> None:
        self.data = DataFolder(root)
        self.told: list[tuple[int, int]] = []
        self.asked: Counter[int] = Counter()
        self.payers: dict[int, str] = {}

    def run(
        self, ask: Callable[[int], Sip | None] = lambda _: None, patience: Patience | None = None
    ) -> list[Sip]:
        """Ask about every cup that is due; ``ask`` may answer otherwise or raise."""
        patience = patience or Patience()
        engine = QuestionEngine(self.data, START, NO_CAP, patience, self.look_on)
        with self.open("even") as even, self.open("odd") as odd:
            files = [even, odd]
            questions = [Cup(cup, files[cup % 2], partial(self._ask, ask, cup)) for cup in ALL]
            return asyncio.run(engine.run(questions, files, shuffled(1)))

    def look_on(self, done: int, of: int) -> None:
        self.told.append((done, of))

    def open(self, name: str) -> KeyedWriter[Taster, Sip]:
        path = self.data.root / "tasted" / f"{name}.jsonl"
        return KeyedWriter(path, Taster(model="m"), TASTED.read)

    def kept(self, name: str) -> Sequence[Sip]:
        return TASTED.read(self.data.root / "tasted" / f"{name}.jsonl")[1]

    async def _ask(self, ask: Callable[[int], Sip | None], cup: int) -> Sip:
        self.asked[cup] += 1
        self.payers[cup] = CappedAccounts(PaymentBook(), ("nobody",)).payer
        await asyncio.sleep(0)
        return ask(cup) or Sip(cup=cup)


ALL = range(CUPS)


def test_each_answer_is_kept_in_its_file_and_paid_for_by_it(tmp_path: Path) -> None:
    tasting = Tasting(tmp_path)
    assert len(tasting.run()) == CUPS
    assert {line.cup for line in tasting.kept("even")} == set(range(0, CUPS, 2))
    assert {line.cup for line in tasting.kept("odd")} == set(range(1, CUPS, 2))
    assert {tasting.payers[cup] for cup in range(0, CUPS, 2)} == {"tasted/even"}
    assert {tasting.payers[cup] for cup in range(1, CUPS, 2)} == {"tasted/odd"}
    assert tasting.told == [(0, CUPS), (BATCH, CUPS), (CUPS, CUPS)]
    assert tasting.run() == []
    assert tasting.told[3:] == [(CUPS, CUPS)]
    assert set(tasting.asked.values()) == {1}


def test_a_failure_in_a_later_batch_keeps_what_was_answered(tmp_path: Path) -> None:
    tasting = Tasting(tmp_path)
    calls: list[int] = []

    def breaks(cup: int) -> None:
        calls.append(cup)
        if len(calls) >= BATCH + 3:
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        tasting.run(breaks)
    made = [line.cup for name in ("even", "odd") for line in tasting.kept(name)]
    assert sorted(made) == sorted(calls[: BATCH + 2])
    assert len(tasting.run()) == CUPS - len(made)


def test_what_was_tried_often_comes_last(tmp_path: Path) -> None:
    tasting = Tasting(tmp_path)
    patience = Patience(attempts=3, in_a_row=0)

    def fails(cup: int) -> Sip | None:
        return Sip(cup=cup, missing="failed") if cup < 5 else None

    tasting.run(fails, patience)
    (tasting.data.root / "tasted" / "odd.jsonl").unlink()
    tasting.asked.clear()
    tasting.run(patience=patience)
    assert set(list(tasting.asked)[-3:]) == {0, 2, 4}


def test_the_order_is_that_of_the_seed(tmp_path: Path) -> None:
    with Tasting(tmp_path).open("even") as file:
        cups = [Cup(cup, file, partial(sip, cup)) for cup in ALL]
        one, same, other = ([cup.key for cup in shuffled(seed)(cups)] for seed in (1, 1, 2))
    assert one == same != other
    assert sorted(one) == sorted(other) == list(ALL)

"""The engine under every kind of question: batches, files, accounts, progress, resuming."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from agent.errors import BadConfig, BudgetSpent
from agent.evaluation.question_engine import (
    KeyedQuestion,
    QuestionEngine,
    fewest_first,
    shuffled,
)
from agent.evaluation.question_stream import COMMIT_ANSWERS, QuestionStream
from agent.judge.model_under_cap import NO_CAP
from agent.judge.retry_limits import Patience
from agent.models import scripted
from agent.models.paid_calls import CappedAccounts
from store.jsonl.answer_file import KeyedWriter
from store.runs.data_folder import DataFolder
from store.runs.payment_book import PaymentBook
from tests.store.jsonl.test_answer_file import TASTED, Sip, Taster
from tests.store.samples import START

Cup = KeyedQuestion[int, Sip]
CUPS = 40
TASTER = scripted.load("scripted/yes")


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
            return asyncio.run(engine.run(TASTER, questions, files, shuffled(1)))

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
    assert tasting.told[0] == (0, CUPS)
    assert tasting.told[-1] == (CUPS, CUPS)
    told = len(tasting.told)
    assert tasting.run() == []
    assert tasting.told[told:] == [(CUPS, CUPS)]
    assert set(tasting.asked.values()) == {1}


def test_a_failure_in_a_later_batch_keeps_what_was_answered(tmp_path: Path) -> None:
    tasting = Tasting(tmp_path)
    calls: list[int] = []

    def breaks(cup: int) -> None:
        calls.append(cup)
        if len(calls) >= COMMIT_ANSWERS + 3:
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        tasting.run(breaks)
    made = [line.cup for name in ("even", "odd") for line in tasting.kept(name)]
    assert sorted(made) == sorted(calls[: COMMIT_ANSWERS + 2])
    assert len(tasting.run()) == CUPS - len(made)


def test_a_question_that_lasts_holds_up_no_other_and_no_commit(tmp_path: Path) -> None:
    """The first answer comes after all others, which lie in their files by then."""
    tasting = Tasting(tmp_path)

    def committed() -> int:
        return len([*tasting.kept("even"), *tasting.kept("odd")])

    async def ask(cup: int) -> Sip:
        while cup == 0 and len([*tasting.kept("even"), *tasting.kept("odd")]) < CUPS + 1:  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.02)
        return Sip(cup=cup)

    async def run() -> list[Sip]:
        engine = QuestionEngine(tasting.data, START, NO_CAP, Patience(), tasting.look_on)
        with tasting.open("even") as even, tasting.open("odd") as odd:
            files = [even, odd]
            for file, first in zip(files, (CUPS, CUPS + 1), strict=True):
                file.append([Sip(cup=first)])  # so that there is something to read
            cups = [Cup(cup, files[cup % 2], partial(ask, cup)) for cup in ALL]
            return await asyncio.wait_for(engine.run(TASTER, cups, files, fewest_first), 30)

    made = asyncio.run(run())
    assert [line.cup for line in made][-1] == 0
    assert len(made) == CUPS


def test_as_many_are_under_way_as_the_model_takes_by_then() -> None:
    most, under_way, seen = 2, 0, []

    async def ask(cup: int) -> Sip:
        nonlocal most, under_way
        under_way += 1
        await asyncio.sleep(0.001)
        seen.append((most, under_way))
        under_way -= 1
        most = 2 if cup < 10 else 6 if cup < 30 else 1
        return Sip(cup=cup)

    stream: QuestionStream[int, Sip] = QuestionStream(ALL, lambda: most)
    asyncio.run(stream.answer(ask))
    assert len(stream.answered) == CUPS
    assert max(at_once for _, at_once in seen[:8]) == 2
    assert max(at_once for _, at_once in seen) == 6
    assert seen[-1] == (1, 1)


@pytest.mark.parametrize("at_once", [1, 5, 20])
def test_a_budget_is_used_up_and_then_nothing_more_is_asked(at_once: int) -> None:
    """A cup is held at two while it is asked, and costs one."""
    cap, spent, held = 10, 0, 0
    kept: list[int] = []

    async def ask(cup: int) -> Sip:
        nonlocal spent, held
        if spent + held + 2 > cap:
            raise BudgetSpent("enough", cost_usd=spent, tokens=1)
        held += 2
        await asyncio.sleep(0.001 * (cup % 3))
        held, spent = held - 2, spent + 1
        return Sip(cup=cup)

    stream: QuestionStream[int, Sip] = QuestionStream(
        ALL, lambda: at_once, lambda answered: kept.extend(cup for cup, _ in answered)
    )
    asyncio.run(asyncio.wait_for(stream.answer(ask), 10))
    assert isinstance(stream.ended, BudgetSpent)
    assert len(kept) == len(set(kept)) == spent == cap - 1


def test_questions_that_fail_together_are_told_once() -> None:
    """No traceback of the others follows on the terminal."""
    unread: list[dict[str, object]] = []

    async def ask(cup: int) -> Sip:
        await asyncio.sleep(0)
        raise BadConfig("the key is refused")

    async def answer() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: unread.append(told))
        stream: QuestionStream[int, Sip] = QuestionStream(ALL, lambda: 5)
        with pytest.raises(BadConfig):
            await stream.answer(ask)
        del stream
        gc.collect()

    asyncio.run(answer())
    assert unread == []


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

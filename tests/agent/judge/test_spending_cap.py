"""A cap stops a run within one call, and a restart remembers what was spent."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.errors import BadConfig, BudgetSpent, Filtered
from agent.judge.judge import ModelJudge
from agent.judge.spending_cap import Budgeted, ModelAccount, Spending, SpendingCap
from agent.models import scripted
from agent.models.base import Question, Reply
from agent.models.paid_calls import CappedAccounts
from personas.strategies import build
from store.runs.ledger import LedgerLine
from store.runs.ledger_lines import Fault, Judgement, RunFinished, Usage
from store.runs.payment_book import PaymentBook
from tests.agent.models.made_models import GUITARIST, Recorded, frame
from tests.store.samples import step

QUESTION = Question(build("simple", GUITARIST), (frame(),))
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def dear(tokens: int = 100, cost: float | None = 0.01, text: str = "Yes") -> Recorded:
    """A model whose every call uses that much."""
    reply = Reply(text=text, input_tokens=tokens - 1, output_tokens=1, cost_usd=cost)
    model = Recorded(lambda question: reply)
    model.name = "openai/gpt-4o"
    return model


def till(before: ModelAccount, path: Path | None = None) -> CappedAccounts:
    """A book in which that much was spent before."""
    book = PaymentBook(path)
    book.carry(before.carried("r", NOW))
    return CappedAccounts(book, ("r",))


def ask_until_spent(model: Budgeted, most: int = 100) -> int:
    """Count the answers that were had."""
    judge = ModelJudge.of(model, "simple", GUITARIST)
    for had in range(most):
        try:
            asyncio.run(judge.judge((frame(),), None))
        except BudgetSpent:
            return had
    return most


@pytest.mark.parametrize(
    ("cap", "calls"),
    [
        (SpendingCap(tokens=1000), 10),
        (SpendingCap(tokens=999), 9),
        (SpendingCap(cost_usd=0.055), 5),
        (SpendingCap(cost_usd=0.055, tokens=300), 3),
        (SpendingCap(cost_usd=5, tokens=300), 3),
        (SpendingCap(), 100),
        (SpendingCap(tokens=0), 0),
    ],
)
def test_a_cap_is_never_passed_by_calls_of_one_size(cap: SpendingCap, calls: int) -> None:
    model = dear()
    budgeted = Budgeted(model, cap)
    assert ask_until_spent(budgeted) == calls
    assert len(model.asked) == calls
    assert budgeted.balance.tokens == 100 * calls
    assert cap.allows(Spending(budgeted.balance.cost_usd, budgeted.balance.tokens))


def test_what_was_spent_before_counts() -> None:
    before = ModelAccount(Spending(0.04, 400), calls=4)
    assert ask_until_spent(Budgeted(dear(), SpendingCap(tokens=1000), till(before))) == 6
    assert ask_until_spent(Budgeted(dear(), SpendingCap(cost_usd=0.0501), till(before))) == 1
    assert ask_until_spent(Budgeted(dear(), SpendingCap(tokens=400), till(before))) == 0


def test_restarts_do_not_nibble_past_the_cap() -> None:
    """Each knows from the ledger what a call costs, so none spends one call to find out."""
    cap, lines = SpendingCap(tokens=450), list[LedgerLine]()
    for _ in range(5):
        judge = ModelJudge.of(
            Budgeted(dear(), cap, till(ModelAccount.of(lines))), "simple", GUITARIST
        )
        try:
            while True:
                judgement = asyncio.run(judge.judge((frame(),), None))
                lines.append(step(len(lines), judgement=judgement))
        except BudgetSpent:
            pass
    assert len(lines) == 4


def test_questions_asked_together_do_not_pass_the_cap() -> None:
    async def slow(question: Question) -> Reply:
        await asyncio.sleep(0.01)
        return Reply(text="Yes", input_tokens=99, output_tokens=1, cost_usd=0.0)

    model = Recorded(slow)
    model.name = "openai/gpt-4o"
    budgeted = Budgeted(model, SpendingCap(tokens=500))
    judge = ModelJudge.of(budgeted, "simple", GUITARIST)

    async def together() -> list[Judgement | BaseException]:
        judging = (judge.judge((frame(),), None) for _ in range(20))
        return await asyncio.gather(*judging, return_exceptions=True)

    ended = asyncio.run(together())
    assert sum(isinstance(each, Judgement) for each in ended) == 5
    assert sum(isinstance(each, BudgetSpent) for each in ended) == 15
    assert budgeted.balance.tokens == 500


def test_the_fault_tells_what_was_spent_and_what_to_type() -> None:
    budgeted = Budgeted(
        dear(), SpendingCap(cost_usd=0.03, tokens=5000), till(ModelAccount(Spending(0.015, 123), 2))
    )
    assert ask_until_spent(budgeted) == 1
    told = r"\$0\.03 and 5,000 tokens.*\$0\.0250.*223.*higher cap"
    with pytest.raises(BudgetSpent, match=told):
        asyncio.run(budgeted.ask(QUESTION))


def test_replies_that_were_held_back_are_paid_for() -> None:
    def filtered(question: Question) -> Reply:
        raise Filtered("held back", input_tokens=99, output_tokens=1, cost_usd=0.5)

    model = Recorded(filtered)
    model.name = "openai/gpt-4o"
    budgeted = Budgeted(model, SpendingCap(tokens=350))
    judge = ModelJudge.of(budgeted, "simple", GUITARIST)
    said = asyncio.run(judge.judge((frame(),), None))
    assert said.missing == "filtered"
    assert said.usage == Usage(calls=1, input_tokens=99, output_tokens=1, cost_usd=0.5)
    assert ask_until_spent(budgeted) == 2


def test_a_restart_adds_up_the_ledger() -> None:
    usage = Usage(calls=2, input_tokens=90, output_tokens=10, cost_usd=0.25)
    free = Usage(calls=1, cached=True)
    lines: list[LedgerLine] = [
        step(0, judgement=Judgement(answer="yes", usage=usage)),
        step(1, judgement=Judgement(answer=None, missing="unreadable", usage=usage)),
        step(2, judgement=Judgement(answer="no", usage=free)),
    ]
    assert ModelAccount.of(lines) == ModelAccount(Spending(0.5, 200), calls=5)

    # the cap was reached between the two calls of one judgement, which left no step
    cut = Fault(
        at=NOW,
        position=3,
        fault="BudgetSpent",
        message="",
        recovered=False,
        details={"cost_usd": 0.6, "tokens": 240},
    )
    assert ModelAccount.of([*lines, cut]).spent == Spending(0.6, 240)
    lines += [cut, step(3, judgement=Judgement(answer="no", usage=usage))]
    assert ModelAccount.of([*lines, RunFinished(at=NOW, steps=4, eligible=4)]).spent == Spending(
        0.85, 340
    )


def test_what_was_kept_and_what_was_counted_agree() -> None:
    budgeted = Budgeted(dear(text="Well..."), SpendingCap(tokens=700))
    judge = ModelJudge.of(budgeted, "simple", GUITARIST)
    lines: list[LedgerLine] = []
    for position in range(3):
        judgement = asyncio.run(judge.judge((frame(),), None))
        lines.append(step(position, judgement=judgement))
    with pytest.raises(BudgetSpent) as caught:  # at the second call of the fourth judgement
        asyncio.run(judge.judge((frame(),), None))
    lines.append(
        Fault(
            at=NOW,
            position=3,
            fault="BudgetSpent",
            message="",
            recovered=False,
            details=caught.value.details,
        )
    )
    balance = budgeted.balance
    assert ModelAccount.of(lines).spent == Spending(balance.cost_usd, balance.tokens)
    assert (balance.tokens, balance.calls, balance.standing) == (700, 7, 0)


def test_a_cap_in_dollars_needs_a_price() -> None:
    unpriced = dear()
    unpriced.name = "openai-api/loopback/tiny"
    with pytest.raises(BadConfig, match=r"No price is known.*Type: --max-tokens"):
        Budgeted(unpriced, SpendingCap(cost_usd=1))
    Budgeted(unpriced, SpendingCap(tokens=1))


def test_a_cap_needs_a_model_that_tells_what_it_uses() -> None:
    silent = Recorded(lambda question: Reply(text="Yes"))
    silent.name = "openai-api/loopback/tiny"
    with pytest.raises(BadConfig, match="how many tokens"):
        ask_until_spent(Budgeted(silent, SpendingCap(tokens=10)))


def test_models_of_ones_own_machine_cost_nothing() -> None:
    model = Budgeted(scripted.load("scripted/yes"), SpendingCap(cost_usd=0.0))
    assert ask_until_spent(model, 20) == 20
    assert model.capabilities.encoder is None


def test_closing_closes_the_model(tmp_path: Path) -> None:
    model = dear()
    asyncio.run(Budgeted(model, SpendingCap()).close())
    assert model.closed

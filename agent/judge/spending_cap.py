"""A cap on what a model may cost, which holds across restarts and processes.

What was spent is what the book of payments says, reservations that a kill left standing included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from agent.errors import BadConfig, BudgetSpent
from agent.judge.reply_cache import ReplyFiles
from agent.models import prices
from agent.models.base import Model, Question, Reply, WrappedModel, question_key
from agent.models.paid_calls import METER, CappedAccounts, Meter, ask_metered
from store.runs.ledger import LedgerLine
from store.runs.ledger_lines import Fault, ObservedVideo, Usage
from store.runs.payment_book import Balance, CarriedOver, PaymentBook
from store.terminal.printing import count_of


@dataclass(frozen=True)
class Spending:
    """What calls have cost together."""

    cost_usd: float = 0.0
    tokens: int = 0  # read and written

    def __add__(self, other: Spending) -> Spending:
        return Spending(self.cost_usd + other.cost_usd, self.tokens + other.tokens)

    @classmethod
    def of(cls, used: Usage | Reply) -> Spending:
        """What one judgement or one reply cost, as far as it is known."""
        tokens = (used.input_tokens or 0) + (used.output_tokens or 0)
        return cls(used.cost_usd or 0.0, tokens)


@dataclass(frozen=True)
class ModelAccount:
    """What a model was paid by the records of its answers, also before the book."""

    spent: Spending = Spending()
    calls: int = 0

    def after(self, paid: Spending, calls: int = 1) -> ModelAccount:
        return ModelAccount(self.spent + paid, self.calls + calls)

    def carried(self, account: str, at: datetime) -> CarriedOver:
        """Return the line that opens an account which is older than its book."""
        spent = self.spent
        return CarriedOver(
            at=at,
            account=account,
            calls=max(self.calls, 1) if spent != Spending() else 0,
            cost_usd=spent.cost_usd,
            tokens=spent.tokens,
        )

    @classmethod
    def of_usages(cls, usages: Iterable[Usage]) -> ModelAccount:
        account = cls()
        for usage in usages:
            account = account.after(Spending.of(usage), usage.calls)
        return account

    @classmethod
    def of(cls, lines: Iterable[LedgerLine | ObservedVideo]) -> ModelAccount:
        """Add up a run's ledger.

        A cap that was reached in the middle of a judgement has left no step but a fault, which
        holds the sum up to then.
        """
        account = cls()
        for line in lines:
            if isinstance(line, ObservedVideo):
                usage = line.judgement.usage
                account = account.after(Spending.of(usage), usage.calls)
            elif isinstance(line, Fault) and line.fault == BudgetSpent.__name__:
                now, details = account.spent, line.details
                most = Spending(
                    max(now.cost_usd, details["cost_usd"]), max(now.tokens, details["tokens"])
                )
                account = cls(most, account.calls)
        return account


@dataclass(frozen=True)
class SpendingCap:
    """How much may be spent in all; ``None`` leaves that side open."""

    cost_usd: float | None = None
    tokens: int | None = None
    study: str | None = None
    """Whose calls these are, for a budget of that study; ``None``: no study's."""
    whole: bool = False
    """Whether it is on all that the study's calls cost, whoever makes them."""

    @property
    def open(self) -> bool:
        """Whether neither side has a limit."""
        return self.cost_usd is None and self.tokens is None

    def divided(self, parts: int) -> SpendingCap:
        """One of so many equal parts of it, for machines that do not see each other's payments."""
        return replace(
            self,
            cost_usd=None if self.cost_usd is None else self.cost_usd / parts,
            tokens=None if self.tokens is None else self.tokens // parts,
        )

    def check(self, name: str) -> None:
        """Refuse a cap in dollars where nobody knows the model's price."""
        if self.cost_usd is not None and prices.find(name) is None:
            raise BadConfig(
                f"No price is known for {name}, so a cap in dollars cannot be held. "
                "Type: --max-tokens 1000000"
            )

    def allows(self, spent: Spending) -> bool:
        return (self.cost_usd is None or spent.cost_usd <= self.cost_usd) and (
            self.tokens is None or spent.tokens <= self.tokens
        )

    def __str__(self) -> str:
        sides = [
            None if self.cost_usd is None else f"${self.cost_usd:g}",
            None if self.tokens is None else f"{self.tokens:,} tokens",
        ]
        return " and ".join(side for side in sides if side)


class Budgeted(WrappedModel):
    """A model whose calls are booked; it is not asked where the cap would be passed.

    The next call is taken to cost as much as the dearest one so far, and the first one goes alone.
    So the cap is passed by no more than calls under way are dearer than all before them. A reply is
    put among ``replies``, if there are any, before its call is settled.
    """

    def __init__(
        self,
        model: Model,
        cap: SpendingCap,
        till: CappedAccounts | None = None,
        replies: ReplyFiles | None = None,
    ) -> None:
        cap.check(model.name)
        super().__init__(model)
        self._cap = cap
        till = till or CappedAccounts(PaymentBook(), ("here",))
        self._till = replace(till, study=cap.study, whole=cap.whole)
        self._replies = replies
        self._price = prices.find(model.name)
        self._first = asyncio.Lock()

    @property
    def balance(self) -> Balance:
        """What was spent of the cap."""
        return self._till.book.balance(self._till.capped)

    async def ask(self, question: Question) -> Reply:
        """Ask, where the cap allows one call more.

        Raises ``BudgetSpent``, with what was spent among its details, where it does not, and
        ``BadConfig`` where the model does not say what it uses, so that no cap can be held.
        """
        if not self._cap.open and not self._has_dearest():
            async with self._first:
                if not self._has_dearest():  # meanwhile
                    return await self._ask(question)
        return await self._ask(question)

    def _has_dearest(self) -> bool:
        """Whether there is a call to go by."""
        return self.balance.dearest_tokens > 0

    async def _ask(self, question: Question) -> Reply:
        key = question_key(self._model, question)

        def keep(reply: Reply) -> None:
            if self._replies is not None:
                self._replies.write(key, question, reply)

        meter = Meter(self._till, self.name, question, key, self._refuse_if_spent, keep)
        token = METER.set(meter)
        try:
            reply = await ask_metered(self._model, question, self._price)
        finally:
            METER.reset(token)
        self._check_told(reply)
        return reply

    def _check_told(self, reply: Reply) -> None:
        silent = reply.input_tokens is None and self.capabilities.costs
        if silent and not self._cap.open:
            raise BadConfig(
                f"{self.name} does not tell how many tokens it uses, so no cap can be held. "
                "Leave out --max-cost and --max-tokens, or type: --model embedded/conse"
            )

    def _refuse_if_spent(self, balance: Balance) -> None:
        spent = Spending(balance.cost_usd, balance.tokens)
        each = Spending(
            balance.dearest_usd, balance.dearest_tokens or 1
        )  # of the first nobody knows
        if self._cap.allows(spent + each):
            return
        text = f"${spent.cost_usd:.4f} and {spent.tokens:,} tokens are spent"
        if balance.standing:
            standing = count_of(balance.standing, "call")
            text += f", {standing} whose end is not known counted at the most"
        if balance.estimated:
            text += f", {balance.estimated} that were cut off by what was sent"
        own = balance
        remedy = "Type the same command with a higher cap"
        if self._till.whole:  # what the ledger keeps is this account's own
            own = self._till.book.balance(self._till.accounts)
            remedy = (
                f"Raise max_cost or max_tokens under [budget] in the file of study "
                f"{self._cap.study}, and type: python -m agent study FILE"
            )
        raise BudgetSpent(
            f"The cap of {self._cap} is reached: {text}. {remedy}",
            cost_usd=own.cost_usd,
            tokens=own.tokens,
        )

"""A cap on what a model may cost or read and write, which holds across restarts.

What was spent before is added up from usages that were kept, so nothing else has to remember it.
Refuses to know where these are kept, and to guess what a call costs that nobody priced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agent.errors import BadConfig, BudgetSpent, ModelFault
from agent.models import prices
from agent.models.base import Model, Question, Reply
from store.ledger import LedgerLine
from store.records import Fault, Seen, Usage


@dataclass(frozen=True)
class Spent:
    """What calls have cost together."""

    cost_usd: float = 0.0
    tokens: int = 0
    """Read and written."""

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.cost_usd + other.cost_usd, self.tokens + other.tokens)

    @classmethod
    def of(cls, used: Usage | Reply) -> Spent:
        """Return what one judgement or one reply cost, as far as it is known."""
        tokens = (used.input_tokens or 0) + (used.output_tokens or 0)
        return cls(used.cost_usd or 0.0, tokens)


@dataclass(frozen=True)
class Account:
    """What a model was paid so far."""

    spent: Spent = Spent()
    dearest: Spent = Spent()
    """The dearest call, each side by itself."""

    def after(self, call: Spent, calls: int = 1) -> Account:
        """Return the account with what some calls cost together."""
        each = Spent(call.cost_usd / max(calls, 1), -(-call.tokens // max(calls, 1)))
        dearest = Spent(
            max(self.dearest.cost_usd, each.cost_usd), max(self.dearest.tokens, each.tokens)
        )
        return Account(self.spent + call, dearest)

    @classmethod
    def of_usages(cls, usages: Iterable[Usage]) -> Account:
        """Add up what judgements cost."""
        account = cls()
        for usage in usages:
            account = account.after(Spent.of(usage), usage.calls)
        return account

    @classmethod
    def of(cls, lines: Iterable[LedgerLine | Seen]) -> Account:
        """Add up a run's ledger.

        A cap that was reached in the middle of a judgement has left no step but a fault, which
        holds the sum up to then.
        """
        account = cls()
        for line in lines:
            if isinstance(line, Seen):
                usage = line.judgement.usage
                account = account.after(Spent.of(usage), usage.calls)
            elif isinstance(line, Fault) and line.fault == BudgetSpent.__name__:
                now, told = account.spent, line.details
                most = Spent(max(now.cost_usd, told["cost_usd"]), max(now.tokens, told["tokens"]))
                account = cls(most, account.dearest)
        return account


@dataclass(frozen=True)
class Cap:
    """How much may be spent in all; ``None`` leaves that side open."""

    cost_usd: float | None = None
    tokens: int | None = None

    def check(self, name: str) -> None:
        """Refuse a cap that could not be held.

        Raises
        ------
        BadConfig
            The cap is in dollars, and nobody knows the model's price.
        """
        if self.cost_usd is not None and prices.find(name) is None:
            raise BadConfig(
                f"No price is known for {name}, so a cap in dollars cannot be held. "
                "Type: --max-tokens 1000000"
            )

    def allows(self, spent: Spent) -> bool:
        """Tell whether that much may be spent."""
        return (self.cost_usd is None or spent.cost_usd <= self.cost_usd) and (
            self.tokens is None or spent.tokens <= self.tokens
        )

    def __str__(self) -> str:
        sides = [
            None if self.cost_usd is None else f"${self.cost_usd:g}",
            None if self.tokens is None else f"{self.tokens:,} tokens",
        ]
        return " and ".join(side for side in sides if side)


class Budgeted:
    """A model that is not asked once the cap would be passed.

    The next call is taken to cost as much as the dearest one so far, and the first one goes alone.
    So the cap is passed by no more than calls under way are dearer than all before them.
    """

    def __init__(self, model: Model, cap: Cap, before: Account | None = None) -> None:
        cap.check(model.name)
        self.name = model.name
        self.account = before or Account()
        self._model = model
        self._cap = cap
        self._under_way = 0
        self._first = asyncio.Lock()

    @property
    def encoder(self) -> str | None:
        """Name of the encoder whose vectors the model computes anyway, if it does."""
        return getattr(self._model, "encoder", None)

    @property
    def settings(self) -> dict[str, Any]:
        """What, beside its name, makes the model answer as it does."""
        return dict(getattr(self._model, "settings", {}))

    @property
    def fingerprint(self) -> str:
        """What tells the model from others of its name."""
        return self._model.fingerprint

    async def ask(self, question: Question) -> Reply:
        """Ask, where the cap allows one call more.

        Raises
        ------
        BudgetSpent
            It does not. What was spent is among the fault's details.
        BadConfig
            The model does not say what it uses, so that no cap can be held.
        """
        if self.account.dearest != Spent():
            return await self._ask(question)
        async with self._first:
            return await self._ask(question)

    async def close(self) -> None:
        """Release the model."""
        await self._model.close()

    async def _ask(self, question: Question) -> Reply:
        self._refuse_if_spent()
        self._under_way += 1
        try:
            reply = await self._model.ask(question)
        except ModelFault as fault:
            self.account = self.account.after(_told(fault))
            raise
        finally:
            self._under_way -= 1
        if reply.input_tokens is None and self.name.partition("/")[0] not in prices.HERE:
            raise BadConfig(
                f"{self.name} does not tell how many tokens it uses, so no cap can be held. "
                "Leave out --max-cost and --max-tokens, or type: --model embedded/conse"
            )
        self.account = self.account.after(Spent.of(reply))
        return reply

    def _refuse_if_spent(self) -> None:
        spent = self.account.spent
        each = self.account.dearest
        if each == Spent():
            each = Spent(tokens=1)  # nobody knows yet
        due = sum([each] * (self._under_way + 1), start=spent)
        if not self._cap.allows(due):
            raise BudgetSpent(
                f"The cap of {self._cap} is reached: ${spent.cost_usd:.4f} and "
                f"{spent.tokens:,} tokens are spent. Type the same command with a higher cap",
                cost_usd=spent.cost_usd,
                tokens=spent.tokens,
            )


def _told(fault: ModelFault) -> Spent:
    """Return what a call has cost that ended in a fault, as far as the fault tells."""
    told = fault.details
    tokens = (told.get("input_tokens") or 0) + (told.get("output_tokens") or 0)
    return Spent(told.get("cost_usd") or 0.0, tokens)

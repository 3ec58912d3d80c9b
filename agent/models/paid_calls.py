"""What is paid for calls: each is reserved in the book before it is sent, and settled after it.

A reply is kept before its call is settled: a kill between the two leaves a reservation that counts
as spent, and a reply that is not asked for again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from agent.errors import ModelFault, TimedOut
from agent.models.base import Model, Question, Reply
from agent.models.prices import Price
from store.runs.payment_book import Balance, CallReserved, CallSettled, PaymentBook

FRAME_TOKENS = 3200
"""What a frame of 1,536 pixels costs with the dearest tokenisers in wide use, in tokens."""
REPLY_TOKENS = 1024  # the longest reply that is asked for
MOST_TOKENS = 10**12  # of one call; a service that tells more has not counted

_PAYER: ContextVar[str | None] = ContextVar("payer", default=None)


@contextmanager
def charged_to(account: str) -> Iterator[None]:
    """Charge the calls within to one of the accounts that a cap is on."""
    token = _PAYER.set(account)
    try:
        yield
    finally:
        _PAYER.reset(token)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class CappedAccounts:
    """A book, and the accounts that one cap is on."""

    book: PaymentBook
    accounts: tuple[str, ...]
    now: Callable[[], datetime] = _now

    @property
    def payer(self) -> str:
        return _PAYER.get() or self.accounts[0]


class Payment:
    """One call: reserved when it is made, and settled once."""

    def __init__(
        self, till: CappedAccounts, line: CallReserved, sent: tuple[float | None, int]
    ) -> None:
        self.key = line.key
        self._till = till
        self._id = line.id
        self._sent = sent

    def report(self, cost_usd: float | None, tokens: int) -> None:
        self._settle(CallSettled(id=self._id, how="reported", cost_usd=cost_usd, tokens=tokens))

    def estimate(self, *, ended: bool) -> None:
        """Settle it by what was sent, since nobody says what it cost."""
        cost_usd, tokens = self._sent
        line = CallSettled(
            id=self._id, how="estimated", ended=ended, cost_usd=cost_usd, tokens=tokens
        )
        self._settle(line)

    def refuse(self, *, ended: bool = True) -> None:
        """Settle it as not charged: the service did not take it."""
        self._settle(CallSettled(id=self._id, how="free", ended=ended, cost_usd=0.0, tokens=0))

    def _settle(self, line: CallSettled) -> None:
        self._till.book.settle(line)


class Meter:
    """Books the calls that are made for one question.

    Parameters
    ----------
    key
        As `question_key` gives it.
    allow
        Raises where the balance allows no further call.
    keep
        Puts a reply on the disk before its call is settled.
    """

    made: Any = None  # what a provider's package made of the reply that came, if one did

    def __init__(
        self,
        till: CappedAccounts,
        model: str,
        question: Question,
        key: str,
        allow: Callable[[Balance], None],
        keep: Callable[[Reply], None],
    ) -> None:
        self._till = till
        self._model = model
        self.question = question
        self._sent = sent_tokens(question)
        self._key = key[:32]
        self._allow = allow
        self.keep = keep

    def begin(self, price: Price | None, reply_tokens: int = REPLY_TOKENS) -> Payment:
        """Reserve the most that a call may cost; raises ``BudgetSpent``."""
        dearest = [Balance()]

        def allow(balance: Balance) -> None:
            self._allow(balance)
            dearest[0] = balance

        def line(ends: int) -> CallReserved:
            before = dearest[0]
            most = Price.of(price, self._sent, reply_tokens)
            return CallReserved(
                id=secrets.token_hex(8),
                at=self._till.now(),
                account=self._till.payer,
                model=self._model,
                key=f"{self._key}-{ends}",
                cost_usd=before.dearest_usd if price and before.dearest_tokens else most,
                tokens=before.dearest_tokens or self._sent + reply_tokens,
            )

        reservation = self._till.book.reserve(line, self._till.accounts, allow, self._key)
        return Payment(self._till, reservation, (Price.of(price, self._sent, 0), self._sent))


METER: ContextVar[Meter | None] = ContextVar("meter", default=None)
"""What books the calls of a model that makes several for one question."""


async def ask_metered(model: Model, question: Question, price: Price | None) -> Reply:
    """Ask a model under the meter; one call is booked for a model that books none itself."""
    meter = METER.get()
    if meter is None or model.meters:
        return await model.ask(question)
    payment = meter.begin(price)
    try:
        reply = await model.ask(question)
    except ModelFault as fault:
        _settle_fault(payment, fault)
        raise
    except BaseException:
        payment.estimate(ended=False)
        raise
    meter.keep(reply)
    payment.report(reply.cost_usd, (reply.input_tokens or 0) + (reply.output_tokens or 0))
    return reply


def _settle_fault(payment: Payment, fault: ModelFault) -> None:
    details = fault.details
    tokens = (details.get("input_tokens") or 0) + (details.get("output_tokens") or 0)
    if tokens or details.get("cost_usd"):
        payment.report(details.get("cost_usd"), tokens)
    elif isinstance(fault, TimedOut):
        payment.estimate(ended=False)
    else:
        payment.refuse()


def told_tokens(usage: Any) -> tuple[int, int] | None:
    """Count tokens read and written, those that a provider's own cache saved included.

    ``None`` where a service tells none, or what cannot be: a number below 0 would pass for money
    that is left.
    """
    if usage is None:
        return None
    cached = (usage.input_tokens_cache_read or 0) + (usage.input_tokens_cache_write or 0)
    tokens = usage.input_tokens + cached, usage.output_tokens
    return tokens if min(tokens) >= 0 and max(tokens) <= MOST_TOKENS else None


def sent_tokens(question: Question) -> int:
    """Estimate from above what a question is in tokens: two bytes of text are one at most."""
    text = len((question.prompt.system + question.prompt.user).encode())
    return text // 2 + FRAME_TOKENS * len(question.frames)

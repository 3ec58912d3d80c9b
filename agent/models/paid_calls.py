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

from agent.errors import BadConfig, ModelFault, TimedOut
from agent.models.base import Model, Question, Reply
from agent.models.prices import Price
from store.runs.payment_book import (
    Balance,
    CallReserved,
    CallSettled,
    PaymentBook,
    study_account,
)

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
    study: str | None = None
    """Whose calls these are."""
    whole: bool = False
    """Whether the cap is on all calls of the study."""

    @property
    def payer(self) -> str:
        return _PAYER.get() or self.accounts[0]

    @property
    def capped(self) -> tuple[str, ...]:
        """Accounts whose sum the cap is on."""
        if self.whole and self.study is not None:
            return (study_account(self.study),)
        return self.accounts


class Payment:
    """One call: reserved when it is made, and settled once."""

    def __init__(
        self, till: CappedAccounts, line: CallReserved, sent: tuple[float | None, int]
    ) -> None:
        self.key = line.key
        self.id = line.id
        self.book = till.book
        self._sent = sent

    def report(self, cost_usd: float | None, tokens: int) -> None:
        self._settle(CallSettled(id=self.id, how="reported", cost_usd=cost_usd, tokens=tokens))

    def estimate(self, *, ended: bool) -> None:
        """Settle it by what was sent, since nobody says what it cost."""
        cost_usd, tokens = self._sent
        line = CallSettled(
            id=self.id, how="estimated", ended=ended, cost_usd=cost_usd, tokens=tokens
        )
        self._settle(line)

    def refuse(self, *, ended: bool = True) -> None:
        """Settle it as not charged: the service did not take it."""
        self._settle(CallSettled(id=self.id, how="free", ended=ended, cost_usd=0.0, tokens=0))

    def _settle(self, line: CallSettled) -> None:
        self.book.settle(line)


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
    reply: Reply | None = None  # the same as it is kept

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

    def in_batch(self) -> CallReserved | None:
        """Return the open call of this question to a batch service, if there is one.

        The same picture of another run of the sitting may have been handed over before this one.
        """
        return self._till.book.reserved_in_batch(
            (self._till.payer, *self._till.accounts), self._key
        )

    def resume(self, price: Price | None) -> Payment | None:
        """Take up a call to a batch service whose end is not known, if there is one."""
        call = self.in_batch()
        return None if call is None else Payment(self._till, call, self._asked(price))

    def begin(
        self, price: Price | None, reply_tokens: int = REPLY_TOKENS, *, batch: bool = False
    ) -> Payment:
        """Reserve the most that a call may cost; raises ``BudgetSpent``.

        Raises ``BadConfig`` where the question is with a batch service, and would be paid twice.
        """
        call = self.in_batch()
        if call is not None and self._till.book.batch_of(call.id) is not None:
            raise BadConfig(
                "Some of these questions are with the provider's batch service, and would be paid "
                "twice. Type: the same with --batch"
            )
        if call is not None:  # it was never handed over
            Payment(self._till, call, self._asked(price)).refuse()
        dearest = [Balance()]

        def allow(balance: Balance) -> None:
            self._allow(balance)
            dearest[0] = balance

        def line(ends: int) -> CallReserved:
            before = dearest[0]
            most = _dearest(price, self._sent, reply_tokens)
            return CallReserved(
                id=secrets.token_hex(8),
                at=self._till.now(),
                account=self._till.payer,
                study=self._till.study,
                model=self._model,
                key=f"{self._key}-{ends}",
                cost_usd=before.dearest_usd if price and before.dearest_tokens else most,
                tokens=before.dearest_tokens or self._sent + reply_tokens,
                batch=batch,
            )

        reservation = self._till.book.reserve(line, self._till.capped, allow, self._key)
        return Payment(self._till, reservation, self._asked(price))

    def _asked(self, price: Price | None) -> tuple[float | None, int]:
        """What the question alone costs in dollars and tokens, without a reply."""
        return _dearest(price, self._sent, 0), self._sent


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


@dataclass(frozen=True)
class TokenUse:
    """Tokens of one call as the service counts them; ``None`` where it does not say."""

    input_tokens: int  # all that were read, cached ones included
    output_tokens: int  # thoughts included
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None

    def cost(self, price: Price | None) -> float | None:
        """Price the call in US dollars; ``None`` where no price is known."""
        if price is None:
            return None
        return price.cost(
            self.input_tokens,
            self.output_tokens,
            cache_read=self.cache_read_tokens or 0,
            cache_write=self.cache_write_tokens or 0,
        )


def read_usage(usage: Any) -> TokenUse | None:
    """Read what inspect_ai says that a call used; it counts cached tokens beside the others.

    ``None`` where a service tells none, or what cannot be: a number below 0 would pass for money
    that is left. More cached tokens than were read are left out, so that all cost the full rate.
    """
    if usage is None:
        return None
    cached = (usage.input_tokens_cache_read, usage.input_tokens_cache_write)
    read = usage.input_tokens + sum(part or 0 for part in cached)
    if min(read, usage.output_tokens) < 0 or max(read, usage.output_tokens) > MOST_TOKENS:
        return None
    if usage.input_tokens < 0 or any((part or 0) < 0 for part in cached):
        cached = (None, None)
    return TokenUse(read, usage.output_tokens, *cached, usage.reasoning_tokens)


def _dearest(price: Price | None, input_tokens: int, output_tokens: int) -> float | None:
    return None if price is None else price.dearest(input_tokens, output_tokens)


def sent_tokens(question: Question) -> int:
    """Estimate from above what a question is in tokens: two bytes of text are one at most."""
    text = len((question.prompt.system + question.prompt.user).encode())
    return text // 2 + FRAME_TOKENS * len(question.frames)

"""Hands questions to a batch service together, and remembers them past the end of the program.

What was handed over is in the book of payments before and after it, so that the next program waits
for the same batch and pays nothing anew. A request goes under its payment's key.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Literal

from agent.errors import BadConfig
from agent.models.batches.service import (
    GONE,
    BatchLost,
    BatchRefused,
    BatchService,
    Results,
    StillUnderWay,
)
from agent.models.paid_calls import Payment
from agent.models.service_faults import find_status, is_broken_off, provider_errors
from store.runs.payment_book import BatchSent, PaymentBook
from store.terminal.printing import count_of

TICK_S = 15.0
"""From one look at the service to the next."""
GATHER_S = 5.0
"""How long nothing more may come before what has gathered is handed over."""
GRACE_S = 60.0
"""How long a service may take to list a batch that it was handed."""
TRIES = 5
"""How often requests are handed over, and looked for afterwards, before they are left."""
SILENCE_S = 1800.0
"""How long a service may say nothing of a batch before it is left for the next program."""

KNOWN = timedelta(days=2)
"""How long a batch is known to its service for certain: it has a day for it."""

_PASSING = (408, 409, 425, 429)  # statuses, beside those of 500 and more, that may pass
_NO_ENTRY = (401, 403)


class BatchOpen(RuntimeError):
    """Nobody knows yet what came of a request; the next program asks again."""


@dataclass
class Ticket:
    """A payment on its way to the batch service, and what came of it there."""

    payment: Payment
    end: Literal["open", "charged", "free"] = "open"
    """Whether the service is done with it, and charges for it."""


TICKET: ContextVar[Ticket | None] = ContextVar("ticket", default=None)
"""What pays for the request that a provider's package makes now."""


@dataclass
class _Waiting:
    ticket: Ticket
    request: dict[str, Any]
    reply: asyncio.Future[Any]
    size: int
    tries: int = 0

    @property
    def key(self) -> str:
        return self.ticket.payment.key

    def take(self, results: Results, batch: str) -> None:
        """Take what came of the request; without a result it counts as charged."""
        outcome = results.get(self.key)
        if outcome is None:
            outcome = BatchLost(f"batch {batch} has no result for the request")
        if isinstance(outcome, Exception):
            self.end(outcome, "charged" if isinstance(outcome, BatchLost) else "free")
        elif not self.reply.done():
            self.ticket.end = "charged"
            self.reply.set_result(outcome)

    def end(self, error: BaseException, end: Literal["open", "free", "charged"]) -> None:
        if not self.reply.done():
            self.ticket.end = end
            self.reply.set_exception(error)


@dataclass
class _Lost:
    """Requests of which it is not known whether they were handed over."""

    sent: BatchSent
    since: float
    waiting: dict[str, _Waiting] = field(default_factory=dict)
    fault: Exception | None = None  # for which handing over again is of no use

    @property
    def book(self) -> PaymentBook:
        return _any(self.waiting).ticket.payment.book


class BatchDesk:
    """Takes requests of one model; stands in the place of inspect_ai's batcher.

    Parameters
    ----------
    service
        Where they go.
    tell
        Told of each batch in a sentence.
    """

    def __init__(self, service: BatchService, tell: Callable[[str], None]) -> None:
        self._service = service
        self._tell = tell
        self._queue: list[_Waiting] = []
        self._newest = 0.0
        self._lost: dict[str, _Lost] = {}
        self._under_way: dict[str, dict[str, _Waiting]] = {}
        self._results: dict[str, Results] = {}
        self._silent: dict[str, float] = {}  # since when, by batch
        self._worker: asyncio.Task[None] | None = None

    async def generate_for_request(self, request: dict[str, Any]) -> Any:
        """Return what came of a request, hours later; the name is inspect_ai's.

        Raises what its provider's package makes of an error, ``BatchOpen`` and ``BatchLost``.
        """
        ticket = TICKET.get()
        assert ticket is not None, "a batch is paid for by the question"
        payment = ticket.payment
        waiting = _Waiting(
            ticket, request, asyncio.get_running_loop().create_future(), _size(request)
        )
        sent = payment.book.batch_of(payment.id)
        if sent is None:
            self._queue.append(waiting)
            self._newest = monotonic()
        elif sent.batch is None:
            lost = self._lost.setdefault(sent.name, _Lost(sent, monotonic()))
            lost.waiting[waiting.key] = waiting
        elif sent.batch in self._results:
            waiting.take(self._results[sent.batch], sent.batch)
        else:
            if sent.batch not in self._under_way:
                self._tell(f"Batch {sent.batch} of {sent.at:%d %B, %H:%M} UTC is waited for.")
            self._under_way.setdefault(sent.batch, {})[waiting.key] = waiting
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
            self._worker.add_done_callback(self._ended)
        try:
            return await waiting.reply
        finally:
            if waiting in self._queue:
                self._queue.remove(waiting)

    async def close(self) -> None:
        """Wait for nothing more; what was handed over stays with the service."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait([self._worker])
        await self._service.close()

    async def _work(self) -> None:
        while self._queue or self._lost or self._under_way:
            await self._poll()
            await self._look_for_lost()
            while await self._hand_over():
                pass
            await asyncio.sleep(TICK_S if self._under_way or self._lost else GATHER_S / 4)

    def _ended(self, worker: asyncio.Task[None]) -> None:
        """Tell everybody why nothing is handed over any more: the book cannot be written, say.

        What was handed over, or maybe was, stays open for the next program.
        """
        error = None if worker.cancelled() else worker.exception()
        if error is None:
            return
        for group in (*(each.waiting for each in self._lost.values()), *self._under_way.values()):
            for waiting in group.values():
                waiting.end(error, "open")
        for waiting in self._queue:
            waiting.end(error, "free")
        self._lost, self._under_way, self._queue = {}, {}, []

    async def _hand_over(self) -> bool:
        """Hand over what fits into one batch, once nothing more comes; tell whether more is due."""
        part = self._fill_one()
        if not part or (
            len(part) == len(self._queue)
            and len(part) < self._service.most_requests
            and monotonic() - self._newest < GATHER_S
        ):
            return False
        calls = tuple(waiting.ticket.payment.id for waiting in part)
        sent = BatchSent(at=datetime.now(UTC), name=secrets.token_hex(8), calls=calls)
        part[0].ticket.payment.book.send(sent)
        group = {waiting.key: waiting for waiting in part}
        for waiting in part:
            self._queue.remove(waiting)
            waiting.tries += 1
        self._lost[sent.name] = _Lost(sent, monotonic(), group)  # until the service replies
        try:
            batch = await self._service.create(
                {key: waiting.request for key, waiting in group.items()}, sent.name
            )
        except provider_errors() as error:
            self._not_handed_over(self._lost.pop(sent.name), error)
        else:
            self._handed_over(self._lost.pop(sent.name), batch)
        return bool(self._queue)

    def _fill_one(self) -> list[_Waiting]:
        part: list[_Waiting] = []
        size = 0
        for waiting in self._queue:
            size += waiting.size
            if part and size > self._service.most_bytes:
                break
            part.append(waiting)
            if len(part) >= self._service.most_requests:
                break
        return part

    def _handed_over(self, lost: _Lost, batch: str) -> None:
        group = lost.waiting
        self._under_way.setdefault(batch, {}).update(group)
        for waiting in group.values():
            waiting.request = {}
        lost.book.send(lost.sent.model_copy(update={"batch": batch}))
        self._tell(
            f"Batch {batch} with {count_of(len(group), 'question')} is with the provider, which "
            "has a day for it. To stop waiting, press Ctrl-C: the same command goes on."
        )

    def _not_handed_over(self, lost: _Lost, error: Exception) -> None:
        """Refused for good, or perhaps taken all the same: then it is looked for."""
        status = find_status(error)
        if status is not None and 400 <= status < 500 and status not in _PASSING:
            for waiting in lost.waiting.values():
                waiting.end(error, "free")
            return
        passes = status is not None or isinstance(error, OSError) or is_broken_off(error)
        lost.since = monotonic()
        lost.fault = None if passes else error
        self._lost[lost.sent.name] = lost

    async def _look_for_lost(self) -> None:
        for name, lost in [*self._lost.items()]:
            try:
                batch = await self._service.find(lost.sent, lost.book.keys_of(lost.sent))
            except StillUnderWay:
                continue
            except provider_errors() as error:
                if find_status(error) in _NO_ENTRY or monotonic() - lost.since > SILENCE_S:
                    _leave(self._lost.pop(name).waiting, error)
                continue
            if batch is not None:
                self._handed_over(self._lost.pop(name), batch)
            elif monotonic() - lost.since > GRACE_S:
                self._put_back(self._lost.pop(name))

    def _put_back(self, lost: _Lost) -> None:
        for key, waiting in lost.waiting.items():
            if lost.fault is not None:
                waiting.end(lost.fault, "free")
            elif waiting.tries >= TRIES:
                _leave({key: waiting})
            elif not waiting.reply.done():  # somebody still waits for it
                self._queue.append(waiting)

    async def _poll(self) -> None:
        for batch, group in [*self._under_way.items()]:
            try:
                results = await self._service.results(batch, [*group])
            except provider_errors() as error:
                results = self._read_fault(batch, group, error)
            else:
                self._silent.pop(batch, None)
            if results is None:
                continue
            self._results[batch] = results
            refused = [each for each in results.values() if isinstance(each, BatchRefused)]
            if refused and len(refused) == len(results):
                self._tell(
                    f"Batch {batch} was refused ({refused[0]}). For smaller batches, type: the "
                    "same with --connections 100"
                )
            for waiting in self._under_way.pop(batch).values():
                waiting.take(results, batch)

    def _read_fault(
        self, batch: str, group: Mapping[str, _Waiting], error: Exception
    ) -> Results | None:
        """Tell what a question about a batch came to: no results at all where it is gone."""
        status = find_status(error)
        if status == GONE:
            if not _is_young(group):
                return {}
            _leave(self._under_way.pop(batch), _unknown(batch))
            return None
        silent_s = monotonic() - self._silent.setdefault(batch, monotonic())
        if status in _NO_ENTRY or silent_s > SILENCE_S:
            del self._silent[batch]
            _leave(self._under_way.pop(batch), error)
        return None


def _any(group: Mapping[str, _Waiting]) -> _Waiting:
    return next(iter(group.values()))


def _leave(group: Mapping[str, _Waiting], error: Exception | None = None) -> None:
    """Leave requests to the next program; a key that is refused is read from the cause."""
    if not isinstance(error, BadConfig):
        cause, error = error, BatchOpen("the batch service does not reply")
        error.__cause__ = cause
    for waiting in group.values():
        waiting.end(error, "open")


def _is_young(group: Mapping[str, _Waiting]) -> bool:
    """Tell whether a service must still know a batch, unless somebody took it away there."""
    payment = _any(group).ticket.payment
    sent = payment.book.batch_of(payment.id)
    return sent is not None and datetime.now(UTC) - sent.at < KNOWN


def _unknown(batch: str) -> BadConfig:
    return BadConfig(
        f"The provider knows no batch {batch} under this key and address. Set those under which it "
        f"was handed over, and type: the same command. From {KNOWN.days} days after it was handed "
        "over it counts as paid and lost, and is asked again"
    )


def _size(request: dict[str, Any]) -> int:
    """Bytes of a request as JSON, roughly: what cannot be written counts by its name."""
    return len(json.dumps(request, default=str, separators=(",", ":")))

"""A served model whose questions go to its provider's batch service, the first one excepted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from importlib import import_module
from typing import Any

from agent.model_settings import ModelSettings
from agent.models.api import ServedModel, made_output
from agent.models.base import Capabilities
from agent.models.batches import IN_BATCH
from agent.models.batches.desk import TICKET, BatchDesk, Ticket
from agent.models.paid_calls import REPLY_TOKENS, Meter, Payment
from agent.models.providers import parse_model_name
from agent.models.reply_size import limit_replies
from store.terminal.printing import remark
from store.untrusted.size_limits import MOST_BATCH_BYTES

_PILOT_S = 60.0
_WITHOUT_LIMITS: dict[str, Any] = {
    "batch": True,
    "max_retries": 0,  # a failed question is put again by the command, not within a batch
    "attempt_timeout": None,
    "timeout": None,
    "adaptive_connections": None,
}
"""Fields of inspect_ai's ``GenerateConfig`` that are other than of a live model."""


class BatchedModel(ServedModel):
    """One model behind a provider's batch service.

    The first question of a sitting is asked live, at the full price: a wrong key or setting shows
    at once, and not after an hour, and a cap knows what a call costs.
    """

    def __init__(self, *made: Any) -> None:
        super().__init__(*made)
        self._first = asyncio.Lock()
        self._desk: BatchDesk | None = None

    @classmethod
    def load(
        cls,
        name: str,
        revision: str | None = None,
        settings: ModelSettings | None = None,
        at_once: int | None = None,
        **options: Any,
    ) -> ServedModel:
        """Open a provider, as `ServedModel.load`, without its limits of time."""
        return super().load(name, revision, settings, at_once, **_WITHOUT_LIMITS | options)

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; the wait for a batch is no work on a question."""
        return replace(super().capabilities, limits_itself=True)

    @property
    def at_once(self) -> int:
        return int(self._config.max_connections or IN_BATCH)

    async def close(self) -> None:
        if self._desk is not None:
            await self._desk.close()
        await super().close()

    def _limit_replies(self) -> None:
        """Results of a whole batch come as one reply, which is limited as such."""
        limit_replies(self._model.api, MOST_BATCH_BYTES)

    async def _pay(self, meter: Meter, config: Any, call: dict[str, Any]) -> Any:
        payment = meter.resume(self._batch_price)
        async with self._first:  # once there is a desk, inspect_ai asks nothing live any more
            if payment is None and self._desk is None:
                live = config.model_copy(update={"batch": None})
                async with asyncio.timeout(_PILOT_S):
                    answer = await super()._pay(meter, live, call)
                self._open_desk()
                return answer
            self._open_desk()
        if payment is None:
            longest = self._config.max_tokens or REPLY_TOKENS
            payment = meter.begin(self._batch_price, longest, batch=True)
        return await self._pay_in_batch(meter, payment, config, call)

    async def _pay_in_batch(
        self, meter: Meter, payment: Payment, config: Any, call: dict[str, Any]
    ) -> Any:
        """Wait for the reply; where the program ends before, the payment stays open."""
        ticket = Ticket(payment)
        token = TICKET.set(ticket)
        try:
            answer = await self._call(config=config, **call)
        except asyncio.CancelledError:  # a reply that came meanwhile is read by the next program
            raise
        except BaseException:
            _settle(ticket)
            raise
        finally:
            TICKET.reset(token)
        output = made_output(answer)
        if isinstance(output, Exception):
            _settle(ticket)
        else:
            self._take(meter, payment, answer, self._batch_price)
        return answer

    @property
    def _batch_price(self) -> Any:
        return None if self._price is None else self._price.batched

    def _open_desk(self) -> None:
        if self._desk is None:
            module = parse_model_name(self.name).batch_service
            service: Any = import_module(f"agent.models.batches.{module}")
            self._desk = service.open_desk(self._model.api, self._config, _tell)


def _settle(ticket: Ticket) -> None:
    """Settle what brought no reply, once the service is done with it."""
    if ticket.end == "charged":
        ticket.payment.estimate(ended=True)
    elif ticket.end == "free":
        ticket.payment.refuse()


def _tell(text: str) -> None:
    remark(f"{text}\n")

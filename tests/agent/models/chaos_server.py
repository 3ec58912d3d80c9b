"""A service on loopback that fails in every way, at random, and keeps its own record of charges.

One that honours ``Idempotency-Key`` makes one completion a key, and gives it again to whoever asks
again; another one makes and charges a completion for each request.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter, defaultdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from tests.agent.models.fault_server import Server, completion, cut_off, until_gone

WAYS = {
    "good": 66,
    "late": 8,
    "500": 7,
    "429": 5,
    "hang": 2,
    "made-hang": 3,
    "half": 3,
    "not-json": 3,
    "wrong-json": 3,
}
"""How often each comes, of a hundred."""
REFUSALS = ("500", "429")
GARBAGE = ("not-json", "wrong-json")
LATE_S = (0.2, 3.0)
SENT, RECEIVED = 900, 2


class ChaosServer(Server):
    """Draws a way for each request."""

    def __init__(self, seed: int, *, honours: bool) -> None:
        super().__init__()
        self.honours = honours
        self.by_key: Counter[str] = Counter()
        """Requests that came in."""
        self.ways: Counter[str] = Counter()
        self.good: Counter[str] = Counter()
        """Completions that were made and charged, by key."""
        self.garbage: dict[str, str] = {}
        """Keys that were charged for what is no completion."""
        self.charges: Counter[str] = Counter()
        """All charges, by key."""
        self.keys_of: defaultdict[str, set[str]] = defaultdict(set)
        """Keys of each question, by the hash of what was sent and the key's stem."""
        self.begun: set[str] = set()
        """Keys whose completion is under way or made; one that is honoured is not refused then."""
        self._rng = random.Random(seed)

    def good_of(self) -> dict[str, int]:
        """Completions that were made and charged, by question."""
        return {each: sum(self.good[key] for key in keys) for each, keys in self.keys_of.items()}

    async def _complete(self, request: Request) -> Response:
        key = request.headers["idempotency-key"]
        body = await request.body()
        question = hashlib.sha256(body).hexdigest() + key.rpartition("-")[0]
        self.keys_of[question].add(key)
        self.by_key[key] += 1
        way = self._draw(key)
        self.ways[way] += 1
        if way not in (*REFUSALS, *GARBAGE, "hang"):
            self.begun.add(key)
        if way == "hang":
            await until_gone(request)
        await asyncio.sleep(self._rng.uniform(*LATE_S) if way == "late" else 0.02)
        if way not in (*REFUSALS, "hang"):
            self._charge(key, way)
        if way == "made-hang":
            await until_gone(request)
        return _answer(way)

    def _draw(self, key: str) -> str:
        (way,) = self._rng.choices(list(WAYS), list(WAYS.values()))
        if self.honours and key in self.garbage:
            return self.garbage[key]
        if self.honours and key in self.begun and way in ("500", *GARBAGE):
            return "good"  # its completion is there; only the way to it may fail
        return str(way)

    def _charge(self, key: str, way: str) -> None:
        if self.honours and key in self.charges:
            return
        self.charges[key] += 1
        if way in GARBAGE:
            self.garbage[key] = way
        else:
            self.good[key] += 1


def _answer(way: str) -> Response:
    if way in REFUSALS:
        return JSONResponse({"error": {"message": "no", "type": "x", "code": "x"}}, int(way))
    if way == "not-json":
        return Response("<html>Bad gateway</html>", media_type="application/json")
    if way == "wrong-json":
        return JSONResponse({"answer": "Yes"})
    if way == "half":
        return StreamingResponse(cut_off(), headers={"content-length": "5000"})
    return JSONResponse(completion("Yes", SENT, RECEIVED))

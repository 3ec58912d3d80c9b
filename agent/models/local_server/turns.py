"""Turns at one model: questions of different users are never under way together.

A model that answers questions in batches pads them, which moves the last digits of ``p_yes``. So a
run's answers must not depend on who else is asking.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Who may ask now; users take turns, each with all that it has waiting by then."""

    def __init__(self) -> None:
        self._user = ""
        self._under_way = 0
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def of(self, user: str) -> AsyncIterator[None]:
        """Wait for a user's turn; more of its questions join it unless another user waits."""
        if self._under_way and (self._waiting or user != self._user):
            await self._wait(user)
        else:
            self._user, self._under_way = user, self._under_way + 1
        try:
            yield
        finally:
            self._leave()

    async def _wait(self, user: str) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((user, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had come just then
                self._leave()
            raise

    def _leave(self) -> None:
        """Give a turn up; let the user who has waited longest ask all its questions."""
        self._under_way -= 1
        if self._under_way:
            return
        waiting = [place for place in self._waiting if not place[1].done()]  # who has not given up
        self._user = waiting[0][0] if waiting else ""
        self._waiting = deque(place for place in waiting if place[0] != self._user)
        for user, turn in waiting:
            if user == self._user:
                self._under_way += 1
                turn.set_result(None)

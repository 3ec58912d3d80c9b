"""The status, looked at once for everybody who follows it, and told when it has changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import datetime

from agent.daemon.web.status import Status
from store.errors import StoreError

_log = logging.getLogger(__name__)
LOOK_EVERY_S = 1.0
STILL_HERE_S = 15.0
"""After so long without news a listener is told that there is none, so that a lost one is found."""
Soon = Sequence[tuple[datetime, str]]


class StatusStream:
    """Looks while somebody follows.

    ``look`` reads files, and is called in a thread, once at a time; ``upcoming`` is called on the
    event loop.
    """

    def __init__(self, look: Callable[[Soon], Status], upcoming: Callable[[], Soon]) -> None:
        self._look, self._upcoming = look, upcoming
        self._looking = asyncio.Lock()
        self._latest: Status | None = None
        self._changed = asyncio.Event()
        self._wanted = asyncio.Event()
        self._closed = asyncio.Event()
        self._listeners = 0

    async def now(self) -> Status:
        """Look now; whoever follows hears of it."""
        async with self._looking:
            status = await asyncio.to_thread(self._look, self._upcoming())
            if self._latest is None or not _same(status, self._latest):
                self._latest = status
                self._tell()
        return status

    async def _now_or_later(self) -> Status | None:
        try:
            return await self.now()
        except (OSError, ValueError, StoreError) as error:  # the disk may be well again soon
            _log.warning("The status cannot be told: %s", error)
            return None

    async def follow(self) -> None:
        """Look once, which reads everything, and then again and again while somebody listens."""
        while not self._closed.is_set():
            await self._now_or_later()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._closed.wait()
            await self._wanted.wait()

    async def each(self) -> AsyncIterator[Status | None]:
        """Yield the status now and whenever it changed; ``None`` from time to time between."""
        self._listeners += 1
        self._wanted.set()
        try:
            told = await self._now_or_later()
            yield told
            while not self._closed.is_set():
                changed = self._changed
                if self._latest is not None and self._latest is not told:
                    told = self._latest
                    yield told
                    continue
                try:
                    async with asyncio.timeout(STILL_HERE_S):
                        await changed.wait()
                except TimeoutError:
                    yield None
        finally:
            self._listeners -= 1
            if not self._listeners and not self._closed.is_set():
                self._wanted.clear()

    def close(self) -> None:
        self._closed.set()
        self._wanted.set()
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _same(one: Status, other: Status) -> bool:
    return one.model_copy(update={"at": other.at}) == other

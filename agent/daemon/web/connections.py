"""Connections to the page, within limits: so many at once, and none that asks nothing for long.

Any process of this machine can connect, whoever it belongs to, and a connection costs a descriptor
before it has shown a token. Runs, journal and ledgers need theirs.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

MOST = 64
"""Connections at once, where descriptors are plenty; a browser opens six to a site."""
LEAST = 4
RESERVED = 128
"""Descriptors that no connection gets: those of journal, logs, locks, ledgers and children."""
BACKLOG = 16
"""Connections that are taken in at once, before the surplus is closed."""
WAITING = 1024
"""Connections that the system keeps until they are taken in."""
QUIET_S = 10.0
"""A connection without a whole request is closed after so long, however it drips."""


def most_connections() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST
    return max(LEAST, min(MOST, (soft - RESERVED) // 2))


class LimitedConnection(H11Protocol):
    """One connection, which knows how long no request of it has been in hand."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.quiet_since = self.loop.time()

    @property
    def asks(self) -> bool:
        """Whether a whole request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it in; where there are too many, one that asks nothing goes, the oldest first."""
        super().connection_made(transport)
        if len(self.connections) <= most_connections():
            return
        others = [one for one in self.connections if isinstance(one, LimitedConnection)]
        idle = [one for one in others if one is not self and not one.asks]
        min(idle, key=lambda one: one.quiet_since, default=self).cut()

    def on_response_complete(self) -> None:
        """Count the quiet from here on, however short the answer was."""
        self.quiet_since = self.loop.time()
        super().on_response_complete()

    def cut(self) -> None:
        """Close it now; it is counted no more."""
        self.connections.discard(self)
        self.transport.abort()

    def end_if_quiet(self, now: float) -> None:
        if self.asks:
            self.quiet_since = now
        elif now - self.quiet_since > QUIET_S:
            self.cut()

"""A web server on loopback, which limits its connections and leaves signals to whoever runs it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from agent.daemon.web.connections import BACKLOG, WAITING, LimitedConnection
from agent.errors import BadConfig

HOST = "127.0.0.1"


class LoopbackServer(uvicorn.Server):
    """Serves an application to this machine, and closes connections that ask nothing."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=LimitedConnection,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=1,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen; who waits to be taken in costs no descriptor, so that many may."""
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(WAITING)

    async def on_tick(self, counter: int) -> bool:
        """Look at the connections once a second; called ten times as often."""
        if counter % 10 == 0:
            now = asyncio.get_running_loop().time()
            for one in list(self.server_state.connections):
                if isinstance(one, LimitedConnection):
                    one.end_if_quiet(now)
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


def listen(port: int, fix: str) -> socket.socket:
    """Take a port of loopback, 0 for any that is free; raises ``BadConfig``, which ends in a fix.

    The caller closes it.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise BadConfig(
            f"The page cannot be served on port {port} ({error.strerror}). {fix}"
        ) from None
    return listener


def is_free(port: int) -> bool:
    """Whether a port of loopback can be taken now."""
    try:
        listen(port, "").close()
    except BadConfig:
        return False
    return True

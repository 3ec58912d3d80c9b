"""Serves the page on loopback: the status, its changes as they come, frames, metrics, controls.

Runs in the daemon's own event loop; files are read in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from agent.daemon.redact_secrets import SecretRedactor
from agent.daemon.web import address
from agent.daemon.web.auth import RequestGate
from agent.daemon.web.connections import QUIET_S
from agent.daemon.web.loopback_server import HOST, LoopbackServer, listen
from agent.daemon.web.prometheus import CONTENT_TYPE, exposition
from agent.daemon.web.status import Status, StatusReader
from agent.daemon.web.status_stream import StatusStream
from agent.errors import AgentError, BadConfig
from agent.run_config import FrozenValue
from store.errors import StoreError
from store.frames.frame_store import FrameStore
from store.runs.data_folder import DataFolder
from store.untrusted.size_limits import MOST_POST_BYTES, TooManyBytes, collect_bytes

SHOWN = 12
"""Starts to come that are asked for."""
_SITE = Path(__file__).parent / "site"


class Controls(Protocol):
    """A running daemon, as far as a person may steer it.

    Each call has happened, and is in the journal, when it returns. An entry that is not in the
    watch file raises ``UnknownName``; what cannot be done now raises ``BadConfig``.
    """

    async def pause(self, entry: str | None) -> None:
        """Start nothing more of an entry (``None``: of any) and interrupt what runs of it."""
        ...

    async def resume(self, entry: str | None) -> None:
        """Take it up again; what was interrupted goes on where it stopped."""
        ...

    async def run_now(self, entry: str) -> None:
        """Make it due now, whatever its schedule says."""
        ...

    async def retry(self, entry: str) -> None:
        """Try its last occurrence again, after a fault or a deadline, and close the breaker."""
        ...

    async def looked(self, platform: str, account: str) -> None:
        """A person has dealt with the wall of this account; its platform may go on."""
        ...


class ActionBody(FrozenValue):
    """What a person asks for; each control reads what it needs."""

    entry: str | None = None
    platform: str = ""
    account: str = ""


@contextlib.asynccontextmanager
async def serve(
    data: DataFolder,
    controls: Controls,
    upcoming: Callable[[int], Sequence[tuple[datetime, str]]],
    port: int,
    secrets: Collection[str] = (),
) -> AsyncIterator[str]:
    """Serve the page for as long as the context lasts; yields the link to it.

    Parameters
    ----------
    upcoming
        Returns the next so many starts, and the first of each entry that has none among them.
    port
        On loopback; 0 for any that is free. One that is taken raises ``BadConfig``.
    """
    listener = listen(port, "Write another one into the watch file: [page] port = 0")
    at = address.write_address(data.daemon_dir, f"http://{HOST}:{listener.getsockname()[1]}")
    hide = SecretRedactor({*secrets, at.token})
    looker = StatusReader(data, hide)
    news = StatusStream(lambda soon: looker.look(datetime.now(UTC), soon), lambda: upcoming(SHOWN))
    pages = _Pages(data, controls, news, hide)
    refused = dict.fromkeys((OSError, StoreError), pages.refuse)
    site = Starlette(routes=pages.routes(), exception_handlers=refused)
    app = RequestGate(site, at.token, {"/", *(f"/{name}" for name in _names())})
    server = LoopbackServer(app)
    following = asyncio.create_task(news.follow())
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield at.link
    finally:
        news.close()  # first, so that no listener keeps its connection open
        await following
        server.should_exit = True
        await serving


class _Pages:
    def __init__(
        self, data: DataFolder, controls: Controls, news: StatusStream, hide: SecretRedactor
    ) -> None:
        self._frames = FrameStore(data.frames_dir)
        self._controls, self._news, self._hide = controls, news, hide

    def routes(self) -> list[Any]:
        files = StaticFiles(directory=_SITE)
        steer = [Route(f"/api/{what}", self.steer, methods=["POST"]) for what in self._wishes()]
        return [
            Route("/", self.page),
            Route("/api/status", self.status),
            Route("/api/news", self.follow),
            Route("/frames/{sha256}.jpg", self.frame),
            Route("/metrics", self.metrics),
            *steer,
            *(Route(f"/{name}", _File(files, name)) for name in _names()),
        ]

    async def page(self, request: Request) -> Response:
        """Serve the page, which tells nothing; the token in its address stays in the browser."""
        response = FileResponse(_SITE / "index.html", headers={"Cache-Control": "no-store"})
        name = f"feedsway-{request.url.port}"
        if name in request.cookies:  # of an earlier version, which kept the token there
            response.delete_cookie(name, httponly=True, samesite="strict")
        return response

    async def status(self, _: Request) -> Response:
        return _json((await self._news.now()).model_dump_json())

    async def follow(self, _: Request) -> Response:
        """Serve the status again and again, as server-sent events."""
        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(_sent(self._news), 200, headers, "text/event-stream")

    async def frame(self, request: Request) -> Response:
        sha256 = request.path_params["sha256"]
        try:
            path = self._frames.path(sha256) if self._frames.has(sha256) else None
        except StoreError:  # no hash, or a link that leads elsewhere
            path = None
        if path is None:
            return JSONResponse({"error": "no such frame"}, 404)
        headers = {"Cache-Control": "private, max-age=31536000, immutable"}
        return FileResponse(path, media_type="image/jpeg", headers=headers)

    async def metrics(self, _: Request) -> Response:
        return Response(exposition(await self._news.now()), media_type=CONTENT_TYPE)

    async def refuse(self, _: Request, error: Exception) -> Response:
        """Say what the machine does not give now: files, memory, the disk."""
        return JSONResponse({"error": self._hide.text(f"Not now: {error}. Try it again.")}, 503)

    async def steer(self, request: Request) -> Response:
        """Ask the daemon for what a person wants; it has happened when the answer comes."""
        what = request.url.path.removeprefix("/api/")
        try:
            async with asyncio.timeout(QUIET_S):
                body = await collect_bytes(request.stream(), MOST_POST_BYTES)
            await self._wishes()[what](ActionBody.model_validate_json(body))
        except TimeoutError:
            return JSONResponse({"error": "The rest of what was asked never came."}, 408)
        except (ValidationError, TooManyBytes):
            return JSONResponse({"error": "That is not something to ask for."}, 400)
        except AgentError as error:
            return JSONResponse({"error": self._hide.text(str(error))}, 409)
        return _json((await self._news.now()).model_dump_json())

    def _wishes(self) -> dict[str, Callable[[ActionBody], Any]]:
        ask = self._controls
        return {
            "pause": lambda wish: ask.pause(wish.entry),
            "resume": lambda wish: ask.resume(wish.entry),
            "run-now": lambda wish: ask.run_now(_named(wish)),
            "retry": lambda wish: ask.retry(_named(wish)),
            "looked": lambda wish: ask.looked(wish.platform, wish.account),
        }


def _named(wish: ActionBody) -> str:
    if wish.entry is None:
        raise BadConfig("Which entry? Type: python -m agent status")
    return wish.entry


def _names() -> list[str]:
    return [path.name for path in _SITE.iterdir() if path.suffix in (".css", ".js", ".svg")]


class _File:
    """One file of the page, which a browser asks about each time."""

    def __init__(self, files: StaticFiles, name: str) -> None:
        self._files, self._name = files, name

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        response = await self._files.get_response(self._name, scope)
        response.headers["Cache-Control"] = "no-cache"
        await response(scope, receive, send)


def _json(text: str) -> Response:
    return Response(text, media_type="application/json", headers={"Cache-Control": "no-store"})


async def _sent(news: StatusStream) -> AsyncIterator[str]:
    async for status in news.each():
        yield ": still here\n\n" if status is None else f"data: {_line(status)}\n\n"


def _line(status: Status) -> str:
    return status.model_dump_json()

"""Serves the explorer on loopback: pages, tiles of the grid, and pictures."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from agent.daemon.web import address
from agent.daemon.web.auth import PICTURES, RequestGate
from agent.daemon.web.loopback_server import HOST, LoopbackServer, listen
from agent.explorer.address_numbers import read_whole
from agent.explorer.film_jobs import FilmJobs
from agent.explorer.label_desk import LabelDesk
from agent.explorer.live_page import LiveRuns
from agent.explorer.page_list import PAGES, NoSuchPage, Pages
from agent.explorer.report_files import ReportFiles
from agent.explorer.tiles import read_tiles
from agent.explorer.workbench import Workbench
from store.errors import StoreError
from store.untrusted.size_limits import (
    MOST_PICTURE_BYTES,
    TooManyBytes,
    UnreadablePicture,
    collect_bytes,
)

_SITE = Path(__file__).parent / "site"
_THEME = Path(address.__file__).parent / "site"
_SHARED = ("theme.css", "icon.svg")
_MANY = 64
_A_WHILE = {"Cache-Control": "private, max-age=600"}
_NEVER = {"Cache-Control": "no-store"}


@contextlib.asynccontextmanager
async def serve(
    bench: Workbench, port: int, command: str = "python -m agent open"
) -> AsyncIterator[str]:
    """Serve a workbench for as long as the context lasts; yields the link to it.

    The link's token is a new one each time: who takes over the port of an explorer that has ended
    can read what its page kept, and nothing with it.
    """
    listener = listen(port, f"Type: {command} --port 0")
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    at = address.write_address(bench.data.explorer_dir, url, fresh=True)
    key = secrets.token_urlsafe(16)
    routes = ExplorerRoutes(bench, key)
    site = Starlette(routes=routes.routes(), exception_handlers={StoreError: _refuse})
    public = {"/", *(f"/{name}" for name in (*_own_files(), *_SHARED))}
    server = LoopbackServer(RequestGate(site, at.token, public, command, key))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield at.link
    finally:
        server.should_exit = True
        await serving


def _own_files() -> list[str]:
    return sorted(path.name for path in _SITE.iterdir() if path.suffix in (".css", ".js"))


class ExplorerRoutes:
    """What can be asked for; each answer is made in a thread."""

    def __init__(self, bench: Workbench, key: str) -> None:
        self._bench, self._key = bench, key
        self._pages = Pages(bench, key)
        self._parts = (LiveRuns(bench.data), FilmJobs(bench.data), ReportFiles(bench.data, key))
        self._labels = LabelDesk(bench.data)

    def routes(self) -> list[Route]:
        """Return every address below the root."""
        own, theme = StaticFiles(directory=_SITE), StaticFiles(directory=_THEME)
        return [
            Route("/", self._shell),
            *(Route(f"/{name}", _file(own, name)) for name in _own_files()),
            *(Route(f"/{name}", _file(theme, name)) for name in _SHARED),
            Route("/api/state", self._state),
            Route("/api/tiles", self._tiles),
            Route("/api/pictures", self._many_small),
            Route("/api/picture", self._take_picture, methods=["POST"]),
            Route("/api/labels/next", self._labels.answer_next),
            Route("/api/labels/answer", self._labels.answer_label, methods=["POST"]),
            Route("/api/labels/undo", self._labels.answer_undo, methods=["POST"]),
            Route("/api/labels/draw", self._labels.answer_draw, methods=["POST"]),
            *(Route(f"/page/{page.path}", self._page(name)) for name, page in PAGES.items()),
            Route(f"{PICTURES}small/{{sha256}}.jpg", self._small),
            Route(f"{PICTURES}whole/{{sha256}}.jpg", self._whole),
            *(route for part in self._parts for route in part.routes()),
            Route(f"{PICTURES}figure/{{name:path}}.png", self._figure),
        ]

    def _shell(self, _: Request) -> Response:
        return FileResponse(_SITE / "index.html", headers=_NEVER)

    def _state(self, _: Request) -> Response:
        """Tell how far reading has come, and whether searches can be answered."""
        bench = self._bench
        bench.begin()
        if bench.ledgers.is_ready:
            bench.search.begin()
        state = {
            "read": bench.ledgers.read,
            "total": bench.ledgers.total,
            "ready": bench.ledgers.is_ready,
            "rows": len(bench.ledgers.shown),
            "problem": bench.problem,
            "warm": bench.search.is_warm,
            "search": bench.search.problem,
            "key": self._key,
        }
        return JSONResponse(state, headers=_NEVER)

    def _tiles(self, request: Request) -> Response:
        pairs = [pair for pair in request.query_params.multi_items() if pair[0] != "from"]
        start = request.query_params.get("from", "0")
        found = self._bench.find(pairs)
        tiles = read_tiles(found, read_whole(start) or 0)
        return JSONResponse(tiles, headers=_NEVER)

    def _many_small(self, request: Request) -> Response:
        """Send several small pictures, each after its length in four bytes; 0 where it is gone."""
        names = request.query_params.get("frames", "").split(",")[:_MANY]
        found = [self._bench.pictures.read(name) or b"" for name in names]
        content = b"".join(part for one in found for part in (len(one).to_bytes(4, "big"), one))
        return Response(content, media_type="application/octet-stream", headers=_NEVER)

    async def _take_picture(self, request: Request) -> Response:
        """Take a person's picture to compare with, and return the name to ask for it by."""
        try:
            async with asyncio.timeout(30):
                content = await collect_bytes(request.stream(), MOST_PICTURE_BYTES)
            name = await run_in_threadpool(self._bench.search.keep_picture, content)
        except (TimeoutError, TooManyBytes, UnreadablePicture) as error:
            return JSONResponse({"error": f"This is no picture to look for: {error}"}, 400)
        return JSONResponse({"picture": name})

    def _page(self, name: str) -> Any:
        def answer(request: Request) -> Response:
            try:
                made = self._pages.render(name, request.path_params, request.query_params)
            except NoSuchPage as error:
                return JSONResponse({"error": str(error)}, 404)
            return HTMLResponse(made, headers=_NEVER)

        return answer

    def _small(self, request: Request) -> Response:
        content = self._bench.pictures.read(request.path_params["sha256"])
        if content is None:
            return _no_picture()
        return Response(content, media_type="image/jpeg", headers=_A_WHILE)

    def _whole(self, request: Request) -> Response:
        sha256 = request.path_params["sha256"]
        try:
            content = self._bench.frames.read(sha256)
        except StoreError:  # no hash, a link that leads elsewhere, gone, or damaged
            return _no_picture()
        return Response(content, media_type="image/jpeg", headers=_A_WHILE)

    def _figure(self, request: Request) -> Response:
        try:
            content = self._pages.draw(request.path_params["name"])
        except NoSuchPage:  # there is nothing to be drawn of it, which is no mistake of the page
            return Response(status_code=204)
        return Response(content, media_type="image/png", headers=_NEVER)


def _file(files: StaticFiles, name: str) -> Any:
    async def answer(request: Request) -> Response:
        response = await files.get_response(name, request.scope)
        response.headers["Cache-Control"] = "no-cache"
        return response

    return answer


def _no_picture() -> Response:
    return JSONResponse({"error": "no such picture"}, 404)


def _refuse(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 409)

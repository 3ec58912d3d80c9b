"""The site as a web application: pages, the feed, reports, likes, clips.

It answers loopback names only. State is touched on the event loop alone, in small synchronous
steps, so that no two requests of a visitor interleave; only making a clip, which may take half a
second, leaves the loop.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from agent.playground.catalogue import Catalogue, CatalogueItem
from agent.playground.clip_maker import Workshop
from agent.playground.clips import ClipStore
from agent.playground.errors import PlaygroundError, VisitorRefused
from agent.playground.skins.pages import Skin
from agent.playground.skins.shapes import feed_payload, has_poster, skin_id
from agent.playground.visitors import Like, Visitor, Visitors, WatchReport
from store.untrusted.size_limits import LimitedBodies

SITE = Path(__file__).parent / "site"
COOKIE = "visitor"
_YEAR = 365 * 24 * 3600
_LONGEST_NAME = 200
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_TYPES = {".webm": "video/webm", ".mp4": "video/mp4"}


@dataclass(frozen=True)
class PageLook:
    """How the page behaves, whoever visits it."""

    speed: float = 1.0
    """Playback rate of every video; moves are faster to match."""
    motion: str = "smooth"
    """``smooth`` slides from item to item, ``instant`` jumps."""
    skin: str | None = None
    """The site whose hooks and responses the page has; ``None`` for the playground's own."""


@dataclass(frozen=True)
class ServedSite:
    """What the application serves from."""

    catalogue: Catalogue
    visitors: Visitors
    store: ClipStore
    workshop: Workshop
    look: PageLook


def build_app(site: ServedSite) -> Starlette:
    handlers = _Handlers(site)
    return Starlette(
        routes=[
            *(handlers.skinned() if site.look.skin else handlers.own()),
            Route("/api/watch", handlers.watch, methods=["POST"]),
            Route("/api/visitor", handlers.visitor),
            Route("/clips/{name}", handlers.clip),
            Route("/posters/{name}", handlers.poster),
            Route("/healthz", handlers.health),
            Mount("/site", _Fresh(directory=SITE)),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"]),
            Middleware(LimitedBodies),
        ],
    )


class _Fresh(StaticFiles):
    """Files that a browser asks about each time. A kept profile must not run an older page."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


class _Handlers:
    def __init__(self, site: ServedSite) -> None:
        self._site = site
        page = (SITE / "index.html").read_text(encoding="utf-8")
        self._page = page.replace("{speed}", f"{site.look.speed:g}").replace(
            "{motion}", site.look.motion
        )
        self._error_page = (SITE / "error.html").read_text(encoding="utf-8")

    def own(self) -> list[BaseRoute]:
        return [
            Route("/", self.page),
            Route("/v/{item_id}", self.page),
            Route("/api/feed", self.feed),
            Route("/api/like", self.like, methods=["POST"]),
        ]

    def skinned(self) -> list[BaseRoute]:
        look = self._site.look
        words = {"speed": f"{look.speed:g}", "motion": look.motion}
        items = self._site.catalogue.items
        skin = Skin(str(look.skin), items, self._for_visitor, self._visitor, words)
        return skin.routes()

    async def page(self, request: Request) -> Response:
        """Serve the page, and name a nameless visitor: as asked, or at random."""
        item_id = request.path_params.get("item_id")
        if item_id is not None and item_id not in self._site.catalogue.by_id:
            return self._error("There is no such video.", 404)
        name = request.cookies.get(COOKIE)
        asked = request.query_params.get(COOKIE, "")[:_LONGEST_NAME]
        try:
            response = HTMLResponse(self._page, headers={"Content-Security-Policy": _CSP})
            if name:
                self._visitor(name)
            else:
                response.set_cookie(
                    COOKIE, asked or uuid4().hex, max_age=_YEAR, httponly=True, samesite="lax"
                )
        except PlaygroundError as error:
            return self._error(str(error), _status(error))
        return response

    async def feed(self, request: Request) -> Response:
        after = request.query_params.get("after")
        if after is not None and not re.fullmatch("[0-9]{1,12}", after):
            return _problem("after is a whole number", 400)

        def answer(visitor: Visitor) -> Response:
            page = visitor.page(None if after is None else int(after))
            if page is None:
                return _problem("that place is not served yet", 400)
            items = self._site.catalogue.items
            self._site.workshop.want(items[number] for number in page.numbers)
            return JSONResponse(feed_payload(self._site.catalogue, visitor, page))

        return await self._for_visitor(request, answer)

    async def watch(self, request: Request) -> Response:
        try:
            watch = WatchReport.model_validate_json(await request.body())
        except ValidationError:
            return _problem("not a watch report", 400)

        def answer(visitor: Visitor) -> Response:
            known = visitor.watch(watch)
            return Response(status_code=204) if known else _problem("no such place", 400)

        return await self._for_visitor(request, answer)

    async def like(self, request: Request) -> Response:
        try:
            like = Like.model_validate_json(await request.body())
        except ValidationError:
            return _problem("not a like", 400)
        if like.id not in self._site.catalogue.by_id:
            return _problem("no such video", 404)

        def answer(visitor: Visitor) -> Response:
            visitor.like(like)
            return JSONResponse(like.model_dump())

        return await self._for_visitor(request, answer)

    async def visitor(self, request: Request) -> Response:
        """Tell what was counted of the visitor, under the ids that the page shows."""
        skin, items = self._site.look.skin, self._site.catalogue.by_id

        def answer(visitor: Visitor) -> Response:
            places = visitor.record()
            for place in places if skin else ():
                place["id"] = skin_id(str(skin), items[place["id"]])
            return JSONResponse({"places": places})

        return await self._for_visitor(request, answer)

    async def clip(self, request: Request) -> Response:
        """Serve a clip, in ranges where asked; one that is missing is made first."""
        item = self._item(request)
        if item is None:
            return _problem("no such clip", 404)
        fault = await self._make(item)
        if fault:
            return fault
        path = self._site.store.clip(item)
        return FileResponse(path, media_type=_TYPES[path.suffix.lower()], headers=_cached())

    async def poster(self, request: Request) -> Response:
        item = self._item(request)
        if item is None or not has_poster(item):
            return _problem("no such poster", 404)
        fault = await self._make(item)
        path = self._site.store.poster(item)
        return fault or FileResponse(path, media_type="image/jpeg", headers=_cached())

    async def health(self, request: Request) -> Response:
        """Say that the site is up, and serves the visitor who asks, if any."""
        well = JSONResponse({"status": "ok", "items": len(self._site.catalogue.items)})
        if COOKIE not in request.cookies:
            return well
        return await self._for_visitor(request, lambda _: well)

    async def _make(self, item: CatalogueItem) -> Response | None:
        """See to it that the clip is there; the answer where it can't be made."""
        if not self._site.store.has(item):
            try:
                await run_in_threadpool(self._site.workshop.make_now, item)
            except PlaygroundError as error:
                return _problem(str(error), 500)
        return None

    def _item(self, request: Request) -> CatalogueItem | None:
        return self._site.catalogue.by_id.get(Path(request.path_params["name"]).stem)

    def _visitor(self, name: str) -> Visitor:
        return self._site.visitors.get(name[:_LONGEST_NAME])

    async def _for_visitor(
        self, request: Request, answer: Callable[[Visitor], Response]
    ) -> Response:
        name = request.cookies.get(COOKIE)
        if not name:
            return _problem("open the page first: it names the visitor", 401)
        try:
            return answer(self._visitor(name))
        except PlaygroundError as error:
            return _problem(str(error), _status(error))

    def _error(self, sentence: str, status: int) -> Response:
        page = self._error_page.replace("{sentence}", html.escape(sentence))
        return HTMLResponse(page, status, headers={"Content-Security-Policy": _CSP})


def _status(error: PlaygroundError) -> int:
    return 409 if isinstance(error, VisitorRefused) else 500


def _problem(sentence: str, status: int) -> Response:
    return JSONResponse({"error": sentence}, status)


def _cached() -> dict[str, str]:
    return {"Cache-Control": "no-store"}

"""Serves a skin: its page, its feed, its walls, and the faults that are asked for.

Switches arrive in the query of the page and are passed on by its script, so that the server keeps
no state of its own: ``status``, ``empty``, ``broken``, ``wait`` and ``rename`` spoil the responses
for places from ``from`` on, while ``attempt`` lies below ``times``. With ``later``, what the page
itself holds is not renamed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from agent.playground.catalogue import CatalogueItem
from agent.playground.errors import PlaygroundError
from agent.playground.skins import FEEDS, shapes
from agent.playground.skins.shapes import ServedItem, skin_id
from agent.playground.visitors import Like, Visitor

SITE = Path(__file__).parent / "site"
WALL_PATHS = (
    "/login",
    "/captcha/get",
    "/consent.youtube.com/m",
    "/google.com/sorry/index",
    "/accounts.google.com/signin",
    "/accounts/login/",
    "/accounts/suspended/",
    "/accounts/scraping_warning/",
    "/challenge/",
)
Answering = Callable[[Visitor], Response]
ForVisitor = Callable[[Request, Answering], Awaitable[Response]]


class Skin:
    """Pages and responses of one skin. Its page is told its speed and motion by ``look``."""

    def __init__(
        self,
        name: str,
        items: tuple[CatalogueItem, ...],
        for_visitor: ForVisitor,
        visitor: Callable[[str], Visitor],
        look: dict[str, str],
    ) -> None:
        self._name = name
        self._items = items
        self._by_id = {skin_id(name, item): item for item in items}
        self._for_visitor = for_visitor
        self._visitor = visitor
        page = (SITE / "skin.html").read_text(encoding="utf-8")
        for key, value in (look | {"skin": name}).items():
            page = page.replace("{" + key + "}", value)
        self._page = page
        self._wall = (SITE / "wall.html").read_text(encoding="utf-8")

    def routes(self) -> list[BaseRoute]:
        own: list[BaseRoute] = [
            Route("/api/like", self.like, methods=["POST"]),
            Mount("/skins", StaticFiles(directory=SITE)),
            *(Route(path, self.wall) for path in WALL_PATHS),
        ]
        feed = f"/{FEEDS[self._name]}"
        if self._name == "tiktok":
            return [
                Route(feed, self.page),
                Route("/api/recommend/item_list/", self.item_list),
                Route("/api/preload/item_list/", self.aside),
                *own,
            ]
        if self._name == "youtube":
            return [
                Route(feed, self.page),
                Route("/shorts/{id}", self.page),
                Route("/youtubei/v1/reel/reel_watch_sequence", self.sequence, methods=["POST"]),
                Route("/youtubei/v1/reel/reel_item_watch", self.item, methods=["POST"]),
                *own,
            ]
        return [
            Route(feed, self.page),
            Route("/reels", lambda _: RedirectResponse(feed)),
            Route("/reels/{id}/", self.page),
            Route("/graphql/query", self.query, methods=["POST"]),
            Route("/", self.wall),
            *own,
        ]

    async def page(self, request: Request) -> Response:
        """Serve the page with its first items inside, and name a nameless visitor."""
        name = request.cookies.get("visitor") or uuid4().hex
        try:
            served = self._serve(self._visitor(name), None, request.query_params)
        except PlaygroundError as error:
            return JSONResponse({"error": str(error)}, 409)
        later = "later" in request.query_params
        held = {
            key: _renamed(body, None if later else request.query_params.get("rename"))
            for key, body in self._inline(served, request.query_params).items()
        }
        scripts = "\n".join(
            f'<script type="application/json" id="{key}">{_embedded(body)}</script>'
            for key, body in held.items()
        )
        response = HTMLResponse(self._page.replace("{scripts}", scripts))
        response.set_cookie("visitor", name, httponly=True, samesite="lax")
        return response

    def _inline(self, served: list[ServedItem], asked: Mapping[str, str]) -> dict[str, Any]:
        if self._name == "tiktok":
            return {"__UNIVERSAL_DATA_FOR_REHYDRATION__": shapes.tiktok_inline(served)}
        if self._name == "instagram":
            return {"server-js": shapes.instagram_inline(served)}
        first = served[0].item
        return {
            "ytInitialData": shapes.youtube_item(first, legacy=asked.get("layout") == "b"),
            "ytInitialPlayerResponse": shapes.youtube_player(first),
            "ytInitialReelWatchSequenceResponse": shapes.youtube_feed(served),
        }

    async def item_list(self, request: Request) -> Response:
        """Answer TikTok's next page."""
        place = int(request.query_params.get("cursor", "0"))
        return await self._feed(request, place, shapes.tiktok_feed)

    async def aside(self, _: Request) -> Response:
        """Answer with items that the feed will not show."""
        return JSONResponse(shapes.tiktok_feed(self._aside()))

    async def sequence(self, request: Request) -> Response:
        """Answer YouTube's next page."""
        place = int((await request.json())["sequenceParams"])
        return await self._feed(request, place, shapes.youtube_feed)

    async def item(self, request: Request) -> Response:
        """Answer about one of YouTube's videos."""
        item = self._by_id.get((await request.json())["videoId"])
        if item is None:
            return JSONResponse({"playabilityStatus": {"status": "ERROR"}})
        legacy = request.query_params.get("layout") == "b"
        body = shapes.youtube_item(item, legacy=legacy)
        if "nameless" in request.query_params:
            answer = {"overlay": body["overlay"], "_player": shapes.youtube_player(item)}
        else:
            answer = body | {"playerResponse": shapes.youtube_player(item)}
        return await self._spoilt(request, 0, answer)

    async def query(self, request: Request) -> Response:
        """Answer one of Instagram's named queries."""
        form = {key: values[0] for key, values in parse_qs((await request.body()).decode()).items()}
        if form.get("fb_api_req_friendly_name") == "PolarisClipsAdsPoolQuery":
            pool = [ServedItem(item, 0) for item in self._items if item.kind == "ad"][-2:]
            return JSONResponse(shapes.instagram_ads(pool))
        place = int(json.loads(form["variables"])["after"])
        return await self._feed(request, place, shapes.instagram_feed)

    async def like(self, request: Request) -> Response:
        body = await request.json()
        item = self._by_id.get(body["id"])
        if item is None:
            return JSONResponse({"message": "there is no such video"}, 404)

        def answer(visitor: Visitor) -> Response:
            visitor.like(Like(id=item.id, liked=body["liked"]))
            return JSONResponse(body)

        return await self._for_visitor(request, answer)

    async def wall(self, request: Request) -> Response:
        """Serve the page that a wall leads to; declining consent leads back to the feed."""
        asks = "consent" in request.url.path
        back = f'<form action="/{FEEDS[self._name]}"><button>Reject all</button></form>'
        return HTMLResponse(self._wall.replace("{buttons}", back if asks else ""))

    async def _feed(
        self, request: Request, place: int, shape: Callable[[list[ServedItem]], dict[str, Any]]
    ) -> Response:
        bodies: list[dict[str, Any]] = []

        def answer(visitor: Visitor) -> Response:
            bodies.append(shape(self._serve(visitor, place, request.query_params)))
            return Response()

        response = await self._for_visitor(request, answer)
        return await self._spoilt(request, place, bodies[0]) if bodies else response

    async def _spoilt(self, request: Request, place: int, body: Any) -> Response:
        asked = request.query_params
        if "wait" in asked:
            await asyncio.sleep(float(asked["wait"]) / 1000)  # a slow server is what is asked for
        late = place >= int(asked.get("from", "0"))
        if place and late and int(asked.get("attempt", "0")) < int(asked.get("times", "9999")):
            if "status" in asked:
                return JSONResponse({"message": "no"}, int(asked["status"]))
            if "empty" in asked:
                return Response(media_type="application/json")
            if "broken" in asked:
                return Response('{"itemList": [', media_type="application/json")
        return JSONResponse(_renamed(body, asked.get("rename")))

    def _serve(
        self, visitor: Visitor, place: int | None, asked: Mapping[str, str]
    ) -> list[ServedItem]:
        pictured = {int(place) for place in asked.get("photos", "").split(",") if place}
        pictures = int(asked.get("pictures", "1"))
        while page := visitor.page(place):
            items = [self._items[number] for number in page.numbers]
            served = [
                ServedItem(
                    item,
                    page.first + offset,
                    visitor.likes(item.id),
                    photos=self._post(item, pictures) if page.first + offset in pictured else (),
                )
                for offset, item in enumerate(items)
                # no source shows live cards among Reels
                if self._name != "instagram" or item.kind != "live"
            ]
            if served:
                return served
            place = page.first + len(items)
        return []

    def _post(self, item: CatalogueItem, count: int) -> tuple[CatalogueItem, ...]:
        """The items whose pictures a photo post shows, its own first; none for what is no video."""
        others = [one for one in self._items if one.kind == "video" and one is not item]
        return (item, *others[: count - 1]) if item.kind == "video" else ()

    def _aside(self) -> list[ServedItem]:
        ads = [item for item in self._items if item.kind == "ad"]
        return [ServedItem(item, 0) for item in ads[:2] + list(self._items[:4])]


def _embedded(body: Any) -> str:
    return json.dumps(body).replace("<", "\\u003c")  # a comment would swallow the page


def _renamed(body: Any, switch: str | None) -> Any:
    """Rename a key at every depth, as a site that changes its responses does: ``old:new``."""
    if not switch:
        return body
    old, _, new = switch.partition(":")
    text = json.dumps(body).replace(json.dumps(old) + ":", json.dumps(new) + ":")
    return json.loads(text)

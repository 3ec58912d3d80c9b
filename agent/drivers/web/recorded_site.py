"""A recorded site as routes of a browser: its page, scenes, responses and clips; nothing else."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, Request, Route
from playwright.async_api import Error as PlaywrightError

from agent.drivers.web.still_clip import make_still_clip
from agent.recordings.recording_file import DueAnswer, InlineData, Recording

SCRIPT = Path(__file__).with_name("playback_page.js").read_text(encoding="utf-8")
OWN = "/.playback/"
UNKNOWN_LENGTH_S = 10.0
ENDED_S = 2.0
_ANY_PAGE = {"access-control-allow-origin": "*", "access-control-allow-headers": "*"}
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class RecordedSite:
    """Serves a recording to one browser, from the scene of a video on.

    A response is held back until the scene is asked for before which the site had sent it.
    """

    def __init__(self, recording: Recording, position: int) -> None:
        self._recording = recording
        videos = [n for n, scene in enumerate(recording.scenes) if scene.wall is None]
        self.place = 0 if position == 0 else [*videos, len(recording.scenes)][position]
        """Number of the scene that is shown."""
        self._released = self.place
        self._under_way: set[int] = set()
        self._delivered: set[int] = set()
        self._turn = asyncio.Condition()
        self._lengths = {
            node.video.source: node.video.duration_s
            for scene in recording.scenes
            for node in scene.nodes
            if node.video is not None and node.video.source is not None
        }

    @property
    def scenes(self) -> int:
        return len(self._recording.scenes)

    async def attach(self, context: BrowserContext) -> None:
        """Answer all that a browser asks, and cut it off from the network as well."""
        await context.set_offline(True)
        await context.route("**/*", self._serve)

    async def end(self) -> None:
        """Wait until the page has what the site answered last."""
        async with asyncio.timeout(ENDED_S), self._turn:
            await self._turn.wait_for(
                lambda: self._released == len(self._recording.scenes) and not self._under_way
            )

    async def _serve(self, route: Route, request: Request) -> None:
        path = urlsplit(request.url).path
        number = request.headers.get("x-playback-answer", "")
        try:
            if request.method == "OPTIONS":
                await route.fulfill(status=204, headers=_ANY_PAGE)
            elif request.is_navigation_request():
                main = request.frame.parent_frame is None
                await route.fulfill(**self._page() if main else _html("<!doctype html>"))
            elif path.startswith(f"{OWN}scene/"):
                await self._scene(route, path.rpartition("/")[2])
            elif path.startswith(f"{OWN}clip/"):
                await route.fulfill(**self._clip(path, request.headers.get("range", "")))
            elif number.isdecimal() and int(number) < len(self._recording.answers):
                await self._answer(route, int(number))
            else:
                await route.abort("aborted")
        except PlaywrightError:
            return  # the page or the browser is gone

    def _page(self) -> dict[str, Any]:
        """The page with what the document itself held, so that it is there from the beginning."""
        nonce = secrets.token_urlsafe(16)
        recording = self._recording
        opening = [
            self._told(number)
            for number, one in enumerate(recording.answers)
            if one.answer.asked_at < self.place and number not in self._delivered
        ]
        told = {"start": self.place, "opening": opening, "first": self._told_scene(self.place)}
        variables = {
            one.name.removeprefix("window."): one.body
            for one in recording.inline
            if one.name.startswith("window.")
        }
        elements = "".join(
            _script(one) for one in recording.inline if not one.name.startswith("window.")
        )
        html = (
            f"<!doctype html><html><head><meta charset=utf-8>{elements}</head><body>"
            f'<script nonce="{nonce}">Object.assign(window, {_embedded(variables)});\n'
            f"(() => {{ const playback = {_embedded(told)};\n{SCRIPT}}})();</script></body></html>"
        )
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; "
            "img-src data:; media-src 'self'; connect-src *; frame-src https:"
        )
        page = _html(html)
        page["headers"]["content-security-policy"] = policy
        return page

    def _told(self, number: int) -> dict[str, Any]:
        one = self._recording.answers[number]
        answer = one.answer
        told = {"number": number, "url": answer.url, "request": answer.request, "due": one.due}
        return told | {"early": answer.early}

    async def _scene(self, route: Route, name: str) -> None:
        number = int(name) if name.isdecimal() else len(self._recording.scenes)
        async with self._turn:
            self._released = max(self._released, number)
            self._turn.notify_all()
        if number >= len(self._recording.scenes):
            await route.fulfill(status=204)
            return
        self.place = number
        await route.fulfill(json=self._told_scene(number))

    def _told_scene(self, number: int) -> dict[str, Any]:
        scene = self._recording.scenes[number].model_dump(
            mode="json", exclude={"described"}, exclude_none=True
        )
        asked = [
            (n, one.answer.reacting)
            for n, one in enumerate(self._recording.answers)
            if one.answer.asked_at == number
        ]
        scene["asked_shown"] = [self._told(n) for n, reacting in asked if not reacting]
        scene["asked_leaving"] = [self._told(n) for n, reacting in asked if reacting]
        return scene

    async def _answer(self, route: Route, number: int) -> None:
        one: DueAnswer = self._recording.answers[number]
        self._under_way.add(number)
        async with self._turn:
            await self._turn.wait_for(lambda: self._released >= one.due)
        text = "" if one.answer.body is None else json.dumps(one.answer.body)
        try:
            await route.fulfill(
                status=one.answer.status,
                body=text,
                headers={"content-type": "application/json", **_ANY_PAGE},
            )
            self._delivered.add(number)
        finally:
            async with self._turn:
                self._under_way.discard(number)
                self._turn.notify_all()

    def _clip(self, path: str, asked: str) -> dict[str, Any]:
        name = path.rpartition("/")[2].removesuffix(".webm")
        seconds = self._lengths.get(int(name)) if name.isdecimal() else None
        clip = make_still_clip(seconds or UNKNOWN_LENGTH_S)
        part = _RANGE.fullmatch(asked)
        begin = int(part[1]) if part else 0
        end = min(int(part[2]) if part and part[2] else len(clip) - 1, len(clip) - 1)
        headers = {
            "content-type": "video/webm",
            "accept-ranges": "bytes",
            "content-range": f"bytes {begin}-{end}/{len(clip)}",
        }
        return {"status": 206, "headers": headers, "body": clip[begin : end + 1]}


def _html(text: str) -> dict[str, Any]:
    return {"status": 200, "headers": {"content-type": "text/html; charset=utf-8"}, "body": text}


def _script(one: InlineData) -> str:
    attributes = {"id": one.attributes.get("id", ""), "type": "application/json"}
    given = "".join(f' {name}="{value}"' for name, value in attributes.items() if _is_plain(value))
    return f"<script{given}>{_embedded(one.body)}</script>"


def _is_plain(value: str) -> bool:
    return re.fullmatch(r"[\w./:-]+", value) is not None


def _embedded(value: Any) -> str:
    """Return JSON that ends no script element and no line of a script."""
    text = json.dumps(value)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")

"""Secrets of every kind, planted wherever a site has some: no byte of a recording tells one."""

from __future__ import annotations

import asyncio
import base64
import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import pytest

from agent.doctor.site_recording import RecordedWalk, record_feed
from agent.drivers.web.browser import BrowserWindow, find_browser
from agent.drivers.web.recording_driver import RecordingDriver
from agent.platforms import load_platform
from agent.platforms.base import Feed
from agent.recordings.recording_file import RecordedAnswer, pack_lines
from agent.run.environment import OpenedFeed
from agent.run.pacing import PaceLimits, SlowHands
from agent.run_config import HandPace

KINDS = (
    "header",
    "cookie",
    "httponly",
    "sentheader",
    "sentjson",
    "sentform",
    "query",
    "path",
    "fragment",
    "bodykey",
    "bodyvalue",
    "bodytoken",
    "bodylist",
    "bodydeep",
    "nickname",
    "handle",
    "videoid",
    "caption",
    "hashtag",
    "attribute",
    "dataattribute",
    "class",
    "elementid",
    "text",
    "shadowtext",
    "comment",
    "script",
    "style",
    "input",
    "href",
    "linkquery",
    "image",
    "clip",
    "iframe",
    "local",
    "session",
    "inline",
    "inlinekey",
    "title",
    "label",
    "tagname",
    "email",
)
SECRETS = {kind: f"{kind}Zq7x9" for kind in KINDS} | {
    "email": "anna.zqxmueller@zqxmail.example",
    "videoid": "7399912345678901234",
}


NOT_ON_PAGE = (
    "header",
    "httponly",
    "bodykey",
    "bodyvalue",
    "bodytoken",
    "bodylist",
    "bodydeep",
    "clip",
    "inline",
    "inlinekey",
)


def feed(number: int) -> dict[str, Any]:
    """A page of the feed with a secret in each place that a response has."""
    s = SECRETS
    item = {
        "id": s["videoid"][:-1] + str(number),
        "desc": f"{s['caption']} {s['email']} #{s['hashtag']}",
        "author": {"uniqueId": s["handle"], "nickname": s["nickname"]},
        "textExtra": [{"hashtagName": s["hashtag"]}],
        "stats": {"diggCount": 7},
        "video": {
            "duration": 6,
            "playAddr": f"https://cdn.example/{s['clip']}?sig={s['bodytoken']}",
        },
        s["bodykey"]: 1,
        "secUid": s["bodyvalue"],
        "list": [s["bodylist"], {"deep": {"deeper": s["bodydeep"]}}],
    }
    return {"itemList": [item], "msToken": s["bodytoken"], "statusCode": 0}


def page() -> str:
    inline = {
        "__DEFAULT_SCOPE__": {
            "webapp.updated-items": feed(0)["itemList"],
            SECRETS["inlinekey"]: SECRETS["inline"],
        }
    }
    text = Path(__file__).with_name("planted.html").read_text(encoding="utf-8")
    text = text.replace("$$inline$$", json.dumps(inline))
    for kind, secret in SECRETS.items():
        assert kind in NOT_ON_PAGE or f"${kind}$" in text, kind
        text = text.replace(f"${kind}$", secret[:-1] if kind == "videoid" else secret)
    return text


class _Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        is_feed = self.path.startswith("/api/")
        body = json.dumps(feed(1)) if is_feed else page() if self.path == "/foryou" else "x"
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if is_feed else "text/html")
        self.send_header("X-Token", SECRETS["header"])
        self.send_header("Set-Cookie", f"sessionid={SECRETS['httponly']}; HttpOnly")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET  # noqa: N815 - the name that http.server calls

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/foryou"
    server.shutdown()
    thread.join()
    server.server_close()


async def record(url: str) -> RecordedWalk:
    platform = load_platform("tiktok")
    window = BrowserWindow(find_browser(), json_from=platform.json_from, hosts=platform.hosts)
    feed_ = Feed(platform, watch=False)
    driver = RecordingDriver(window, platform.hooks, feed_.take)
    clock = lambda: datetime.now(UTC)  # noqa: E731
    hands = SlowHands(HandPace(floor_s=0), PaceLimits(), 0, np.random.default_rng(1), clock)
    try:
        await driver.start()
        opened = OpenedFeed(driver, feed_, url, platform)
        return await record_feed(opened, "en-US", 2, hands, lambda _: None)
    finally:
        await driver.close()


def decoded(text: str) -> Iterator[str]:
    """The text as it is, percent-decoded, and each long word of it decoded from base64."""
    yield text
    yield unquote(unquote(text))
    for word in {*text.replace('"', " ").replace("\\", " ").replace("=", " ").split()}:
        for cut in range(4):
            raw = word[cut:][: len(word[cut:]) // 4 * 4].encode("ascii", "ignore")
            try:
                yield base64.b64decode(raw, altchars=b"-_").decode("latin-1")
            except ValueError:
                break


def test_no_byte_of_a_recording_tells_a_secret(site: str) -> None:
    walk = asyncio.run(record(site))
    assert walk.faults == []
    assert len(walk.scenes) == 2
    answers = [line for line in walk.lines if isinstance(line, RecordedAnswer)]
    assert len(answers) == 3
    packed = pack_lines(walk.lines)
    text = gzip.decompress(packed).decode()
    assert text.count("recommend-list-item-container") == 4  # what is no secret is there
    assert "xgwrapper-0-" in text
    forms = {
        kind: (one, quote(one), base64.b64encode(one.encode()).decode().rstrip("=")[:-2])
        for kind, one in SECRETS.items()
    }
    told = {
        kind
        for version in (*decoded(text), packed.decode("latin-1"))
        for kind, ways in forms.items()
        if any(way.lower() in version.lower() for way in ways)
    }
    assert told == set()
    halves = {part for one in SECRETS.values() for part in ("Zq7x9", one.partition("@")[2]) if part}
    assert [part for part in halves if part.lower() in text.lower()] == []

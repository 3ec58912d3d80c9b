"""A small site in a process of its own: the first items of the catalogue, clips made beforehand.

Run as a program it serves; imported it starts such programs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.playground.app import PageLook
from agent.playground.catalogue import Catalogue, load_catalogue
from agent.playground.recommend import Settings
from agent.playground.serve import SiteSetup, serve_site

ITEMS = 36


def small_catalogue() -> Catalogue:
    """Videos of many themes, since numbers are shuffled over themes; two ads, two live cards."""
    items = load_catalogue().items
    chosen = [item for item in items if item.kind == "video"][: ITEMS - 4]
    for kind in ("ad", "live"):
        chosen += [item for item in items if item.kind == kind][:2]
    return Catalogue(tuple(replace(item, number=n) for n, item in enumerate(chosen)))


@dataclass
class Site:
    """A running site and a visitor's view of it."""

    process: subprocess.Popen[str]
    url: str
    visitor: str = "someone"

    @contextmanager
    def ask(
        self, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Iterator[HTTPResponse]:
        """Make one request; the caller reads the answer."""
        with closing(HTTPConnection(urlsplit(self.url).netloc, timeout=20)) as connection:
            sent = {"Cookie": f"visitor={self.visitor}"} | (headers or {})
            method = "GET" if body is None else "POST"
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, sent)
            with connection.getresponse() as answer:
                yield answer

    def feed(self, after: int | None = None) -> dict[str, Any]:
        """Ask for items."""
        with self.ask("/api/feed" if after is None else f"/api/feed?after={after}") as answer:
            told = json.load(answer)
        assert answer.status == 200, told
        return dict(told)

    def watch(self, index: int, watched_s: float, ended_by: str | None = "key") -> int:
        """Report a view."""
        report = {"index": index, "view": "v", "watched_s": watched_s, "duration_s": 6.0}
        with self.ask("/api/watch", report | {"loops": 0, "ended_by": ended_by}) as answer:
            answer.read()
        return answer.status

    def end(self) -> int:
        """Close its standard input, as the end of its parent would; it may have ended before."""
        streams = self.process.stdin, self.process.stdout, self.process.stderr
        if streams[0]:
            streams[0].close()
        code = self.process.wait(timeout=10)
        for stream in streams:
            if stream:
                stream.close()
        return code

    def kill(self) -> None:
        """Kill it as nobody can prepare for."""
        self.process.kill()
        self.end()


def start(state: Path, cache: Path, *options: str, module: str = __name__) -> Site:
    """Start a site and wait until it says where it is."""
    process = launch(state, cache, *options, module=module)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the site said nothing"
    return Site(process, json.loads(line)["url"])


def launch(
    state: Path, cache: Path, *options: str, module: str = __name__
) -> subprocess.Popen[str]:
    """Start a site's process, which ends with this one."""
    command = [sys.executable, "-m", module, "--state", str(state), "--cache", str(cache)]
    return subprocess.Popen(
        [*command, "--parent", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if module != __name__ else None,
        text=True,
    )


def main() -> None:
    """Serve the small catalogue with the options that the real program has."""
    parser = argparse.ArgumentParser()
    for name in ("state", "cache"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--feed", default="listener")
    parser.add_argument("--motion", default="smooth")
    parser.add_argument("--seed", type=int, default=7)
    for name in ("gain", "speed"):
        parser.add_argument(f"--{name}", type=float, default=1.0)
    parser.add_argument("--parent", action="store_true")
    told = parser.parse_args()
    plan = SiteSetup(
        catalogue=small_catalogue(),
        settings=Settings(told.feed, told.gain, told.seed),
        look=PageLook(told.speed, told.motion),
        state=told.state,
        cache=told.cache,
        parent=told.parent,
    )
    serve_site(plan, lambda facts: print(json.dumps(facts), flush=True), lambda _: None)  # noqa: T201 - as the real program does


if __name__ == "__main__":
    main()

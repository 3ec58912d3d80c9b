"""Doors of our own pages: whole HTTP requests, as bytes, to the daemon's page and the explorer."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from store.runs.data_folder import DataFolder
from tests.agent.daemon.made_data_folder import World, served
from tests.agent.explorer.film_samples import keep_feeds
from tests.agent.explorer.served_explorer import served_explorer
from tests.fuzz.guard import Target, shared_folder
from tests.store.samples import START, jpeg

HOST, TOKEN = b"{host}", b"{token}"
"""What stands for the page's own in an input."""
_NOT_NOW = 503
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_WAIT_S = 20.0


def _hold(page: AbstractContextManager[str]) -> str:
    """Serve a page until the process ends; threads that a daemon thread makes are daemons too."""
    ready, told = threading.Event(), []

    def keep() -> None:
        with page as link:
            told.append(link)
            ready.set()
            threading.Event().wait()

    threading.Thread(target=keep, daemon=True).start()
    assert ready.wait(60)
    return told[0]


@cache
def _daemon() -> str:
    world = World(DataFolder(shared_folder() / "daemon" / "data"), START)
    world.begin("dawn")
    world.keep("r1", "yynn", [jpeg("red")])
    return _hold(served(world))


@cache
def _explorer() -> str:
    data = DataFolder(shared_folder() / "explorer" / "data")
    keep_feeds(data)
    link = _hold(served_explorer(data))
    for path in (b"/api/state", b"/page/run/a-run", b"/page/frames", b"/page/summary/a-run"):
        _send(
            link,
            b"GET " + path + b" HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n",
        )
    return link


def _send(link: str, content: bytes) -> int | None:
    """Send a request, and return the status of its answer; ``None`` where the server hangs up."""
    base, _, token = link.partition("/#token=")
    parts = urlsplit(base)
    content = content.replace(HOST, parts.netloc.encode()).replace(TOKEN, token.encode())
    with socket.create_connection((parts.hostname, parts.port), _WAIT_S) as line:
        line.sendall(content)
        line.shutdown(socket.SHUT_WR)
        said = b""
        while b"\r\n" not in said and (piece := line.recv(4096)):
            said += piece
    found = _STATUS.match(said)
    return int(found[1]) if found else None


def _asking(page: Callable[[], str]) -> Callable[[bytes, Path], object]:
    def run(content: bytes, _: Path) -> object:
        status = _send(page(), content)
        assert status is None or status < 500 or status == _NOT_NOW, f"answers {status}"
        return "asked"  # whether an asker who hangs up gets an answer depends on who is faster

    return run


TARGETS = (
    Target(
        "daemon_page",
        ("agent/daemon/web/server.py", "agent/daemon/web/auth.py"),
        _asking(_daemon),
        kind="text",
        prepare=_daemon,
    ),
    Target(
        "explorer_page",
        (
            "agent/explorer/explorer_server.py",
            "agent/explorer/page_list.py",
            "agent/daemon/web/auth.py",
        ),
        _asking(_explorer),
        kind="text",
        prepare=_explorer,
    ),
)

"""Runs the site: binds the port, makes missing clips, says when it is ready, ends."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from agent.playground.app import PageLook, ServedSite, build_app
from agent.playground.catalogue import Catalogue
from agent.playground.clip_maker import Workshop
from agent.playground.clips import ClipStore
from agent.playground.errors import PortTaken
from agent.playground.footage import check_footage, load_footage
from agent.playground.recommend import Settings, Shelf
from agent.playground.skins import FEEDS
from agent.playground.visitors import Visitors

HOST = "127.0.0.1"


@dataclass(frozen=True)
class SiteSetup:
    """Everything that a site is started with."""

    catalogue: Catalogue
    settings: Settings
    look: PageLook
    state: Path
    cache: Path
    port: int = 0
    parent: bool = False
    """Whether to end when standard input closes, as it does when the parent dies."""


Facts = dict[str, str | int | float]


def serve_site(
    plan: SiteSetup, ready: Callable[[Facts], None], tell: Callable[[str], None]
) -> None:
    """Serve until told to stop; ``tell`` is called with sentences about the clips being made.

    Parameters
    ----------
    ready
        Called once with the facts of the running site, its URL first.

    Raises
    ------
    PortTaken, FolderUnwritable, FootageMissing
        The site cannot start.
    """
    listener = _listen(plan.port)
    visitors = Visitors(plan.state, Shelf(plan.catalogue), plan.settings)
    store = ClipStore(plan.cache)
    workshop = Workshop(store, tell)
    app = build_app(ServedSite(plan.catalogue, visitors, store, workshop, plan.look))
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
    )
    check_footage({item.footage for item in plan.catalogue.items})
    own = [item for item in plan.catalogue.items if item.footage not in load_footage()]
    missing = workshop.start(own)  # the shipped ones are thousands, made when they are wanted
    if plan.parent:
        threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
    port = listener.getsockname()[1]
    facts: Facts = {
        "url": f"http://{HOST}:{port}/{FEEDS.get(plan.look.skin or '', '')}",
        "items": len(plan.catalogue.items),
        "clips_missing": missing,
        "feed": plan.settings.feed,
        "gain": plan.settings.gain,
        "seed": plan.settings.seed,
    }
    caught: list[int] = []

    def end(number: int, _: object) -> None:
        # a flag, since an exception could be lost in whatever runs when the signal comes
        caught.append(number)
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    ready(facts)  # the socket listens already: a request made now waits for its answer
    try:
        server.run(sockets=[listener])  # gives a signal that it caught back once it has closed
    finally:
        workshop.stop()
        visitors.close()
    if signal.SIGINT in caught:
        raise KeyboardInterrupt


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform != "win32":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortTaken(port) from error
    return listener


def _end_with_parent(server: uvicorn.Server) -> None:
    # not through sys.stdin: a thread that holds its lock would abort the end of the process
    while os.read(0, 4096):
        pass
    server.should_exit = True

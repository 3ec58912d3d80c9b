"""A data folder with runs, an index by colour, and an explorer of it on loopback."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

import store
from agent.explorer.explorer_server import serve
from agent.explorer.workbench import Workbench
from store.frames.frame_store import FrameStore
from store.index.search import Index
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.untrusted.size_limits import decode_picture
from tests.store.samples import ColourEncoder

PATIENCE_S = 30.0


def index_colours(data: DataFolder) -> None:
    """Put every frame of every run into an index of colours."""
    from store.index.entries import IndexEntry

    encoder = ColourEncoder()
    frames = FrameStore(data.frames_dir)
    for path in data.ledgers():
        read = ledger.read(path)
        entries = [
            IndexEntry.of(read.started, step, number)
            for step in read.steps
            for number in range(len(step.frames))
        ]
        pictures = [decode_picture(frames.read(entry.sha256)) for entry in entries]
        with Index.open(data, encoder, write=True) as index:
            index.add(entries, encoder.images(pictures))


@contextmanager
def served_explorer(data: DataFolder, encoder: str = "conse") -> Iterator[str]:
    """Serve an explorer from a thread; yields the link."""
    ready, told = threading.Event(), []
    stop: list[Any] = []

    async def main() -> None:
        over = asyncio.Event()
        stop.extend([asyncio.get_running_loop(), over])
        with store.open(data.root) as reader:
            async with serve(Workbench(reader, encoder), 0) as link:
                told.append(link)
                ready.set()
                await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(PATIENCE_S)
    try:
        yield told[0]
    finally:
        stop[0].call_soon_threadsafe(stop[1].set)
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def client_of(link: str) -> httpx.Client:
    """Return a client that sends the token of a link."""
    base, _, token = link.partition("/#token=")
    headers = {"Authorization": f"Bearer {token}", "Origin": base}
    return httpx.Client(base_url=base, headers=headers, verify=False, timeout=PATIENCE_S)


def wait_until(
    client: httpx.Client, name: str, wanted: object = True, patience_s: float = PATIENCE_S
) -> dict[str, Any]:
    """Ask for the state until one thing of it is as wanted, and return it."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        state: dict[str, Any] = client.get("/api/state").json()
        if state[name] == wanted:
            return state
        threading.Event().wait(0.05)
    raise AssertionError(f"{name} is {state[name]!r}, not {wanted!r}, after {patience_s:.0f} s")

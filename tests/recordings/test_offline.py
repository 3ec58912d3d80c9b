"""Nothing that a page of a playback tries leaves the machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

from agent.drivers.web.browser import BrowserWindow, find_browser
from agent.drivers.web.playback_driver import PlaybackDriver
from agent.drivers.web.recorded_site import RecordedSite
from agent.platforms import load_platform
from agent.recordings.recording_file import NAME, read_recording

FOLDER = next((Path(__file__).parent / "tiktok").rglob(NAME)).parent
TRIES = """async url => {
    const fails = [];
    for (const one of [url, "https://www.tiktok.com/other"])
        await fetch(one, { mode: "no-cors" }).catch(() => fails.push(one));
    navigator.sendBeacon(url);
    const frame = document.createElement("iframe");
    frame.src = url;
    document.body.append(frame);
    new Image().src = url;
    await new Promise(resolve => setTimeout(resolve, 300));
    return fails.length;
}"""


async def try_to_leave(url: str) -> int:
    recording = read_recording(FOLDER)
    platform = load_platform(recording.header.platform)
    binary = replace(find_browser(), offline=True)
    window = BrowserWindow(binary, json_from=platform.json_from, hosts=platform.hosts)
    site = RecordedSite(recording, 0)
    driver = PlaybackDriver(site, window, platform.hooks, lambda _: None)
    try:
        await driver.open(recording.header.url)
        failed: int = await driver._open_page().evaluate(TRIES, url)
        return failed
    finally:
        await driver.close()


@contextmanager
def counted() -> Iterator[tuple[int, list[object]]]:
    """A port, and who has opened a connection to it: the first byte already tells an address."""
    came: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, who = server.accept()
                except OSError:
                    return
                came.append(who)
                connection.close()

        thread = Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1], came
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_no_connection_leaves_a_playback() -> None:
    with counted() as (port, came):
        failed = asyncio.run(try_to_leave(f"https://127.0.0.1:{port}/x"))
    assert failed == 2
    assert came == []

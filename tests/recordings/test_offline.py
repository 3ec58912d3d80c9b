"""Nothing that a page of a playback tries leaves the machine."""

from __future__ import annotations

import asyncio
import http.server
import threading
from pathlib import Path

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
    window = BrowserWindow(find_browser(), json_from=platform.json_from, hosts=platform.hosts)
    site = RecordedSite(recording, 0)
    driver = PlaybackDriver(site, window, platform.hooks, lambda _: None)
    try:
        await driver.open(recording.header.url)
        failed: int = await driver._open_page().evaluate(TRIES, url)
        return failed
    finally:
        await driver.close()


def test_no_request_leaves_a_playback() -> None:
    asked: list[str] = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        failed = asyncio.run(try_to_leave(f"http://127.0.0.1:{server.server_port}/x"))
        server.shutdown()
        thread.join()
    assert failed == 2
    assert asked == []

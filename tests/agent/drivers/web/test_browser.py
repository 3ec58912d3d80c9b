"""Which browser is opened, and how: the one named, one of the machine's, or a server's."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from agent.drivers.web import browser as browsers
from agent.drivers.web.browser import BrowserBinary, BrowserWindow, find_browser
from agent.drivers.web.driver import PlaywrightDriver
from agent.errors import BadConfig, BrowserLost
from agent.platforms.playground import HOOKS
from tests.agent.drivers.web.test_driver import SHORT, made_executable


@contextmanager
def browser_server(folder: Path) -> Iterator[str]:
    """Start a Playwright server with this machine's browser; yield its address."""
    options = {"executablePath": find_browser().path, "args": browsers.list_arguments()}
    config = folder / "server.json"
    config.write_text(json.dumps(options), encoding="utf-8")
    command = [sys.executable, "-m", "playwright", "launch-server", "--browser", "chromium"]
    with subprocess.Popen(
        [*command, "--config", str(config)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            started = psutil.Process(server.pid)
            for process in (*started.children(recursive=True), started):
                process.kill()


def test_a_feed_is_watched_in_a_server_s_browser(feed_url: str, tmp_path: Path) -> None:
    """It keeps no profile, and its end is a fault with a name."""

    async def scenario(server: BrowserBinary) -> None:
        window = BrowserWindow(server, speed=16)
        driver = PlaywrightDriver(window, HOOKS, lambda _: None, SHORT)
        try:
            shown = await driver.open(feed_url)
            assert (await driver.next(shown)).shown.id == "v1"
            assert driver.browser.startswith("chromium ")
            assert driver._playwright is not None
            with pytest.raises(BadConfig, match=r"keeps no profiles here\. Type: --browser PATH"):
                await browsers.launch_profile(driver._playwright, server, tmp_path, headed=False)
        finally:
            await driver.close()

    with browser_server(tmp_path) as address:
        assert address.startswith("ws://")
        server = find_browser(address)
        asyncio.run(scenario(server))
    with pytest.raises(BrowserLost, match=f"{address} did not start"):
        asyncio.run(browsers.probe_browser(server, {}))


def test_a_browser_that_does_not_start_is_named_with_its_reason(tmp_path: Path) -> None:
    named = find_browser(made_executable(tmp_path / "browser", "exit 3"))
    assert named == BrowserBinary(str(tmp_path / "browser"), "named")
    with pytest.raises(BrowserLost, match=r"/browser did not start: .*closed") as caught:
        asyncio.run(browsers.probe_browser(named, {}))
    assert caught.value.details == {"browser": named.path}


def test_chrome_comes_before_chromium_and_both_before_playwright_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    monkeypatch.setattr(browsers, "MAC_CHROME", str(tmp_path / "none"))
    with pytest.raises(BadConfig, match=r"No browser was found\. Type: make browser, or name one"):
        find_browser()
    for name, source in (
        ("chromium-browser", "Chromium"),
        ("chromium", "Chromium"),
        ("chrome", "Chrome"),
        ("google-chrome", "Chrome"),
    ):
        path = made_executable(tmp_path / name, "exit 0")
        assert find_browser() == BrowserBinary(path, source)
        assert find_browser("chromium-browser").source == "named"

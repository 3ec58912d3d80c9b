"""Finds and starts the browser that Playwright drives."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import AgentError, BadConfig, BrowserLost

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Playwright

CHROME = ("google-chrome", "google-chrome-stable", "chrome")
MAC_CHROME = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
CHROMIUM = ("chromium", "chromium-browser")
FIX = "Type: make browser, or name one: --browser PATH"
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)
"""A measuring browser makes no requests of its own."""


@dataclass(frozen=True)
class BrowserBinary:
    """A browser to start. ``path`` is ``None`` for Playwright's own."""

    path: str | None
    source: str
    offline: bool = False
    """Whether it finds no host at all, whatever a page names."""


@dataclass(frozen=True)
class BrowserWindow:
    """What the browser is opened with."""

    binary: BrowserBinary
    headed: bool = False
    viewport: tuple[int, int] = (1280, 800)
    locale: str = "en-US"
    speed: float = 1.0
    """Playback rate that the site is known to use; dwell limits are scaled by it."""
    cookies: tuple[dict[str, Any], ...] = ()
    json_from: tuple[str, ...] = ()
    """Parts of URLs whose JSON responses the platform wants."""
    hosts: tuple[str, ...] = ()
    """The platform's own hosts, subdomains included; empty: the opened page's own origin only."""
    profile: Path | None = None
    """User data folder of an account; ``None`` for a browser that forgets."""


def find_browser(named: str | None = None) -> BrowserBinary:
    """Find the one named, else Chrome, ``chromium`` on the PATH, or Playwright's own.

    ``named`` is a path, a command, or the ``ws://`` address of a Playwright server elsewhere.
    Raises ``BadConfig`` where there is none.
    """
    if named and named.startswith(("ws://", "wss://")):
        return BrowserBinary(named, "server")
    if named:
        path = shutil.which(named)
        if path is None:
            raise BadConfig(f"There is no browser at {named!r}. {FIX}")
        return BrowserBinary(path, "named")
    for names, source in ((CHROME, "Chrome"), (CHROMIUM, "Chromium")):
        for name in names:
            if path := shutil.which(name):
                return BrowserBinary(path, source)
    if sys.platform == "darwin" and Path(MAC_CHROME).exists():
        return BrowserBinary(MAC_CHROME, "Chrome")
    if own := _playwrights_own():
        return BrowserBinary(own, "Playwright's own")
    raise BadConfig(f"No browser was found. {FIX}")


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


OFFLINE = ("--host-resolver-rules=MAP * ~NOTFOUND", "--disable-background-networking")
"""No address is looked up: routes of a page stop requests, not the sockets that precede them."""


def list_arguments() -> list[str]:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return [*QUIET, "--no-sandbox"]  # Chromium refuses to start as root otherwise
    return [*QUIET]


def _options(binary: BrowserBinary, *, headed: bool) -> dict[str, Any]:
    return {
        "executable_path": binary.path,
        "headless": not headed,
        "args": [*list_arguments(), *(OFFLINE if binary.offline else ())],
        # Playwright leaves the sandbox out unless told otherwise
        "chromium_sandbox": "--no-sandbox" not in list_arguments(),
        "handle_sigint": False,  # the run ends its step first, then closes the browser
        "handle_sigterm": False,
        "handle_sighup": False,
    }


async def launch_browser(playwright: Playwright, binary: BrowserBinary, *, headed: bool) -> Browser:
    """Start the browser, or connect to its server."""
    from playwright.async_api import Error

    if binary.source == "server" and binary.offline:
        raise BadConfig(
            "A recording is played back by a browser of this machine. Type: --browser PATH"
        )
    try:
        if binary.source == "server":
            return await playwright.chromium.connect(str(binary.path))
        return await playwright.chromium.launch(**_options(binary, headed=headed))
    except Error as error:
        raise _not_started(binary, error, headed=headed) from error


async def launch_profile(
    playwright: Playwright, binary: BrowserBinary, profile: Path, *, headed: bool, **context: Any
) -> BrowserContext:
    """Start the browser on a user data folder that is kept and not shared."""
    from playwright.async_api import Error

    if binary.source == "server":
        raise BadConfig("A browser server keeps no profiles here. Type: --browser PATH")
    try:
        return await playwright.chromium.launch_persistent_context(
            profile, **_options(binary, headed=headed), **context
        )
    except Error as error:
        raise _not_started(binary, error, headed=headed) from error


def _not_started(binary: BrowserBinary, error: Exception, *, headed: bool) -> AgentError:
    screenless = sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    if headed and screenless:
        return BadConfig("A window needs a screen, and DISPLAY is not set. Type: xvfb-run COMMAND")
    if "No usable sandbox" in str(error):
        return BadConfig(
            f"{binary.path} may not use its sandbox here, as in many containers. Where the machine "
            "is sandboxed itself, type: --browser SCRIPT, with a script that adds --no-sandbox"
        )
    first = str(error).strip().splitlines()[0]
    return BrowserLost(f"{binary.path} did not start: {first}", browser=binary.path)


async def probe_browser(
    binary: BrowserBinary, codecs: Mapping[str, str]
) -> tuple[str, dict[str, bool]]:
    """Start the browser once; return its version and which of the MIME types it plays."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await launch_browser(playwright, binary, headed=False)
        page = await browser.new_page()
        ask = "kind => document.createElement('video').canPlayType(kind) !== ''"
        plays = {name: bool(await page.evaluate(ask, kind)) for name, kind in codecs.items()}
        version = browser.version
        await browser.close()
    return version, plays

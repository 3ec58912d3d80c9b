"""Windows on the screen: the one opened for the feed, and which lie over it."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, Process
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryDirectory

from agent.drivers.web import browser as browsers
from agent.errors import BadConfig, BrowserLost

END_S = 5.0


@dataclass(frozen=True)
class PlainOptions:
    """What the window is opened with."""

    found: browsers.BrowserBinary
    url: str
    size: tuple[int, int]
    position: tuple[int, int] = (0, 0)


class PlainWindow:
    """One browser with one window; no automation protocol is spoken, no rules are injected."""

    def __init__(self, plain: PlainOptions) -> None:
        if plain.found.source == "server" or plain.found.path is None:
            raise BadConfig(
                "The desktop driver needs a browser on this screen. Type: --browser chromium"
            )
        self._plain = plain
        self._process: Process | None = None
        self._profile: TemporaryDirectory[str] | None = None

    async def open(self) -> None:
        plain = self._plain
        self._profile = TemporaryDirectory(prefix="feedsway-", ignore_cleanup_errors=True)
        options = [
            "--no-default-browser-check",
            "--hide-crash-restore-bubble",
            f"--user-data-dir={self._profile.name}",
            "--window-size={},{}".format(*plain.size),
            "--window-position={},{}".format(*plain.position),
        ]
        try:
            self._process = await asyncio.create_subprocess_exec(
                str(plain.found.path),
                *browsers.arguments(),
                *options,
                "--new-window",
                plain.url,
                stdout=DEVNULL,
                stderr=DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise BrowserLost(f"{plain.found.path} did not start: {error}") from error

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await _end(process)
        if self._profile is not None:
            self._profile.cleanup()
            self._profile = None


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(END_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()

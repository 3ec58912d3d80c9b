"""Runs the playground as a child process, for as long as a run needs it."""

from __future__ import annotations

import asyncio
import http.client
import json
import sys
import urllib.request
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agent.errors import EXIT_CODES, BadConfig, PlatformFault, UserError
from agent.run.site_counts_vs_ledger import SiteRecord, WatchedPlace
from agent.run_config import SiteConfig
from store.terminal.printing import remark

REFUSED = 409
READY_S = 300.0
"""The first start makes the clips."""
STOP_S = 5.0
ANSWER_S = 10.0
VISITOR = "visitor"
"""Name of a run's visitor that has no account."""


class PlaygroundSite:
    """The child, its address, and its end."""

    def __init__(self, site: SiteConfig, seed: int, state: Path, visitor: str = VISITOR) -> None:
        self.url = ""
        self._visitor = visitor
        self._arguments = [
            "--port",
            "0",
            "--feed",
            site.feed,
            "--gain",
            str(site.gain),
            "--seed",
            str(seed),
            "--speed",
            str(site.speed),
            "--motion",
            site.motion,
            "--state",
            str(state),
            "--parent",
        ]
        if site.catalogue is not None:
            self._arguments += ["--catalogue", str(site.catalogue)]
        if site.skin is not None:
            self._arguments += ["--skin", site.skin]
        self._query = f"?{site.switches}" if site.switches else ""
        self._process: Process | None = None
        self._told: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Start the site and return its URL; ``BadConfig`` where it refuses its options."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "agent.playground",
            *self._arguments,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        )
        self._told = asyncio.create_task(_pass_on(self._process.stderr))
        # Its own session: Ctrl-C reaches the run only, which ends its step and then ends the site.
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(READY_S):
                line = await self._process.stdout.readline()
        except TimeoutError as error:
            await self.stop()
            raise PlatformFault(f"the playground was not ready after {READY_S:.0f} s") from error
        if not line:
            code = await self._process.wait()
            await self._told
            fault = "The playground did not start; the line above says why"
            if code == EXIT_CODES[UserError]:
                raise BadConfig(f"{fault}. Type: python -m agent playground --help")
            raise PlatformFault(f"{fault} (exit code {code})")
        self.url = json.loads(line)["url"] + self._query
        return self.url

    async def record(self) -> SiteRecord:
        """Return what it counted of the visitor; ``PlatformFault`` where it is silent."""
        origin = "/".join(self.url.split("/")[:3])
        cookie = {"Cookie": f"visitor={self._visitor}"}
        asking = urllib.request.Request(f"{origin}/api/visitor", headers=cookie)
        try:
            counts = await asyncio.to_thread(_fetch, asking)
        except (OSError, ValueError) as error:
            raise PlatformFault(
                f"the playground did not tell what it has counted: {error}"
            ) from error
        return SiteRecord(tuple(WatchedPlace(**place) for place in counts["places"]))

    async def greet(self) -> None:
        """See that it serves the visitor; ``BadConfig`` where another run holds the account."""
        status, body = await asyncio.to_thread(_healthy, self.url, self._visitor)
        if status == REFUSED:
            why = str(json.loads(body)["error"]).partition(". ")[0]
            raise BadConfig(
                f"The playground refuses the account {self._visitor!r}: {why}. "
                "Wait for the other run to end, or type: --account NAME"
            )

    async def stop(self) -> None:
        """End the child, by closing its stdin. It is killed where that does not end it."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._told is not None:
            await self._told


async def _pass_on(lines: asyncio.StreamReader | None) -> None:
    """Repeat the site's stderr on ours: a display there puts the lines above itself."""
    while lines is not None and (line := await lines.readline()):
        remark(line.decode(errors="replace"))


def _fetch(asking: urllib.request.Request) -> Any:
    """Ask the site itself, past any proxy that the environment names."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(asking, timeout=ANSWER_S) as answer:
        return json.load(answer)


def _healthy(url: str, visitor: str) -> tuple[int, bytes]:
    site = http.client.HTTPConnection(urlsplit(url).netloc, timeout=ANSWER_S)
    try:
        site.request("GET", "/healthz", headers={"Cookie": f"visitor={visitor}"})
        answer = site.getresponse()
        return answer.status, answer.read()
    finally:
        site.close()

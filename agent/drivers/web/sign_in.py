"""A window for a person to sign in, and a look whether a profile is.

Nothing is typed, filled in or read here: after each response it looks whether a session cookie has
come, and closes the window once one has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, async_playwright
from playwright.async_api import Error as PlaywrightError

from agent.drivers.web import browser as browsers


async def read_session_end(context: BrowserContext, names: Sequence[str]) -> datetime | None:
    """Return when a session ends, by its cookies. One that ends with the browser ends now."""
    now = datetime.now(UTC)
    ends = [
        now if cookie["expires"] < 0 else datetime.fromtimestamp(cookie["expires"], UTC)
        for cookie in await context.cookies()
        if cookie["name"] in names and cookie["value"]
    ]
    return max(ends, default=None)


async def check_session(
    binary: browsers.BrowserBinary, profile: Path, names: Sequence[str]
) -> datetime | None:
    """Return until when a profile is signed in, without opening a page of the site."""
    async with async_playwright() as playwright:
        context = await browsers.launch_profile(playwright, binary, profile, headed=False)
        try:
            return await read_session_end(context, names)
        finally:
            await context.close()


async def sign_in(
    binary: browsers.BrowserBinary,
    profile: Path,
    url: str,
    names: Sequence[str],
) -> datetime | None:
    """Open a window. Return once a cookie of these names has come, or it was closed."""
    async with async_playwright() as playwright:
        context = await browsers.launch_profile(
            playwright, binary, profile, headed=True, no_viewport=True
        )
        over = asyncio.Event()
        looks: list[asyncio.Task[None]] = []

        async def look() -> None:
            try:
                if await read_session_end(context, names) is not None:
                    over.set()
            except PlaywrightError:  # the window was closed meanwhile
                over.set()

        def on_response(_: Any) -> None:
            looks.append(asyncio.ensure_future(look()))

        context.on("response", on_response)
        context.on("close", lambda _: over.set())
        page = context.pages[0]
        page.on("close", lambda _: over.set())
        try:
            await page.goto(url, wait_until="commit")
            await over.wait()
            until = await read_session_end(context, names)
            if until is not None and not page.is_closed():
                await page.wait_for_load_state("load")
            return until
        except PlaywrightError:  # closed by the person
            return None
        finally:
            await asyncio.gather(*looks, return_exceptions=True)
            await context.close()

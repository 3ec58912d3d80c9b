"""The playground's answer for an account that it will not serve, before a page is opened."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.config import Site
from agent.errors import BadConfig
from agent.site import PlaygroundSite

SITE = Site(feed="random")


async def meet(first: Site, second: Site, state: Path, *, beside: bool) -> None:
    """Have one site meet an account, and another one after it or beside it."""
    one, two = (PlaygroundSite(site, 7, state, "p12") for site in (first, second))
    try:
        await one.start()
        await one.greet()
        if not beside:
            await one.stop()
        await two.start()
        await two.greet()
    finally:
        await one.stop()
        await two.stop()


def test_a_busy_account_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"account 'p12': Another running site holds.*--account"):
        asyncio.run(meet(SITE, SITE, tmp_path, beside=True))


def test_a_changed_account_is_named_at_once(tmp_path: Path) -> None:
    other = SITE.model_copy(update={"feed": "listener"})
    with pytest.raises(BadConfig, match=r"first met with feed random.*listener.*--account"):
        asyncio.run(meet(SITE, other, tmp_path, beside=False))


def test_an_account_that_comes_back_is_served(tmp_path: Path) -> None:
    asyncio.run(meet(SITE, SITE, tmp_path, beside=False))

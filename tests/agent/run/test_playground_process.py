"""The playground's answer for an account that it will not serve, before a page is opened."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from agent.errors import BadConfig, PlatformFault
from agent.run import playground_process
from agent.run.playground_process import PlaygroundSite
from agent.run_config import SiteConfig

SITE = SiteConfig(feed="random")


async def meet(first: SiteConfig, second: SiteConfig, state: Path, *, beside: bool) -> None:
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


def test_what_the_site_says_goes_through_our_own_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a panel stands in for it: what the child wrote to the terminal itself broke it."""
    absent = SITE.model_copy(update={"catalogue": tmp_path / "no-clips"})
    with pytest.raises(
        BadConfig, match=r"^The playground did not start; the line above says why\. Type: python"
    ):
        asyncio.run(PlaygroundSite(absent, 7, tmp_path, "p12").start())
    assert "no-clips" in capsys.readouterr().err


def test_an_account_that_comes_back_is_served(tmp_path: Path) -> None:
    asyncio.run(meet(SITE, SITE, tmp_path, beside=False))


def test_a_site_that_never_says_where_it_is_ends_the_wait_and_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real child that writes nothing and ignores the end of its stdin."""
    silent = tmp_path / "python"
    silent.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    silent.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(silent))
    monkeypatch.setattr(playground_process, "READY_S", 2.0)
    monkeypatch.setattr(playground_process, "STOP_S", 0.2)

    async def start() -> None:
        async with asyncio.timeout(60):
            await PlaygroundSite(SITE, 7, tmp_path, "p12").start()

    with pytest.raises(PlatformFault, match="the playground was not ready after 2 s"):
        asyncio.run(start())
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)

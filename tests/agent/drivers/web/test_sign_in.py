"""Signing in at a real window: it closes once the session's cookie has come, or by a person."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.drivers.web import browser as browsers
from agent.drivers.web.sign_in import check_session, sign_in
from tests.e2e.conftest import sign_in_page
from tests.xvfb import screen

__all__ = ["sign_in_page"]

NAMES = ("sessionid",)


def test_a_window_closes_once_the_session_has_come_and_the_profile_keeps_it(
    sign_in_page: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    binary, profile = browsers.find_browser(), tmp_path / "profile"
    now = datetime.now(UTC)
    with screen(900, 700, tmp_path), caplog.at_level(logging.ERROR):
        until = asyncio.run(sign_in(binary, profile, sign_in_page, NAMES))
    assert until is not None
    assert timedelta(days=9) < until - now < timedelta(days=11)
    assert asyncio.run(check_session(binary, profile, NAMES)) == until
    assert caplog.text == ""

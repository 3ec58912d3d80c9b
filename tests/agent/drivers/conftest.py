"""A small feed on loopback with the faults of real ones, and a driver on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.serving import serving

FEED = Path(__file__).with_name("feed.html")


@pytest.fixture(scope="session")
def feed_url(clips: Path) -> Iterator[str]:
    (clips / "index.html").write_text(FEED.read_text(encoding="utf-8"), encoding="utf-8")
    for wall in ("login", "captcha/get"):
        (clips / wall).mkdir(parents=True)
        (clips / wall / "index.html").write_text("<title>wall</title><p>wall", encoding="utf-8")
    with serving(clips) as url:
        yield url

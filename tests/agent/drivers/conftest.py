"""A small feed on loopback with the faults of real ones, and a driver on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.serving import make_clips, serving

FEED = Path(__file__).with_name("feed.html")


@pytest.fixture(scope="session")
def feed_url(clips: Path) -> Iterator[str]:
    (clips / "index.html").write_text(FEED.read_text(encoding="utf-8"), encoding="utf-8")
    for wall in ("login", "captcha/get"):
        (clips / wall).mkdir(parents=True)
        (clips / wall / "index.html").write_text("<title>wall</title><p>wall", encoding="utf-8")
    with serving(clips) as url:
        yield url


@pytest.fixture(scope="session")
def various_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A feed whose clips can be told apart by their looks."""
    size = "size=270x480:rate=15"
    sources = [
        f"testsrc2={size}:duration=6",
        f"mandelbrot={size},trim=duration=6",
        f"life={size}:ratio=0.1:mold=10:seed=1,scale=270:480,trim=duration=6",
        f"gradients={size}:duration=6:speed=0.2:seed=7,negate",
    ]
    folder = tmp_path_factory.mktemp("various")
    (folder / "index.html").write_text(FEED.read_text(encoding="utf-8"), encoding="utf-8")
    make_clips(folder, sources)
    with serving(folder) as url:
        yield url

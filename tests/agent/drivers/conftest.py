"""A small feed on loopback with the faults of real ones, and a driver on it."""

from __future__ import annotations

import functools
import http.server
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imageio_ffmpeg
import pytest

FEED = Path(__file__).with_name("feed.html")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def feed_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    sources = [f"testsrc2=size=270x480:rate=15:duration=6,hue=h={hue}" for hue in range(0, 360, 90)]
    with served(tmp_path_factory.mktemp("feed"), sources) as url:
        yield url


@pytest.fixture(scope="session")
def various_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A feed whose clips can be told apart by their looks."""
    size = "size=270x480:rate=15"
    sources = [
        f"testsrc2={size}:duration=6", f"mandelbrot={size},trim=duration=6",
        f"life={size}:ratio=0.1:mold=10:seed=1,scale=270:480,trim=duration=6",
        f"gradients={size}:duration=6:speed=0.2:seed=7,negate",
    ]  # fmt: skip
    with served(tmp_path_factory.mktemp("various"), sources) as url:
        yield url


@contextmanager
def served(folder: Path, sources: list[str]) -> Iterator[str]:
    """Make the clips and serve the feed with them."""
    (folder / "index.html").write_text(FEED.read_text(encoding="utf-8"), encoding="utf-8")
    for number, source in enumerate(sources):
        subprocess.run(
            [
                imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "lavfi", "-i", source,
                "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "300k",
                "-pix_fmt", "yuv420p",
                str(folder / f"clip{number}.webm"),
            ],
            check=True,
        )  # fmt: skip
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()

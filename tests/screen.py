"""A screen for windows: Xvfb, on a display of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def screen(folder: Path, width: int = 1280, height: int = 900) -> Iterator[dict[str, str]]:
    """Open a screen; yield the environment that names it."""
    authority = folder / "Xauthority"
    authority.touch()
    reading, writing = os.pipe()
    command = [
        "Xvfb", "-displayfd", str(writing), "-screen", "0", f"{width}x{height}x24",
        "-nolisten", "tcp",
    ]  # fmt: skip
    server = subprocess.Popen(command, pass_fds=(writing,), stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            display = f":{pipe.readline().strip()}"
        yield {**os.environ, "DISPLAY": display, "XAUTHORITY": str(authority)}
    finally:
        server.terminate()
        server.wait()

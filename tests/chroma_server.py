"""A real Chroma server on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run ``chroma run`` on a folder; yields its address."""
    command = shutil.which("chroma", path=str(Path(sys.executable).parent))
    assert command is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [command, "run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    listening = threading.Event()

    def drain() -> None:  # it writes a line a request, and would wait for a reader
        assert server.stdout is not None
        for line in server.stdout:
            if "listening" in line:
                listening.set()

    reader = threading.Thread(target=drain)
    reader.start()
    try:
        assert listening.wait(60)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        reader.join()
        assert server.stdout is not None
        server.stdout.close()
        server.wait()

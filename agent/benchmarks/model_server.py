"""A model server on loopback whose answers take as long as a busy service's: for benchmarks.

``python -m agent.benchmarks.model_server 1.0`` speaks OpenAI's protocol and says yes. Its latency
is lognormal with that median in seconds. The port is its first line on stdout; it ends with stdin.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from store.terminal.printing import echo

SPREAD = 0.5
"""Standard deviation of the logarithm of the latency: one answer in twenty takes over 2.3 medians.
"""
_SEED = 1
MODEL = "openai-api/loopback/bench"
_REPLY = {
    "id": "1",
    "object": "chat.completion",
    "created": 0,
    "model": "bench",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Yes"},
        }
    ],
    "usage": {"prompt_tokens": 900, "completion_tokens": 2, "total_tokens": 902},
}


@contextmanager
def model_server(median_s: float) -> Iterator[None]:
    """Have `MODEL` answer in this environment, by a server in a process of its own."""
    command = [sys.executable, "-P", "-m", "agent.benchmarks.model_server", str(median_s)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    named = {
        "LOOPBACK_BASE_URL": f"http://127.0.0.1:{child.stdout.readline().strip()}/v1",
        "LOOPBACK_API_KEY": "none",
    }
    before = {name: os.environ.get(name) for name in named}
    os.environ.update(named)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        child.stdin.close()
        child.wait()
        child.stdout.close()


class _Server:
    """Answers every request after a latency that is drawn."""

    def __init__(self, median_s: float) -> None:
        self._median_s = median_s
        self._rng = np.random.default_rng(_SEED)
        body = json.dumps(_REPLY).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
        self._reply = f"{head}\r\n\r\n".encode() + body

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
                await asyncio.sleep(self._median_s * self._rng.lognormal(0.0, SPREAD))
                writer.write(self._reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def _serve(median_s: float) -> None:
    server = await asyncio.start_server(
        _Server(median_s).answer, "127.0.0.1", 0, limit=2**24, backlog=1000
    )
    echo(str(server.sockets[0].getsockname()[1]))
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # whoever still waits is not told


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))

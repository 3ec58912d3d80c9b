"""A stand-in for the command ``vllm``: starts late, has a worker, asks for its key, says Yes.

``python fake_vllm.py serve MODEL --host HOST --port PORT``. Each start leaves a file in the
folder ``FAKE_VLLM``; ``FAKE_VLLM_START_S`` is how long it takes, ``FAKE_VLLM_FAILS`` lets it fail.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(os.environ["FAKE_VLLM"])
GIVEN = dict(zip(sys.argv[3::2], sys.argv[4::2], strict=False))
KEY = GIVEN.get("--api-key") or os.environ.get("VLLM_API_KEY", "")


class Handler(BaseHTTPRequestHandler):
    """Two of the paths that vLLM serves."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """List the model."""
        self._send({"object": "list", "data": [{"id": sys.argv[2], "object": "model"}]})

    def do_POST(self) -> None:
        """Say Yes."""
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.02)
        with (FOLDER / "answers").open("ab") as answers:
            answers.write(b".")
        message = {"role": "assistant", "content": "Yes."}
        self._send(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": sys.argv[2],
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
            }
        )

    def _send(self, told: object) -> None:
        known = self.headers.get("Authorization") == f"Bearer {KEY}"
        body = json.dumps(told if known else {"error": "Unauthorized"}).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until told to stop."""
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    told = {
        "pid": os.getpid(),
        "worker": worker.pid,
        "argv": sys.argv,
        "key": KEY,
        "host": GIVEN["--host"],
        "port": int(GIVEN["--port"]),
    }
    (FOLDER / f"{os.getpid()}.json").write_text(json.dumps(told))
    if os.environ.get("FAKE_VLLM_FAILS"):
        sys.exit("no GPU here")
    time.sleep(float(os.environ.get("FAKE_VLLM_START_S", "0")))
    server = ThreadingHTTPServer((GIVEN["--host"], int(GIVEN["--port"])), Handler)
    server.daemon_threads = True
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # and leaves its worker behind
    server.serve_forever()


if __name__ == "__main__":
    main()

"""A model server on loopback that counts its calls by question, in a process of its own.

It answers as OpenAI's protocol says, always the same to the same question, after a moment in which
a kill may fall. Told to, it is gone after so many more calls.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.request import Request, urlopen

ANSWER_S = 0.02
STAYS = 10**9


class ModelServer:
    """Forked from this process; ``calls`` asks it what it was asked."""

    def __init__(self) -> None:
        server = _Server(("127.0.0.1", 0), _Desk)
        self.url = f"http://127.0.0.1:{server.server_port}"
        self._pid = os.fork()
        if self._pid == 0:
            os.setsid()
            server.serve_forever()
            os._exit(0)
        server.socket.close()

    def calls(self) -> Counter[str]:
        """How often each question was answered."""
        with urlopen(f"{self.url}/calls") as told:
            return Counter(json.load(told))

    def reset(self, stays_for: int = STAYS) -> None:
        """Forget the calls; be gone after so many."""
        body = json.dumps(stays_for).encode()
        urlopen(Request(f"{self.url}/reset", body, method="POST")).close()

    def stay(self) -> None:
        """Be back; what was asked stays counted."""
        urlopen(Request(f"{self.url}/stay", b"", method="POST")).close()

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.calls: Counter[str] = Counter()
        self.stays_for = STAYS
        self.lock = Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever was killed hears nothing."""


class _Desk(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._reply(dict(self.server.calls))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path in ("/reset", "/stay"):
            if self.path == "/reset":
                self.server.calls.clear()
            self.server.stays_for = json.loads(body or str(STAYS))
            self._reply({})
            return
        question = hashlib.sha256(body).hexdigest()
        with self.server.lock:
            is_gone = self.server.calls.total() >= self.server.stays_for
            self.server.calls[question] += not is_gone
        if is_gone:
            self.close_connection = True
            self.connection.close()
            return
        time.sleep(ANSWER_S)
        self._reply(completion("Yes." if int(question[0], 16) < 8 else "No."))

    def _reply(self, told: Any) -> None:
        content = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def completion(text: str) -> dict[str, Any]:
    usage = {"prompt_tokens": 900, "completion_tokens": 2, "total_tokens": 902}
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "counts",
        "choices": [choice],
        "usage": usage,
    }

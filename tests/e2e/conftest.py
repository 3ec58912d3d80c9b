"""A page to sign in at, which does by itself what a person would do."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

PAGE = b"<!doctype html><title>Sign in</title><script>setTimeout(() => fetch('/in'), 700)</script>"


class _Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Serve the page, and the session's cookie once it is asked for."""
        self.send_response(200)
        if self.path == "/in":
            self.send_header("Set-Cookie", "sessionid=canary-5f1; Max-Age=864000; HttpOnly")
        body = b"" if self.path == "/in" else PAGE
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def sign_in_page() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/login"
    server.shutdown()
    thread.join()
    server.server_close()

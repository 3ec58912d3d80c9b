"""Connects again and again and asks nothing: a process of its own, with descriptors of its own.

Started as ``python idle_connections.py PORT COUNT SECONDS``; stays so long, and connects anew where
it was sent away. Prints how many connections it has made.
"""

from __future__ import annotations

import resource
import socket
import sys
import time

SAID = (
    b"",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    b"POST /api/pause HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{",
)


def main() -> None:
    """Hold so many connections open, as far as the other side does."""
    port, count, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    until, made, waiting = time.monotonic() + seconds, 0, []
    while time.monotonic() < until:
        if made >= count:
            time.sleep(0.05)
            continue
        one = socket.socket()
        one.settimeout(5)
        try:
            one.connect(("127.0.0.1", port))
            one.sendall(SAID[made % len(SAID)])
        except OSError:
            one.close()
            continue
        waiting.append(one)
        made += 1
        if made == count:
            sys.stdout.write(f"{made}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

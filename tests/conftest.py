"""What every test lives with: no socket beyond loopback, and a found browser."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

# The same examples in every run, at whatever pace the machine has.
settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.load_profile("steady")
# A script that runs in the background ignores Ctrl-C, and so would everything it starts; tests of
# Ctrl-C start programs as a person does.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
REPO_ENV = ("FEEDSWAY_DATA", "FEEDSWAY_BROWSER")
os.environ["FEEDSWAY_CONFIG"] = ""  # the user's own feedsway.toml is none of a test's
os.environ["VIRTUAL_ENV"] = sys.prefix  # so that commands to type begin with `python`


class BeyondLoopbackError(RuntimeError):
    """A test tried to reach another machine."""


def _is_local(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket's path
    host = str(address[0])
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True, scope="session")
def loopback_only() -> Iterator[None]:
    """Refuse every connection of this process beyond loopback."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded(self: socket.socket, address: Any) -> None:
        if not _is_local(address):
            raise BeyondLoopbackError(f"a test reached for {address!r}")
        connect(self, address)

    def guarded_ex(self: socket.socket, address: Any) -> int:
        if not _is_local(address):
            raise BeyondLoopbackError(f"a test reached for {address!r}")
        return connect_ex(self, address)

    socket.socket.connect = guarded  # type: ignore[method-assign, assignment]
    socket.socket.connect_ex = guarded_ex  # type: ignore[method-assign, assignment]
    saved = {name: os.environ.pop(name, None) for name in REPO_ENV}
    os.environ["FEEDSWAY_WARM_S"] = "0"  # tests of workers say otherwise
    os.environ["HF_HUB_OFFLINE"] = "1"  # a hub that a test would ask is a fault of the test
    yield
    socket.socket.connect = connect  # type: ignore[method-assign]
    socket.socket.connect_ex = connect_ex  # type: ignore[method-assign]
    for name, value in saved.items():
        if value is not None:
            os.environ[name] = value

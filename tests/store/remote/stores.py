"""A real S3 server on loopback, stores that die, and machines that share one."""

from __future__ import annotations

import os
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from store.jsonl.mirrors import forget_mirror, mirror_of, register_mirror
from store.remote import mounting
from store.remote.mirror import FolderMirror
from store.remote.object_store import RemoteStore


def serve_s3() -> Iterator[str]:
    """Start moto's server; the environment says how it is reached."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    told = {
        "AWS_ACCESS_KEY_ID": "anybody",
        "AWS_SECRET_ACCESS_KEY": "not-to-be-shown",
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in told.items():
            patch.setenv(name, value)
        yield url
    server.stop()


def new_bucket(server: str, name: str = "") -> str:
    """Make a bucket; return the URL of a data folder in it."""
    name = name or f"b{uuid.uuid4().hex[:12]}"
    with urllib.request.urlopen(urllib.request.Request(f"{server}/{name}", method="PUT")):
        return f"s3://{name}/study"


class DeadError(BaseException):
    """The machine died: nothing after this is done."""


class MortalStore(RemoteStore):
    """A store whose machine dies just before or just after its n-th writing call."""

    def __init__(self, url: str, dies_at: int, *, after: bool) -> None:
        super().__init__(url)
        self._left, self._after, self._dead = dies_at, after, False

    def _call(self, work: Any) -> Any:
        if self._dead:
            raise DeadError
        self._left -= 1
        if self._left == 0:
            self._dead = True
            if self._after:
                work()
            raise DeadError
        return work()

    def put(self, name: str, content: bytes) -> str:
        return str(self._call(lambda: super(MortalStore, self).put(name, content)))

    def create(self, name: str, content: bytes) -> bool:
        return bool(self._call(lambda: super(MortalStore, self).create(name, content)))

    @property
    def dead(self) -> bool:
        return self._dead


@contextmanager
def machine(root: Path, url: str, lease_s: float = 60.0) -> Iterator[Path]:
    """Have a cache of a URL for a while, as a command has."""
    said: list[str] = []
    unmount = mounting.mount(url, root, said.append, lambda _done, _total: None, lease_s)
    try:
        yield root
    finally:
        unmount()


@contextmanager
def dying_machine(root: Path, store: MortalStore) -> Iterator[FolderMirror]:
    """Have a cache whose machine is gone at the end: nothing is settled or given back."""
    root.mkdir(parents=True, exist_ok=True)
    mirror = FolderMirror(root, store, uuid.uuid4().hex)
    register_mirror(root, mirror)
    try:
        yield mirror
    finally:
        forget_mirror(root)


def child_environment(cache: Path, lease_s: float = 60.0) -> dict[str, str]:
    return os.environ | {"FEEDSWAY_CACHE": str(cache), "FEEDSWAY_LEASE_S": str(lease_s)}


@contextmanager
def killed_machine(root: Path, url: str) -> Iterator[Path]:
    """Have a cache as a command has whose process is killed at the end."""
    mounting.mount(url, root, lambda _said: None, lambda _done, _total: None)
    mirror = mirror_of(root)
    assert isinstance(mirror, FolderMirror)
    try:
        yield root
    finally:
        forget_mirror(root)
        mirror.leases._end.set()

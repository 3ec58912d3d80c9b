"""Where a page that is served is, and the token that opens it.

A daemon's token outlives a restart, so that a kept link goes on working; whoever can read the file
may steer it, so only its owner can.
"""

from __future__ import annotations

import html
import os
import secrets
from pathlib import Path

from pydantic import ValidationError

from agent.run_config import FrozenValue
from store.errors import DataUnwritable
from store.jsonl.atomic import TEMPORARY, make_folder
from store.jsonl.locks import holder

FILE, LOCK = "address.json", "lock"
WAY_IN = "open.html"


class Address(FrozenValue):
    """A page and its token."""

    url: str
    token: str

    @property
    def link(self) -> str:
        """What a person opens; no browser sends what stands behind the ``#`` to anybody."""
        return f"{self.url}/#token={self.token}"


def read_address(folder: Path) -> Address | None:
    """Return the address of the last page; it need not be served any more."""
    try:
        return Address.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def find_served(folder: Path) -> Address | None:
    """Return the address of the page of a folder whose lock is held; ``None`` of no other."""
    return read_address(folder) if holder(folder / LOCK) else None


def write_address(folder: Path, url: str, *, fresh: bool = False) -> Address:
    """Keep the address in a folder, with the token of before or, if asked for, a fresh one."""
    before = None if fresh else read_address(folder)
    address = Address(url=url, token=before.token if before else secrets.token_urlsafe(32))
    _write_own(folder / FILE, address.model_dump_json())
    return address


def write_way_in(folder: Path, link: str) -> Path:
    """Write a page that leads to a link, for its owner alone; raises ``DataUnwritable``."""
    to = html.escape(link, quote=True)
    page = f'<!doctype html><meta http-equiv="refresh" content="0;url={to}"><a href="{to}">Open</a>'
    return _write_own(folder / WAY_IN, page)


def _write_own(path: Path, text: str) -> Path:
    """Write a file that only its owner can read; raises ``DataUnwritable``."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}{TEMPORARY}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o600)
            file.write(text)
        temporary.replace(path)
    except OSError as error:  # the old one stays, and with it the token
        raise DataUnwritable(path, error.strerror or str(error)) from None
    return path

"""Where a running daemon's page is, and the token that opens it.

The token outlives a restart, so that a kept link goes on working; whoever can read the file may
steer the daemon, so only its owner can.
"""

from __future__ import annotations

import os
import secrets

from pydantic import ValidationError

from agent.run_config import FrozenValue
from store.errors import DataUnwritable
from store.jsonl.atomic import TEMPORARY, make_folder
from store.runs.data_folder import DataFolder

FILE = "address.json"


class Address(FrozenValue):
    """A page and its token."""

    url: str
    token: str

    @property
    def link(self) -> str:
        """What a person opens; no browser sends what stands behind the ``#`` to anybody."""
        return f"{self.url}/#token={self.token}"


def read_address(data: DataFolder) -> Address | None:
    """Return the address of the last page; it need not be served any more."""
    try:
        return Address.model_validate_json((data.daemon_dir / FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def write_address(data: DataFolder, url: str) -> Address:
    """Keep the address, with the token of before or a new one."""
    before = read_address(data)
    address = Address(url=url, token=before.token if before else secrets.token_urlsafe(32))
    make_folder(data.daemon_dir)
    path = data.daemon_dir / FILE
    temporary = path.with_name(f".{FILE}{TEMPORARY}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o600)
            file.write(address.model_dump_json())
        temporary.replace(path)
    except OSError as error:  # the old one stays, and with it the token
        raise DataUnwritable(path, error.strerror or str(error)) from None
    return address

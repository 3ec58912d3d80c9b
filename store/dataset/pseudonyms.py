"""Pseudonyms of creators and videos: keyed hashes, whose key stays in the data folder.

With the key and a handle one can tell its pseudonym; without the key nobody can try handles out.
The same key gives the same pseudonyms in every export.

Refuses to know which fields hold names (``rows``).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from store.errors import DataUnwritable
from store.names import Names, plain


class Pseudonyms:
    """Stand-ins for names, made with one key.

    Parameters
    ----------
    key
        Secret.
    handles
        Creators that are known, and so found in texts without an ``@`` as well.
    """

    def __init__(self, key: bytes, handles: Iterable[str]) -> None:
        self._key = key
        instead = {handle: self.creator(handle) for handle in handles}
        self._names = Names(instead, lambda handle: self.creator(handle))

    def creator(self, handle: str) -> str:
        """Stand-in for a handle, however it is spelled."""
        return f"creator-{self._mark('creator', plain(handle))}"

    def video(self, platform: str, video: str) -> str:
        """Stand-in for a video's id, by which its creator could be looked up."""
        return f"video-{self._mark('video', platform, video)}"

    def text(self, text: str, own: str | None) -> str:
        """A text without handles; ``own`` is the creator of the video that it is about."""
        return self._names.replace(text, own)

    def _mark(self, *parts: str) -> str:
        return hmac.new(self._key, "\0".join(parts).encode(), hashlib.sha256).hexdigest()[:12]


def key_of(path: Path) -> bytes:
    """Read the key, or make it, for nobody else to read.

    Raises
    ------
    DataUnwritable
        It can be neither read nor made.
    """
    try:
        if not path.exists():
            made = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
                file.flush()
                os.fsync(descriptor)
            with suppress(FileExistsError):  # of two programs at once, the first one counts
                path.hardlink_to(made)
            made.unlink()
        return bytes.fromhex(path.read_text())
    except (OSError, ValueError) as error:
        raise DataUnwritable(path, str(error)) from None

"""Pseudonyms of creators and videos: keyed hashes, whose key stays in the data folder.

With the key and a handle one can tell its pseudonym; without the key nobody can try handles out.
The same key gives the same pseudonyms in every export.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from store.errors import DataUnwritable, StoreError
from store.jsonl.file_seal import check_seal, seal
from store.privacy.person_names import Names, plain
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger

IMPORTED = "imported"
"""Platform of other people's screenshots: whoever brought them in named the run."""
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+|www\.\S+|\b(?:[\w-]+\.)+[a-z]{2,}/\S*", re.I)
_HIDDEN = "(address)"
_STAND_IN = re.compile(r"\b(?:creator|video|music|account)-[0-9a-f]{12}\b|\b[0-9a-f]{64}\b")
"""What we write in place of names, and hashes of files: neither names anybody."""


@dataclass(slots=True)
class KnownPeople:
    """Creators and videos of everything that is kept, whatever of it is exported."""

    handles: set[str] = field(default_factory=set)
    videos: set[tuple[str, str]] = field(default_factory=set)

    def add(self, platform: str, video: str, author: str | None) -> None:
        self.videos.add((platform, video))
        if author:
            self.handles.add(author)

    def names(self) -> Names:
        ids = dict.fromkeys((video for _, video in self.videos), "")
        return Names(dict.fromkeys(self.handles, ""), ids=ids)


def known_runs(data: DataFolder, people: KnownPeople, problems: list[str]) -> Iterator[Ledger]:
    """Read every run, and learn whom it names; one that cannot be read is told of."""
    for summary in data.runs():
        try:
            run = ledger.read(summary.path)
        except StoreError as error:
            problems.append(str(error))
            continue
        for step in run.steps:
            people.add(run.started.platform, step.video.id, step.video.author)
        yield run


class Pseudonyms:
    """Stand-ins for names, made with one secret key.

    Names of ``people`` are found in texts without an ``@`` as well.
    """

    def __init__(self, key: bytes, people: KnownPeople) -> None:
        self._key = key
        instead = {handle: self.creator(handle) for handle in people.handles}
        ids = {video: self.video(platform, video) for platform, video in sorted(people.videos)}
        self._names = Names(instead, self.creator, ids)
        self._ours = Names(instead, ids=ids)
        self._known = people.names()

    def creator(self, handle: str) -> str:
        return f"creator-{self._mark('creator', plain(handle))}"

    def video(self, platform: str, video: str) -> str:
        """Stand-in for a video's id, by which its creator could be looked up."""
        return f"video-{self._mark('video', platform, video)}"

    def music(self, platform: str, music: str) -> str:
        """Stand-in for the id of a sound, by which whoever made it could be looked up."""
        return f"music-{self._mark('music', platform, music)}"

    def account(self, platform: str, account: str) -> str:
        """Stand-in for an account of our own, under which a persona watched."""
        return f"account-{self._mark('account', platform, account)}"

    def text(self, text: str, own: str | None) -> str:
        """A text without handles, ids and addresses; ``own`` is the creator whom it is about."""
        return self._names.replace(_ADDRESS.sub(_HIDDEN, text), own)

    def known(self, text: str) -> str:
        """A text of ours without known creators; its addresses and mentions of others stay."""
        return self._ours.replace(text)

    def run(self, run: str) -> str:
        """Name of a run; one that was imported carries the name that somebody gave."""
        bare = self._names.replace(run) if run.startswith(IMPORTED) else run
        return run if bare == run else f"{bare}-{self._mark('run', run)[:4]}"

    def left_in(self, text: str) -> list[str]:
        """Names of known creators and ids of known videos that a text still holds, as spelled."""
        bare = _STAND_IN.sub(" ", text)
        return [bare[name.start : name.end] for name in self._known.find(bare)]

    def _mark(self, *parts: str) -> str:
        return hmac.new(self._key, "\0".join(parts).encode(), hashlib.sha256).hexdigest()[:12]


def key_of(path: Path) -> bytes:
    """Read the key, or make it, for nobody else to read; raises ``DataUnwritable``."""
    try:
        if not path.exists():
            made = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(seal(secrets.token_hex(32).encode()))
                file.flush()
                os.fsync(descriptor)
            with suppress(FileExistsError):  # of two programs at once, the first one counts
                path.hardlink_to(made)
            made.unlink()
        content = path.read_bytes()
        if check_seal(content) == "changed":
            raise ValueError("it is damaged; restore it from a copy")
        return bytes.fromhex(content.decode())
    except (OSError, ValueError) as error:
        raise DataUnwritable(path, str(error)) from None

"""Accounts' browser profiles: who may use one, where it lies, how it is moved.

A profile is as good as a password: only its owner can read its folder and its dumps, and one
browser uses it at a time.
"""

from __future__ import annotations

import gzip
import os
import re
import tarfile
from fnmatch import fnmatch
from pathlib import Path
from types import TracebackType
from typing import Self

from agent.errors import BadConfig
from store.jsonl.atomic import make_folder
from store.jsonl.locks import LockHeld, NamedLock, holder
from store.jsonl.paths import check_name, is_part, path_within, staged_folder
from store.runs.data_folder import DataFolder
from store.untrusted.archives import BadArchive, read_members

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
MOST_FILES, MOST_BYTES = 200_000, 4 << 30
"""Of a dump; a profile of months has some thousand files and some hundred megabytes."""
PASSING = ("*Cache*", "Singleton*", "component_crx_cache", "*.log", "Crashpad")
"""What a browser makes anew; no part of a dump."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}")


def _lock_path(data: DataFolder, platform: str, account: str) -> Path:
    return data.profiles_dir / platform / f".{account}.lock"


def profile_user(data: DataFolder, platform: str, account: str) -> str | None:
    """Who uses an account's profile now, in words; ``None`` if nobody does."""
    return holder(_lock_path(data, platform, account))


class BrowserProfile:
    """One account's profile, held for as long as the context lasts."""

    def __init__(self, data: DataFolder, platform: str, account: str) -> None:
        if not _NAME.fullmatch(account):
            raise BadConfig(
                f"{account!r} is no name for an account. Type: --account p12-treatment-1"
            )
        self.platform, self.account = platform, account
        home = data.profiles_dir / check_name(platform)
        self.path = path_within(data.profiles_dir, home / account)
        self._lock = NamedLock(_lock_path(data, platform, account))

    def __enter__(self) -> Self:
        """Hold the profile, or raise ``BadConfig`` that names who does."""
        for folder in (self.path.parent.parent, self.path.parent, self.path):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(PRIVATE_FOLDER)
        try:
            self._lock.acquire()
        except LockHeld as error:
            raise BadConfig(
                f"The profile of {self.account!r} on {self.platform} is in use by {error}. "
                "End that first, or type: --account ANOTHER"
            ) from None
        for stale in self.path.glob("Singleton*"):  # a killed browser's; nobody else is in here
            stale.unlink(missing_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()

    def dump(self, file: Path) -> None:
        """Write the profile, without its caches, to a file that only its owner can read."""

        def keep_member(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
            name = Path(member.name).name
            return None if any(fnmatch(name, pattern) for pattern in PASSING) else member

        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
            with os.fdopen(descriptor, "wb") as stream, tarfile.open(None, "w:gz", stream) as tar:
                tar.add(self.path, arcname=".", filter=keep_member)
        except OSError as error:
            raise BadConfig(
                f"{file} cannot be written: {error.strerror}. Type: --dump ANOTHER.tar.gz"
            ) from None

    def restore(self, file: Path) -> None:
        """Put a dumped profile here; refuses where there is one already."""
        if any(self.path.iterdir()):
            raise BadConfig(
                f"{self.account!r} has a profile on {self.platform} already. "
                f"Type: --account ANOTHER, or remove {self.path}"
            )
        try:
            with staged_folder(self.path, ".restoring", self._refuse) as building:
                _unpack(file, building)
        except (OSError, BadArchive) as error:
            raise BadConfig(
                f"{file} is no dump of a profile: it {error}. Type: --dump FILE"
            ) from None

    def _refuse(self, problem: str) -> BadConfig:
        return BadConfig(f"{self.path} {problem}. Type: --account ANOTHER")


def _unpack(file: Path, folder: Path) -> None:
    """Put the plain files of a dump into a folder. Links and all else stay out."""
    with gzip.open(file) as stream:
        for member in read_members(stream, MOST_FILES, MOST_BYTES):
            name = member.name.removeprefix("./")
            if not member.is_file:
                continue
            if not all(map(is_part, name.split("/"))):
                raise BadArchive(f"names a file outside itself ({name[:200]!a})")
            path = path_within(folder, folder / name)
            make_folder(path.parent, sync=False)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
            with os.fdopen(descriptor, "wb") as out:
                out.writelines(member.pieces())

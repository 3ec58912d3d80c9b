"""Objects by name in a bucket or a shared folder, through obstore.

A name can be created by one writer only: everything that two machines could do at once rests on
that. Credentials come from the environment, and are never part of a URL or of an error.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from store.errors import DataUrlRefused
from store.untrusted.clean_text import show_line

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3", "gs", "az", "file")
RETRY_S = 60.0
"""How long an answer is waited for, and what failed in passing is tried again."""
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_HIDDEN = re.compile(r"[?&]\S*|\b(?:[\w-]*(?:key|token|secret|signature)[\w-]*)\s*[=:]\s*\S+", re.I)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a listing tells of an object; its size in bytes."""

    name: str
    size: int
    tag: str
    """Another one where the content is another."""
    modified: datetime


class RemoteStore:
    """Objects below one URL; its methods raise ``OSError`` where it cannot be reached."""

    def __init__(self, url: str) -> None:
        check_url(url)
        self.url = url
        self._objects = _open(url)

    def put(self, name: str, content: bytes) -> str:
        """Write an object, over another of its name; return its tag."""
        import obstore

        with _as_os_error():
            return obstore.put(self._objects, name, content)["e_tag"] or ""

    def create(self, name: str, content: bytes) -> bool:
        """Write an object that is not there; tell whether it is there with this content.

        An answer that was lost on the way may hide that it was written, so what is there is read.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with _as_os_error():
            try:
                obstore.put(self._objects, name, content, mode="create")
            except AlreadyExistsError:
                return self.get(name) == content
        return True

    def get(self, name: str) -> bytes | None:
        """Return an object's content; ``None`` where there is none."""
        import obstore

        with _as_os_error():
            try:
                return bytes(obstore.get(self._objects, name).bytes())
            except FileNotFoundError:
                return None

    def look(self, name: str) -> StoredObject | None:
        import obstore

        with _as_os_error():
            try:
                found = obstore.head(self._objects, name)
            except FileNotFoundError:
                return None
        return StoredObject(name, found["size"], found["e_tag"] or "", found["last_modified"])

    def find(self, folder: str) -> Iterator[StoredObject]:
        """List what lies below a folder, at any depth."""
        import obstore

        with _as_os_error():
            for batch in obstore.list(self._objects, folder or None):
                for found in batch:
                    tag, size, at = found["e_tag"] or "", found["size"], found["last_modified"]
                    yield StoredObject(found["path"], size, tag, at)

    def folders(self) -> list[str]:
        """Name the folders directly below the URL."""
        import obstore

        with _as_os_error():
            return list(obstore.list_with_delimiter(self._objects)["common_prefixes"])

    def top_objects(self) -> list[StoredObject]:
        """List the objects directly below the URL."""
        import obstore

        with _as_os_error():
            found = obstore.list_with_delimiter(self._objects)["objects"]
        return [
            StoredObject(each["path"], each["size"], each["e_tag"] or "", each["last_modified"])
            for each in found
        ]

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects; those that are not there are left as they are."""
        import obstore

        wanted = list(names)
        with _as_os_error():
            try:
                obstore.delete(self._objects, wanted)
            except FileNotFoundError:
                for name in wanted:
                    with suppress(FileNotFoundError):
                        obstore.delete(self._objects, name)

    def clock(self, name: str) -> datetime:
        """Tell the time by the store's own clock, which all machines see; ``name`` is a scratch."""
        self.put(name, b"")
        found = self.look(name)
        if found is None:
            raise OSError(f"{self.url} does not keep what is put there")
        return found.modified

    def prove_exclusive(self, name: str) -> None:
        """Raise ``DataUrlRefused`` where a second writer of a name is not refused."""
        trial = f"{name}-{uuid.uuid4().hex}"
        try:
            self.create(trial, b"1")
            refused = not self.create(trial, b"2")
            self.delete([trial])
        except OSError as error:
            raise DataUrlRefused(self.url, f"cannot be used ({error})") from None
        if not refused:
            raise DataUrlRefused(
                self.url, "lets two machines write one name at once (no If-None-Match)"
            )


def check_url(url: str) -> None:
    """Raise ``DataUrlRefused`` for a URL of another kind, or with credentials in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise DataUrlRefused("This", "is no URL of a store") from None
    place = parts.netloc or parts.path.strip("/")
    if parts.scheme not in SCHEMES or not url.startswith(f"{parts.scheme}://") or not place:
        raise DataUrlRefused(_shown(parts), f"is no URL of a store ({', '.join(SCHEMES)})")
    if set("@:") & set(parts.netloc) or parts.query or parts.fragment:
        raise DataUrlRefused(
            _shown(parts), "was given credentials; they belong into the environment"
        )
    if parts.scheme == "file" and (parts.netloc or "%" in parts.path):
        raise DataUrlRefused(_shown(parts), "is no folder here. It is written file:///FOLDER")


def _shown(parts: SplitResult) -> str:
    """Return as much of a URL as holds no secret: one with a slash in it reaches into the path."""
    secret = set("@:") & set(parts.netloc)
    return f"{parts.scheme}://..." if secret else f"{parts.scheme}://{parts.netloc}{parts.path}"


def _open(url: str) -> ObjectStore:
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ImportError:
        raise DataUrlRefused(url, "needs obstore. Type: pip install 'feedsway[remote]'") from None
    try:
        if url.startswith("file://"):
            Path(urlsplit(url).path).mkdir(parents=True, exist_ok=True)
            return from_url(url)
        return from_url(
            url,
            retry_config={"retry_timeout": timedelta(seconds=RETRY_S)},
        )
    except (BaseError, OSError, ValueError) as error:
        raise DataUrlRefused(url, f"cannot be used ({_first_line(error)})") from None


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Turn what obstore raises into an ``OSError`` of one line, without what could be secret."""
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError as error:
        raise OSError(_first_line(error)) from None
    except BaseError as error:
        raise OSError(_first_line(error)) from None


def _first_line(error: Exception) -> str:
    """Return the first line of an error, with the code that the service gave for it."""
    text = str(error)
    line = next((line for line in text.splitlines() if line.strip()), type(error).__name__)
    code = _CODE.search(text)
    told = line.partition("<")[0].rstrip(": ") + (f": {code[1]}" if code else "")
    return show_line(_HIDDEN.sub("...", told))[:300]

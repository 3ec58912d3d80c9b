"""What a backup may hold: the places of a data folder by name, and which of them are secrets.

A list of what may come in, not of what may not: a backup may be a stranger's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, get_args

from pydantic import BaseModel

from store.jsonl.paths import FrameHash, is_name, is_part
from store.runs.ledger import LOCK
from store.runs.records import Record

MANIFEST = "feedsway-backup.json"
"""Last member of a whole backup: what must be in it."""
FORMAT = 1
Secret = Literal["profiles", "replies", "key"]
"""Browser profiles, kept replies of models, and the key of the pseudonyms."""
SECRETS: tuple[Secret, ...] = get_args(Secret)
Kind = Secret | Literal["record"]

_DEEPEST = 32
PLACES = frozenset(
    {"runs", "studies", "frames", "spectra", "pairs", "probes", "derived", "daemon", "cache"}
    | {"index", "profiles", "payments.jsonl", "pseudonyms.key"}
)
"""Everything directly below a data folder that is feedsway's own."""
_PASSING_ENDS = (".lock", ".tmp")
_PASSING_WORDS = ("Cache", "Singleton", "Crashpad")
"""In the names of what a browser makes anew."""
_RECORDS = re.compile(
    r"""
    frames/(?P<head>[0-9a-f]{2})/(?P=head)[0-9a-f]{62}\.jpg
    | derived/[0-9a-f]{24}\.json
    | daemon/journal\.jsonl
    | payments\.jsonl
    | (runs|studies)/[^/]+/.+
    | (spectra|pairs|probes)/.+
    """,
    re.VERBOSE | re.DOTALL,
)
_REPLY = re.compile(r"cache/[0-9a-f]{2}/[0-9a-f-]+\.json")
_PROFILE_DEPTH = 4
"""Parts of a profile's file: ``profiles``, platform, account, and its own."""


class Manifest(Record):
    """The SHA-256 of everything that must be in a backup."""

    format: int
    at: datetime
    profiles: bool
    sha256: dict[str, FrameHash]
    """By the file's name."""


class ManifestHead(BaseModel):
    """What every manifest has, also one of a later format."""

    format: int


def is_safe(name: str) -> bool:
    """Whether a member's name stays below the folder that it is put into."""
    parts = name.split("/")
    return len(parts) <= _DEEPEST and all(map(is_part, parts))


def kind_of(name: str) -> Kind | None:
    """What a file of a data folder is, by its name; ``None``: no backup holds it."""
    parts = name.split("/")
    if not is_safe(name) or name.endswith(_PASSING_ENDS) or parts[-1] == LOCK:
        return None
    if parts[0] == "profiles":
        return "profiles" if _is_of_profile(parts) else None
    if name == "pseudonyms.key":
        return "key"
    if _REPLY.fullmatch(name):
        return "replies"
    own = _RECORDS.fullmatch(name) is not None and is_name(parts[min(1, len(parts) - 1)])
    return "record" if own else None


def _is_of_profile(parts: Sequence[str]) -> bool:
    deep = len(parts) >= _PROFILE_DEPTH and is_name(parts[1]) and is_name(parts[2])
    return deep and not any(word in part for part in parts[3:] for word in _PASSING_WORDS)

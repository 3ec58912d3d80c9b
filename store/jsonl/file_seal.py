"""The seal of a whole file of text: its SHA-256, as blanks at its end that no parser minds.

The last line of a sealed JSON or TOML file is 256 blanks, a space for each 0 of the hash's bits and
a tab for each 1. So file and hash are written as one, and what reads such files (lists as well as
tables, programs of others included) reads on as it did. Older files have no seal.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Literal

from store.jsonl.atomic import write_whole

_BITS = 256
_LENGTH = _BITS + 2
_LEAST = _LENGTH - 4
"""Blanks at the end from which a file was sealed, whatever else a damaged byte made of them."""
CHANGED = "it is not as it was written."
SealState = Literal["whole", "unsealed", "changed"]


def check_seal(content: bytes) -> SealState:
    """Tell whether a file is as it was written; ``unsealed``: nothing in it tells."""
    end = content[-_LENGTH:]
    if sum(byte in b" \t\n" for byte in end) < _LEAST or sum(byte in b" \t" for byte in end) < 250:
        return "unsealed"
    return "whole" if end == _blanks(content[:-_LENGTH]) else "changed"


def seal(content: bytes) -> bytes:
    """Return a file's content with its seal; one that is damaged stays as it is."""
    return content if check_seal(content) != "unsealed" else content + _blanks(content)


def strip_seal(content: bytes) -> bytes:
    """Return a file's content without its seal, whatever that says."""
    return content if check_seal(content) == "unsealed" else content[:-_LENGTH]


def write_sealed(path: Path, content: bytes) -> None:
    """Write a file of text as a whole, under its hash; raises ``OSError``."""
    write_whole(path, seal(content))


def _blanks(content: bytes) -> bytes:
    bits = f"{int.from_bytes(sha256(content).digest()):0{_BITS}b}"
    return b"\n" + bits.replace("0", " ").replace("1", "\t").encode() + b"\n"

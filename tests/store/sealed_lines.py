"""Files of lines that somebody edits, in tests: with and without a chain that fits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from store.jsonl.hash_chain import seal_lines

_SEAL = re.compile(
    rb',\s*"(salt":\s*"[0-9a-f]{32}|was":"[0-9a-f]{64}","on":"[-\d]{10}","now":"[0-9a-f]{64})'
    rb'",\s*"chain":\s*"[0-9a-f]{64}"\s*\}$'
)


def unseal_lines(path: Path) -> list[bytes]:
    """Return a file's lines without their seals."""
    return [_SEAL.sub(b"}", line) for line in path.read_bytes().splitlines()]


def read_plain(path: Path) -> bytes:
    """Return a file of lines as it was before there were seals."""
    return b"".join(line + b"\n" for line in unseal_lines(path))


def unseal(path: Path) -> None:
    """Make an older file of it, whose lines have no seals."""
    path.write_bytes(read_plain(path))


def refit(path: Path) -> None:
    """Let the chain fit what was edited, as whoever edits with care could."""
    write_anew(path, unseal_lines(path))


def write_anew(path: Path, bodies: Iterable[bytes]) -> None:
    """Write a file of these lines, with a chain that fits them."""
    path.write_bytes(seal_lines(bodies)[0])

"""Whole numbers in addresses, which anybody may have typed."""

from __future__ import annotations

_MOST_DIGITS = 12


def read_whole(text: str) -> int | None:
    """Return a whole number from 0 on; ``None`` for anything else, and where it is too long."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None

"""Schwartz's ten basic values, as data.

Refuses to know which persona holds a value and which pictures show it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from personas.errors import UnknownValue

_FILE = Path(__file__).with_name("data") / "values.toml"


@dataclass(frozen=True)
class Value:
    """One basic value."""

    id: str
    name: str
    definition: str
    keywords: tuple[str, ...]
    """What a picture of it may show: queries for retrieval."""


@cache
def values() -> tuple[Value, ...]:
    """Return the ten values in the order of Schwartz's circle, read on first use."""
    rows = tomllib.loads(_FILE.read_text(encoding="utf-8"))["value"]
    return tuple(Value(**{**row, "keywords": tuple(row["keywords"])}) for row in rows)


def value(value_id: str) -> Value:
    """Return the value with this id, or raise `UnknownValue`."""
    for known in values():
        if known.id == value_id:
            return known
    raise UnknownValue(value_id, [known.id for known in values()])

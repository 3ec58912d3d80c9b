"""Sets of values, as data: Schwartz's ten, the refined nineteen, the moral foundations, one's own.

A set is a TOML file with a ``[[value]]`` table for each value: ``id``, ``name``, ``definition`` and
at least five ``keywords``.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from personas.errors import BadValueSet, UnknownValue, UnknownValueSet

_FOLDER = Path(__file__).with_name("data")
SETS = {
    "schwartz": "values.toml",
    "refined": "values/refined.toml",
    "foundations": "values/foundations.toml",
}

_Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=300)]


@dataclass(frozen=True)
class BasicValue:
    """One value."""

    id: str
    name: str
    definition: str
    keywords: tuple[str, ...]
    """What a picture of it may show: queries for retrieval."""


@dataclass(frozen=True)
class ValueSet:
    """Values that are looked at together, in the order of their file."""

    id: str
    """Its name, or its file's name; fit for a file name."""
    values: tuple[BasicValue, ...]
    sha256: str


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    name: _Words
    definition: _Words
    keywords: Annotated[tuple[_Words, ...], Field(min_length=5)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    value: Annotated[tuple[_Row, ...], Field(min_length=2)]


@cache
def values() -> tuple[BasicValue, ...]:
    """Return the ten values in the order of Schwartz's circle."""
    return value_set("schwartz").values


def value(value_id: str) -> BasicValue:
    for known in values():
        if known.id == value_id:
            return known
    raise UnknownValue(value_id, [known.id for known in values()])


def value_set(name: str) -> ValueSet:
    """Read a set by its name or from a file; raises ``UnknownValueSet`` and ``BadValueSet``."""
    path = _path(name)
    if name in SETS:
        return _read(path, name)
    return _read(path, re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "own")


def text_of(name: str) -> str:
    return _path(name).read_text(encoding="utf-8")


def _path(name: str) -> Path:
    path = _FOLDER / SETS[name] if name in SETS else Path(name)
    if not path.is_file():
        raise UnknownValueSet(name, list(SETS))
    return path


def _read(path: Path, set_id: str) -> ValueSet:
    try:
        raw = path.read_bytes()
        rows = _File.model_validate(tomllib.loads(raw.decode("utf-8"))).value
    except OSError as error:
        raise BadValueSet(str(path), error.strerror or "it cannot be read") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadValueSet(str(path), f"{where}: {first['msg']}") from None
    except ValueError as error:  # no UTF-8, or no TOML
        raise BadValueSet(str(path), str(error)) from None
    ids = [row.id for row in rows]
    if len(set(ids)) < len(ids):
        raise BadValueSet(str(path), "two values have the same id")
    found = tuple(
        BasicValue(row.id, row.name, row.definition, tuple(dict.fromkeys(row.keywords)))
        for row in rows
    )
    return ValueSet(set_id, found, hashlib.sha256(raw).hexdigest())

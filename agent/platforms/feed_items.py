"""Reads feed items out of any JSON: a walk for item-shaped objects, and typed getters.

A field that is not there, or is not what it should be, is missing: nothing is guessed or raised.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from store.runs.ledger_lines import Video

_NUMBER = r"(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?:\s*(thousand|million|billion|[KMB])\b)?"
_COUNT = re.compile(rf"\s*{_NUMBER}", re.IGNORECASE | re.ASCII)
_COUNT_WITHIN = re.compile(rf"(?<![\w.,]){_NUMBER}(?!\w|[.,]\d)", re.IGNORECASE | re.ASCII)
_SCALE = {
    "": 1,
    "K": 1_000,
    "M": 1_000_000,
    "B": 1_000_000_000,
    "THOUSAND": 1_000,
    "MILLION": 1_000_000,
    "BILLION": 1_000_000_000,
}
_HASHTAG = re.compile(r"(?<![\w&/])#(\w+)")
_MOST_DIGITS = 15
_MOST_FIELDS = 200
_LONGEST_URL = 100_000


def walk(body: Any, wanted: Callable[[dict[str, Any]], bool]) -> Iterator[dict[str, Any]]:
    """Yield the objects that are wanted, in order. What lies within them is not looked at."""
    waiting = [body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if wanted(node):
                yield node
            else:
                waiting.extend(reversed(node.values()))
        elif isinstance(node, list):
            waiting.extend(reversed(node))


def under(body: Any, key: str) -> Iterator[Any]:
    """Yield what lies under a key, at any depth, in the order of the text."""
    for node in walk(body, lambda child: key in child):
        yield node[key]


def rename_keys(body: Any, names: Mapping[str, str]) -> Any:
    """Return JSON in which keys have other names, at any depth; a name that is there stays."""
    root = [body]
    waiting: list[Any] = [root]
    while waiting:
        node = waiting.pop()
        places = enumerate(node) if isinstance(node, list) else list(node.items())
        for place, value in places:
            if isinstance(value, dict):
                free = {k: names[k] for k in value if k in names and names[k] not in value}
                value = {free.get(key, key): part for key, part in value.items()}
            elif isinstance(value, list):
                value = list(value)
            else:
                continue
            node[place] = value
            waiting.append(value)
    return root[0]


def at(node: Any, *path: str | int) -> Any:
    """Follow keys and places; ``None`` where one of them leads nowhere."""
    for step in path:
        if isinstance(step, int):
            node = node[step] if isinstance(node, list) and -len(node) <= step < len(node) else None
        else:
            node = node.get(step) if isinstance(node, dict) else None
    return node


def text(value: Any) -> str | None:
    """Return a text that can be kept. One that says nothing is kept as empty."""
    if not isinstance(value, str):
        return None
    return value.encode("utf-8", "replace").decode("utf-8").strip()


def name(value: Any) -> str | None:
    """Return a text that says something."""
    return text(value) or None


def matching(value: Any, pattern: str) -> str | None:
    """Return a text that is wholly of a pattern, such as an id."""
    return value if isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) else None


def key(value: Any) -> str | None:
    """Return an id or a code, which some sites write as a number."""
    known = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return name(known)


def flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def word_flag(value: Any) -> bool | None:
    """Return a flag as an address spells it."""
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())


def listed(value: Any) -> list[Any] | None:
    return value if isinstance(value, list) else None


def each_name(values: list[Any] | None, field: str) -> tuple[str, ...]:
    """Return one field of each object of a list, once."""
    names = (name(at(value, field)) for value in values or ())
    return tuple(dict.fromkeys(filter(None, names)))


def moment(value: Any) -> datetime | None:
    """Return a time of day, told in seconds since 1970, or as ISO 8601 with its zone."""
    seconds_since = count(value) if not isinstance(value, float) else None
    try:
        if seconds_since is not None:
            return datetime.fromtimestamp(seconds_since, UTC) if seconds_since else None
        told = datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return told if told is not None and told.tzinfo is not None else None


def count(value: Any) -> int | None:
    """Return a count: a number, its digits, or as people read it: ``2.7K``, ``91 thousand``."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value < 10**_MOST_DIGITS else None
    match = _COUNT.fullmatch(value.rstrip()) if isinstance(value, str) else None
    return None if match is None else _number(match)


def count_within(value: Any) -> int | None:
    """Return the one count in a sentence, such as ``like this along with 2,734 others``."""
    matches = list(_COUNT_WITHIN.finditer(value)) if isinstance(value, str) else []
    return _number(matches[0]) if len(matches) == 1 else None


def _number(match: re.Match[str]) -> int | None:
    if len(match[1] + (match[2] or "")) > _MOST_DIGITS:
        return None
    whole, part, scale = match[1].replace(",", ""), match[2] or "", (match[3] or "").upper()
    if part and not scale:
        return None
    return round(float(whole + part) * _SCALE[scale])


def seconds(value: Any) -> float | None:
    """Return a duration: a positive number, or its digits."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,6})?", value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 < value < 10**7 and math.isfinite(value) else None


def hashtags(words: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_HASHTAG.findall(words or "")))


def video(id_: str, source: str, **fields: Any) -> Video:
    """Make a video of the fields that are there, each with where it was read."""
    there = {name: value for name, value in fields.items() if value not in (None, ())}
    return Video(id=id_, sources=dict.fromkeys(there, source), **there)


def sent_json(request: str | None) -> Any:
    try:
        return json.loads(request or "")
    except (ValueError, RecursionError):
        return None


def sent_field(request: str | None, field: str) -> str | None:
    return _fields(request or "").get(field)


def sent_query(url: str) -> dict[str, str]:
    """Return the fields of an address's query, the first of each name."""
    try:
        return _fields(urlsplit(url).query if len(url) <= _LONGEST_URL else "")
    except ValueError:  # an address that none is
        return {}


def _fields(text: str) -> dict[str, str]:
    try:
        fields = parse_qs(text, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def source_of(url: str) -> str:
    return "inline" if url.startswith("inline:") else "network"

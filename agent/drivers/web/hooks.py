"""Reads what a page told: its JSON, and which of a platform's hooks answered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from agent.drivers.base import PageHooks

_BEFORE = re.compile(r"(?:\s|for\s*\(;;\);)*")
"""What sites put before JSON, so that no other page may run it as a script."""
_JSON = json.JSONDecoder()


def parsed(text: str) -> Any:
    """Return the JSON of a text, a list where several are joined, ``None`` for none."""
    found: list[Any] = []
    place = _skip(text, 0)
    try:
        while place < len(text):
            value, place = _JSON.raw_decode(text, place)
            found.append(value)
            place = _skip(text, place)
    except (ValueError, RecursionError):
        return None
    return found[0] if len(found) == 1 else found or None


def _skip(text: str, place: int) -> int:
    before = _BEFORE.match(text, place)
    return before.end() if before else place


def fallbacks(hooks: PageHooks, used: Mapping[str, str]) -> Iterator[str]:
    """Say which hooks did not answer, and what did; the feed itself counts missing ids."""
    ids = [f"{selector}@{attribute}" for selector, attribute, _ in hooks.id_attributes]
    trusted = {
        "item": hooks.item,
        "id": (*ids, "url") if hooks.url_id else tuple(ids),
        "active": hooks.active,
        "next": hooks.next_buttons,
    }
    for name, known in trusted.items():
        took = used.get(name, "none")
        if known and took not in (known[0], "none"):
            yield f"{name}: {known[0]} did not answer, {took} did"

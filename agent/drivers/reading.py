"""Reads what a page told: JSON that may be none, and which of a platform's hooks answered.

Refuses to know the browser and the site.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from agent.drivers.base import Hooks


def parsed(text: str) -> Any:
    """Return the JSON of a text; ``None`` where there is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def fallbacks(hooks: Hooks, used: Mapping[str, str]) -> Iterator[str]:
    """Say which hooks did not answer, and what took over from them.

    A missing id is not among them: some cards have none, and the feed counts those.
    """
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

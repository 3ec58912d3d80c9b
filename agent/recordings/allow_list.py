"""The list of what stays of a session, as ``data/what_stays.toml`` has it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

Kind = Literal["pseudonym", "words", "label", "number", "identifier", "address"]
"""What becomes of a text: ``agent/recordings/session_redaction.py`` has a rule for each."""


@dataclass(frozen=True)
class AllowList:
    """What stays of a session; nothing else of it is written."""

    words: frozenset[str]
    tags: frozenset[str]
    hosts: tuple[str, ...]
    routes: frozenset[str]
    """Parts of a path that stay, also where an account has the name."""
    naming: frozenset[str]
    """Parts of a path after which a name comes."""
    personal: frozenset[str]
    """Hosts of which the first part of a path is an account, if it is no route."""
    query: frozenset[str]
    form: frozenset[str]
    attributes: Mapping[str, Kind]
    keys: Mapping[str, Kind]
    """Of JSON; ``PARENT.KEY`` where a key means something else under a certain one."""

    def kind_of(self, parent: str, key: str) -> Kind | None:
        return self.keys.get(f"{parent}.{key}") or self.keys.get(key)


@cache
def read_allow_list() -> AllowList:
    """Return the list."""
    path = Path(__file__).with_name("data") / "what_stays.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    sets = {name: frozenset(table[name].split()) for name in LISTS}
    return AllowList(
        **sets,
        hosts=tuple(table["hosts"].split()),
        attributes=_by_name(table["attributes"]),
        keys={**_by_name(table["keys"]), **table["keys"]["within"]},
    )


LISTS = ("words", "tags", "query", "form", "routes", "naming", "personal")


def _by_name(lists: Mapping[str, Any]) -> dict[str, Kind]:
    return {name: kind for kind in get_args(Kind) for name in lists.get(kind, "").split()}

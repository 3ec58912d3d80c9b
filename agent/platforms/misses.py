"""Watches for a changed layout: fields that are missing more often than before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log

from agent.errors import LayoutChanged

LEAST = 12
"""Videos in a row without a field before anything is said."""
CHANCE = 1e-4
"""A row that is less likely than this, were the field missing as often as before, is no chance."""


@dataclass
class _Field:
    shown: int = 0
    """Videos before the present row."""
    missing: int = 0
    row: int = 0
    since: int = 0

    def take(self, position: int, *, there: bool) -> None:
        if not there:
            self.since = self.since if self.row else position
            self.row += 1
            return
        self.shown += self.row + 1
        self.missing += self.row
        self.row = 0

    @property
    def longest(self) -> int:
        """How long a row is still taken for chance."""
        rate = (self.missing + 1) / (self.shown + 2)
        return max(LEAST, ceil(log(CHANCE) / log(rate)))


class Misses:
    """Rows of videos without a field, one row per field."""

    def __init__(self) -> None:
        self._fields: dict[str, _Field] = {}

    def take(self, there: Mapping[str, bool], position: int) -> None:
        """Count one video; ``LayoutChanged`` where a field's history does not explain its row."""
        for name, found in there.items():
            field = self._fields.setdefault(name, _Field())
            field.take(position, there=found)
            if field.row >= field.longest:
                raise LayoutChanged(
                    f"no {name} in {field.row} videos in a row, since position {field.since}: "
                    "the page or its responses have changed",
                    field=name,
                    since=field.since,
                    videos=field.row,
                )

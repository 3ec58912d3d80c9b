"""Shards: which part of a piece of work is this machine's, by a hash of names alone.

Every unit belongs to one shard, whatever the order, the machine and what else there is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

_SHARD = re.compile(r"([0-9]{1,6})/([0-9]{1,6})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several equal parts, counted from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read ``3/16``; raises ``ValueError``, which says what is wrong."""
        found = _SHARD.fullmatch(text)
        if found is None:
            raise ValueError(f"{text[:40]!a} is no shard")
        number, of = map(int, found.groups())
        if not 1 <= number <= of:
            raise ValueError(
                f"of {of} shards the numbers are 1 to {of}" if of else "0 is no number"
            )
        return cls(number, of)

    @property
    def partial(self) -> bool:
        """Whether there are others beside it."""
        return self.of > 1

    def has(self, unit: str) -> bool:
        """Whether a unit is this shard's, by the hash of its name."""
        return _rank(unit) % self.of == self.number - 1

    def deal(self, group: str, units: Iterable[str]) -> set[str]:
        """Return this shard's units of a group: dealt in turn, so that shards differ by one.

        Who comes first depends on the group's name, so that small groups do not all go to the
        first shards. Units that come to the group later change who has the others.
        """
        ranked = sorted(set(units), key=lambda unit: (_rank(f"{group}/{unit}"), unit))
        first = _rank(group)
        return {
            unit
            for place, unit in enumerate(ranked)
            if (place + first) % self.of == self.number - 1
        }

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


WHOLE = Shard(1, 1)
"""All of it."""


def _rank(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")

"""Which rows are for training, which for validation, which for the test.

Rows of one run, of one video and near-duplicates stay together. Refuses to know files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from typing import Any, Literal

from store.duplicates import near_duplicates

SPLITS = {"train": 0.8, "validation": 0.1, "test": 0.1}
By = Literal["runs", "videos"]

Row = dict[str, Any]


def mark_duplicates(rows: Sequence[Row]) -> None:
    """Say of each row which earlier one it is a near-duplicate of."""
    for row, twin in zip(rows, near_duplicates(row["phash"] for row in rows), strict=True):
        row["duplicate_of"] = None if twin is None else rows[twin]["id"]


def assign(rows: Sequence[Row], by: By) -> None:
    """Give each row its split: the largest groups first, each where most is lacking.

    The same rows always give the same splits. ``by`` runs keeps whole runs together; where runs
    show the same videos, all of them become one group. ``by`` videos lets a run be divided.
    """
    groups: dict[int, list[Row]] = {}
    for row, group in zip(rows, _groups(rows, by), strict=True):
        groups.setdefault(group, []).append(row)
    have = dict.fromkeys(SPLITS, 0)
    for members in sorted(groups.values(), key=_order):
        split = max(SPLITS, key=lambda name: 1 - have[name] / (SPLITS[name] * len(rows)))
        have[split] += len(members)
        for row in members:
            row["split"] = split


def _order(members: Sequence[Row]) -> tuple[int, str]:
    first = min(row["id"] for row in members)
    return -len(members), hashlib.sha256(first.encode()).hexdigest()


def _groups(rows: Sequence[Row], by: By) -> list[int]:
    """Number of each row's group: what shares a run, a video or a look, directly or by others."""
    parent = list(range(len(rows)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    met: dict[Hashable, int] = {}
    for place, row in enumerate(rows):
        ties: list[Hashable] = [
            ("video", row["platform"], row["video"]),
            ("look", row["duplicate_of"] or row["id"]),
        ]
        if by == "runs":
            ties.append(("run", row["run"]))
        for tie in ties:
            parent[root(place)] = root(met.setdefault(tie, place))
    return [root(place) for place in range(len(rows))]

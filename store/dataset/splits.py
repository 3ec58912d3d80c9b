"""Which rows are for training, which for validation, which for the test.

Rows of one run or of one creator, of one video and near-duplicates stay together. Refuses to know
files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Literal

from store.frames.near_duplicates import THRESHOLD, alike_hashes, near_duplicates, nearest_elsewhere
from store.privacy.person_names import plain

SPLITS = {"train": 0.8, "validation": 0.1, "test": 0.1}
By = Literal["runs", "creators", "videos"]
WIDER = 2 * THRESHOLD
"""Bits within which pictures can be alike still, and often are not: told, and never tied."""

Row = dict[str, Any]


def mark_duplicates(rows: Sequence[Row]) -> None:
    """Say of each row which earlier one it is a near-duplicate of."""
    for row, twin in zip(rows, near_duplicates(row["phash"] for row in rows), strict=True):
        row["duplicate_of"] = None if twin is None else rows[twin]["id"]


def assign(rows: Sequence[Row], by: By) -> None:
    """Give each row its split: the largest groups first, each where most is lacking.

    The same rows always give the same splits. ``by`` runs keeps whole runs together; where runs
    show the same videos, all of them become one group. ``by`` creators lets a run be divided and
    keeps each creator's videos together; ``by`` videos lets these be divided too.
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


def shared_with_others(rows: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Count rows of each split that share something with a row of another split.

    Returns
    -------
    dict[str, dict[str, int]]
        By what is shared, then by split.
    """
    found: dict[str, dict[str, int]] = {}
    ties: dict[str, Callable[[Row], Hashable]] = {
        "an equal look": lambda row: row["phash"],
        "the same video": lambda row: (row["platform"], row["video"]),
        "the same creator": _creator,
        "the same run": lambda row: row["run"],
    }
    for name, tie in ties.items():
        splits: dict[Hashable, set[str]] = {}
        for row in rows:
            splits.setdefault(tie(row), set()).add(row["split"])
        found[name] = dict.fromkeys(SPLITS, 0)
        for row in rows:
            found[name][row["split"]] += tie(row) is not None and len(splits[tie(row)]) > 1
    for name, bits in (
        ("a near-duplicate", THRESHOLD),
        (f"a look within {WIDER} bits, alike or not", WIDER),
    ):
        found[name] = {split: _near_elsewhere(rows, split, bits) for split in SPLITS}
    return found


def _near_elsewhere(rows: Sequence[Row], split: str, bits: int) -> int:
    own = [row["phash"] for row in rows if row["split"] == split]
    others = [row["phash"] for row in rows if row["split"] != split]
    return int((nearest_elsewhere(own, others) <= bits).sum())


def _creator(row: Row) -> tuple[str, str] | None:
    return (row["platform"], plain(row["author"])) if row.get("author") else None


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
        ties: list[Hashable] = [("video", row["platform"], row["video"])]
        if by == "runs":
            ties.append(("run", row["run"]))
        if by == "creators" and (creator := _creator(row)) is not None:
            ties.append(("creator", *creator))
        for tie in ties:
            parent[root(place)] = root(met.setdefault(tie, place))
    for one, two in alike_hashes([row["phash"] for row in rows]):
        parent[root(one)] = root(two)
    return [root(place) for place in range(len(rows))]

"""Splits: what belongs together stays together, and the same rows always fall alike."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from store.dataset.rows import SPLITS, assign, mark_duplicates, shared_with_others


def rows(runs: int, steps: int, shared: int = 0) -> list[dict[str, Any]]:
    """Runs of videos that look unlike; the first ``shared`` of a run are the same in all runs."""
    rng = random.Random(7)
    looks = {f"same-{step}": f"{rng.getrandbits(64):016x}" for step in range(shared)}
    return [
        {
            "id": f"r{run}/{step}/0",
            "run": f"r{run}",
            "platform": "tiktok",
            "video": f"same-{step}" if step < shared else f"v{run}-{step}",
            "phash": looks.get(f"same-{step}") or f"{rng.getrandbits(64):016x}",
        }
        for run in range(runs)
        for step in range(steps)
    ]


def split(found: list[dict[str, Any]], by: Any = "runs") -> Counter[str]:
    mark_duplicates(found)
    assign(found, by)
    return Counter(row["split"] for row in found)


def test_runs_are_divided_as_told() -> None:
    found = rows(100, 10)
    assert split(found) == {"train": 800, "validation": 100, "test": 100}
    assert all(
        len({row["split"] for row in found if row["run"] == f"r{run}"}) == 1 for run in range(100)
    )


def test_three_runs_give_three_splits_and_one_run_gives_one() -> None:
    assert set(split(rows(3, 5))) == set(SPLITS)
    assert split(rows(1, 5)) == {"train": 5}


def test_near_duplicates_and_videos_are_never_divided() -> None:
    found = rows(40, 10, shared=1)
    for row in found[5::40]:  # a near-duplicate of another run's picture
        row["phash"] = f"{int(found[1]['phash'], 16) ^ 0b101:016x}"
    counts = split(found, "videos")
    assert set(counts) == set(SPLITS)
    assert {row["split"] for row in found if row["video"] == "same-0"} == {found[0]["split"]}
    alike = [row for row in found if row["id"] == "r0/1/0" or row["duplicate_of"] == "r0/1/0"]
    assert len(alike) == 11
    assert len({row["split"] for row in alike}) == 1
    assert split(rows(40, 10, shared=1)) == {"train": 400}  # every run shows the same video


def test_chains_of_near_duplicates_are_never_divided() -> None:
    rng = random.Random(3)
    found = rows(48, 4)
    mixed = rng.sample(found, len(found))
    for first in range(0, len(found), 4):  # four looks, each 3 bits from the one before it
        look = rng.getrandbits(64)
        for number, row in enumerate(mixed[first : first + 4]):
            row["phash"] = f"{look:016x}"
            look ^= 0b111 << (3 * number)
    counts = split(found, "videos")
    assert set(counts) == set(SPLITS)
    close = [
        (one, two)
        for one in found
        for two in found
        if (int(one["phash"], 16) ^ int(two["phash"], 16)).bit_count() <= 4
    ]
    assert len(close) >= 48 * (4 + 6)
    assert all(one["split"] == two["split"] for one, two in close)


def test_creators_are_never_divided_on_request() -> None:
    found = rows(20, 10)
    for place, row in enumerate(found):
        row["author"] = ("@Ann", "bob", None, "ann")[place % 4] if place < 40 else f"c{place // 4}"
    counts = split(found, "creators")
    assert set(counts) == set(SPLITS)
    creators = Counter((row["author"] or "").strip("@").lower() for row in found)
    assert creators["ann"] == 20
    for creator in filter(None, creators):
        own = {r["split"] for r in found if (r["author"] or "").strip("@").lower() == creator}
        assert len(own) == 1
    assert shared_with_others(found)["the same creator"] == dict.fromkeys(SPLITS, 0)
    assert sum(shared_with_others(found)["the same run"].values()) > 0


def test_what_splits_share_is_counted() -> None:
    found = rows(3, 2)
    for row, name in zip(
        found, ("train", "train", "test", "test", "test", "validation"), strict=True
    ):
        row["split"] = name
    found[2]["phash"] = f"{int(found[0]['phash'], 16) ^ 0b1:016x}"
    found[5]["phash"] = found[4]["phash"]
    found[3]["phash"] = f"{int(found[1]['phash'], 16) ^ 0b111111:016x}"
    found[3]["video"] = found[0]["video"]
    shared = shared_with_others(found)
    assert shared == {
        "an equal look": {"train": 0, "validation": 1, "test": 1},
        "the same video": {"train": 1, "validation": 0, "test": 1},
        "the same creator": {"train": 0, "validation": 0, "test": 0},
        "the same run": {"train": 0, "validation": 1, "test": 1},
        "a near-duplicate": {"train": 1, "validation": 1, "test": 2},
        "a look within 8 bits, alike or not": {"train": 2, "validation": 1, "test": 3},
    }


def test_the_order_of_rows_does_not_matter_to_the_groups() -> None:
    first, second = rows(20, 5), rows(20, 5)
    random.Random(1).shuffle(second)
    split(first)
    split(second)
    assert {row["id"]: row["split"] for row in first} == {r["id"]: r["split"] for r in second}

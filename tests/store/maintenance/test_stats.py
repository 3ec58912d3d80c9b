"""Statistics: counts, uniqueness and how long the disk lasts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from store.frames.near_duplicates import alike_vectors
from store.index.build import update
from store.maintenance.stats import rows, stats
from store.privacy.forget import forget
from store.privacy.forget_plan import Request
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from tests.store.samples import COLOURS, START, ColourEncoder, jpeg, keep_run, started


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path / "data")
    keep_run(data, "r1", COLOURS, platform="tiktok")
    keep_run(data, "r2", COLOURS)
    keep_run(data, "r3", COLOURS[::-1])
    return data


def test_counts(data: DataFolder) -> None:
    found = stats(data, START)
    assert (found.runs, found.steps, found.videos) == (3, 24, 24)
    assert found.by_platform == {"playground": 16, "tiktok": 8}
    assert found.by_month == {"2025-03": 24}
    assert found.by_persona == {"p12": 24}
    assert found.unique.frames == 24
    assert found.unique.exact == found.unique.perceptual == 16
    assert found.unique.embedded == {}
    assert found.problems == []
    forget(data, Request(asked="video", value="r1-0", at=START))
    found = stats(data, START)
    assert (found.forgotten, found.unique.frames, found.unique.exact) == (1, 23, 16)


def test_vectors_that_are_alike_count_once(data: DataFolder) -> None:
    update(data, ColourEncoder())
    assert stats(data, START, quick=True).unique.embedded == {}
    ((name, unique),) = stats(data, START).unique.embedded.items()
    assert name.startswith("feedsway__test-colour")
    assert unique == len(COLOURS)  # this encoder sees colours only


def test_alike_vectors_are_those_of_a_slow_count() -> None:
    rng = np.random.default_rng(3)
    base = rng.normal(size=(300, 8))
    vectors = np.concatenate([base, base + rng.normal(scale=0.05, size=base.shape)])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors.astype(np.float32)
    leaders: list[int] = []
    slow = []
    for place, vector in enumerate(vectors):
        alike = any(float(vector @ vectors[leader]) >= 0.98 for leader in leaders)
        slow.append(alike)
        if not alike:
            leaders.append(place)
    assert alike_vectors(vectors).tolist() == slow
    assert 200 < sum(slow) < 400
    assert alike_vectors(np.empty((0, 1), dtype=np.float32)).tolist() == []


def test_the_disk_lasts_as_long_as_the_last_week_says(data: DataFolder) -> None:
    found = stats(data, START + timedelta(days=1))
    used = found.disk.used
    sizes = [path.stat().st_size for path in data.frames_dir.rglob("*.jpg")]
    assert (
        used["frames"]
        == sum(sizes)
        == sum(
            len(jpeg(colour, n))
            for some in (COLOURS, COLOURS[::-1])
            for n, colour in enumerate(some)
        )
    )
    assert found.disk.per_day == pytest.approx((used["frames"] + used["runs"]) / 7)
    assert found.disk.per_day is not None
    assert found.disk.days_left == pytest.approx(found.disk.free / found.disk.per_day)
    assert "At the rate of the last seven days" in rows(found)[-1]
    late = stats(data, START + timedelta(days=8))
    assert (late.disk.per_day, late.disk.days_left) == (None, None)
    assert rows(late)[-1].startswith("Nothing was collected in the last seven days")


def test_a_damaged_ledger_is_named_and_the_rest_is_counted(data: DataFolder) -> None:
    with LedgerWriter(data.ledger_path("r2")) as writer:
        writer.append(started("r2"))
    found = stats(data, START)
    assert (found.runs, len(found.problems)) == (2, 1)

"""What is made in parts, or for all runs at once, is what was made one by one."""

from __future__ import annotations

from itertools import combinations, product
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from analysis.data.exposures import RunInfo, table
from analysis.estimators import contrasts
from analysis.estimators.contrasts import worst_cases
from analysis.report import page_files
from analysis.report.diversity import varieties
from analysis.report.page_files import ReportTable, write_tables
from analysis.statistics import permutation
from analysis.statistics.null_models import draws_of
from analysis.statistics.permutation import sign_flips
from store.frames.near_duplicates import are_near_duplicates, near_duplicates


@pytest.mark.parametrize(
    ("runs", "usual", "draws"),
    [(0, 4000, 4000), (500, 4000, 4000), (1000, 2000, 2000), (2000, 2000, 1000), (9000, 4000, 400)],
)
def test_a_null_of_many_runs_is_drawn_less_often(runs: int, usual: int, draws: int) -> None:
    assert draws_of(runs, usual) == draws


def test_signs_that_are_drawn_in_parts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(3).normal(0.1, 1, 41)
    whole, parts = (np.random.default_rng(1) for _ in range(2))
    once = sign_flips(differences, whole)
    monkeypatch.setattr(permutation, "_AT_ONCE", 1000)
    assert sign_flips(differences, parts) == once
    assert whole.random() == parts.random()


def test_the_worst_case_is_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    bounds = [(float(low), float(low + width)) for low, width in rng.normal(1, 2, (30, 2)) ** 2]
    once = worst_cases(bounds)
    assert len(once) == 3
    monkeypatch.setattr(contrasts, "_AT_ONCE", 5000)
    assert worst_cases(bounds) == once


def test_near_duplicates_of_a_run_are_found_alike_at_once() -> None:
    rng = np.random.default_rng(4)
    found = 0
    for _ in range(40):
        bases = rng.integers(0, 1 << 63, 12, dtype=np.uint64)
        flips = [sum({1 << int(bit) for bit in rng.integers(64, size=3)}) for _ in range(60)]
        hashes = [
            f"{int(base) ^ flip:016x}"
            for base, flip in zip(rng.choice(bases, 60), flips, strict=True)
        ]
        one_by_one = [earlier is not None for earlier in near_duplicates(hashes)]
        assert are_near_duplicates(hashes).tolist() == one_by_one
        found += sum(one_by_one)
    assert 0 < found < 40 * 60
    assert are_near_duplicates([]).tolist() == []


def test_shared_videos_are_those_of_every_two_runs() -> None:
    rng = np.random.default_rng(5)
    shown = [rng.integers(30, size=8).tolist() for _ in range(7)]
    runs = [RunInfo(f"r{at}", f"p{at % 3}", "x", "simple", "m") for at in range(7)]
    rows = [
        (run, place, -1, -1, 0, 1, 0, 0, None, None, 1.0, 9.0, 0.1, f"v{video}", 0)
        for run, videos in enumerate(shown)
        for place, video in enumerate(videos)
    ]
    views = table(runs, rows)
    before = varieties(views, None, range(7), ["treatment"])[0]
    shares = [
        100 * len(set(one) & set(other)) / min(len(set(one)), len(set(other)))
        for (i, one), (j, other) in combinations(enumerate(shown), 2)
        if i % 3 != j % 3
    ]
    assert len(shares) == 16
    assert before.shared == pytest.approx(float(np.mean(shares)), rel=1e-12)
    assert varieties(views, None, [0, 3], ["treatment"])[0].shared != before.shared


def test_a_table_in_blocks_is_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers, texts = [1, 2.5, float("nan"), None], ["=a", "b", None]
    rows = [(*both, "x", 0.5 * place) for place, both in enumerate(product(numbers, texts))]
    made = ReportTable("t", ("a", "b", "c", "d"), rows)
    write_tables([made], tmp_path / "whole")
    monkeypatch.setattr(page_files, "BLOCK", 2)
    write_tables([made], tmp_path / "parts")
    whole, parts = (tmp_path / name for name in ("whole", "parts"))
    assert (whole / "t.csv").read_bytes() == (parts / "t.csv").read_bytes()
    assert pq.read_table(whole / "t.parquet").equals(pq.read_table(parts / "t.parquet"))

"""Pieces of a soak are kept as lines, and their sum is what the document tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.soak import pieces
from tests.soak.harness import Figures, Sample, medians_by_minute
from tests.soak.pieces import WARM_UP, append_piece, memory_slope, write_document


def lives(slope: float, rng: np.random.Generator, alike: float = 0.5) -> list[list[float]]:
    """Two daemons that grow by so many MiB in an hour, on levels of their own."""
    found = []
    for level, minutes in ((65.0, 40), (80.0, 25)):
        noise = [0.0]
        for _ in range(minutes - 1):
            noise.append(alike * noise[-1] + rng.normal(0, 0.3))
        found.append([level + slope * n / 60 + noise[n] for n in range(minutes)])
    return found


@pytest.mark.parametrize("slope", [0.0, 6.0])
def test_the_interval_of_the_slope_covers_what_is_planted(slope: float) -> None:
    rng = np.random.default_rng(1)
    found = [memory_slope(lives(slope, rng)) for _ in range(200)]
    covered = sum(each is not None and each.low <= slope <= each.high for each in found)
    assert covered >= 180
    zero = sum(each is not None and each.low <= 0 <= each.high for each in found)
    assert zero == covered if slope == 0 else zero < 40


def test_a_short_life_has_no_slope() -> None:
    assert memory_slope([[60.0] * (2 * WARM_UP)]) is None


def test_a_broken_last_minute_is_left_out() -> None:
    samples = [Sample(100.0 + second, 60.0 + second // 60) for second in range(150)]
    assert medians_by_minute(samples) == [60.0, 61.0]


def test_the_document_tells_the_sum_of_all_pieces(tmp_path: Path) -> None:
    file, page = tmp_path / "pieces.jsonl", tmp_path / "page.md"
    page.write_text("Before.\n\n<!-- soak pieces: begin -->\n<!-- soak pieces: end -->\n\nAfter.\n")
    for seed in (1, 2):
        figures = Figures(minutes=45, faults={"site": 2}, due=100, complete=99, lost=1)
        append_piece(file, figures, seed, every="4m")
    for _ in range(2):  # the second time changes nothing
        write_document(file, page)
    text = page.read_text()
    assert text.startswith("Before.\n")
    assert text.endswith("After.\n")
    assert text.count("| videos due | 200 |") == 1
    assert "| complete | 198 (99.00 %) |" in text
    assert "| marked, lost, doubled | 0, 2, 0 |" in text
    assert "| hours | 1.5 |" in text
    assert "| something is due every | 4m |" in text


def test_the_repository_s_document_tells_what_the_pieces_tell() -> None:
    table = pieces.sum_table(pieces.read_pieces(pieces.FILE))
    assert table in pieces.DOCUMENT.read_text(encoding="utf-8")

"""A study declares its looks before it begins, and keeps them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.study.study_file import EXAMPLE, BadStudy, check_extends, load_study
from store.errors import DamagedLedger
from store.runs.study_looks import LOOKS, StudyLook, keep_look, read_looks

LOOKED_AT = EXAMPLE.replace("replicates = 1", "replicates = 3").replace("# looks = ", "looks = ", 1)


def written(folder: Path, text: str) -> Path:
    file = folder / "study.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_example_shows_how_looks_are_declared(tmp_path: Path) -> None:
    assert load_study(written(tmp_path, EXAMPLE)).test.looks == "end"
    assert load_study(written(tmp_path, LOOKED_AT)).test.looks == "replicates"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("replicates = 3", "replicates = 1", "replicates must be 2 or more with looks"),
        ('primary = "matrix"', 'primary = "paired"', "needs the primary test matrix"),
        ('strategies = ["simple"]', 'strategies = ["simple", "isq"]', "needs one platform"),
        ('arms = ["treatment"]', 'arms = ["treatment", "yoked"]', "no yoked arm"),
    ],
)
def test_looks_that_cannot_be_taken_are_refused(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    assert old in LOOKED_AT
    with pytest.raises(BadStudy, match=words):
        load_study(written(tmp_path, LOOKED_AT.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new"), [("replicates = 3", "replicates = 4"), ('"p32"', '"p32", "p33"')]
)
def test_a_study_with_looks_keeps_its_size(tmp_path: Path, old: str, new: str) -> None:
    kept = tmp_path / "kept.toml"
    kept.write_text(LOOKED_AT, encoding="utf-8")
    larger = written(tmp_path, LOOKED_AT.replace(old, new))
    with pytest.raises(BadStudy, match="looks were declared for a size"):
        check_extends(load_study(larger), kept, larger)
    check_extends(load_study(kept), kept, kept)


def test_looks_are_kept_in_their_order_and_damage_is_named(tmp_path: Path) -> None:
    at = datetime(2025, 3, 1, tzinfo=UTC)
    looks = [
        StudyLook(
            number=number,
            of=3,
            at=at,
            runs=("r",),
            statistic=1.5,
            p=0.2,
            spent=0.05,
            found=False,
            stands=False,
        )
        for number in (1, 2)
    ]
    assert read_looks(tmp_path) == ()
    for look in looks:
        keep_look(tmp_path, look)
    assert read_looks(tmp_path) == tuple(looks)
    (tmp_path / LOOKS).write_text('[{"number": 1}]', encoding="utf-8")
    with pytest.raises(DamagedLedger, match=r"looks\.json:1 is damaged"):
        read_looks(tmp_path)


def test_a_study_that_was_begun_keeps_its_order(tmp_path: Path) -> None:
    kept, other = tmp_path / "kept.toml", tmp_path / "other.toml"
    kept.write_text(EXAMPLE, encoding="utf-8")
    other.write_text(f'order = "picture-first"\n{EXAMPLE}', encoding="utf-8")
    assert load_study(other).order == "picture-first"
    with pytest.raises(BadStudy, match="order differs from the study of this name"):
        check_extends(load_study(other), kept, other)

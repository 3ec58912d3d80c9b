"""Contact sheets: real frames, few, small, and none that is lost."""

from __future__ import annotations

import base64
import io
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from analysis.examples.study import PERSONAS
from analysis.report import example_frames
from analysis.report.example_frames import FRAMES, Budget, sheets
from analysis.report.group_measures import Measures
from analysis.report.report_group import GroupRows
from store.frames.frame_store import FrameStore, describe
from store.frames.near_duplicates import near_duplicates


def drawn(measures: Measures, budget: Budget | None = None) -> example_frames.Sheets | None:
    scene = GroupRows(measures, measures.groups[0])
    return sheets(scene, np.random.default_rng(0), budget or Budget())


def decoded(markup: object) -> bytes:
    found = re.search(r'base64,([^"]+)"', str(markup))
    assert found is not None
    return base64.b64decode(found[1])


def test_frames_of_both_answers_for_every_persona(measures: Measures) -> None:
    told = drawn(measures)
    assert told is not None
    assert [sheet.persona.text for sheet in told.shown] == sorted(PERSONAS)
    for sheet in told.shown:
        assert len(sheet.yes) == len(sheet.no) == FRAMES
        hashes = [describe(decoded(image)).phash for image in [*sheet.yes]]
        assert near_duplicates(hashes, 0) == [None] * FRAMES


def test_pictures_are_small(measures: Measures) -> None:
    told = drawn(measures)
    assert told is not None
    for sheet in told.shown:
        for image in [*sheet.yes, *sheet.no]:
            jpeg = decoded(image)
            assert len(jpeg) < 20_000
            with Image.open(io.BytesIO(jpeg)) as picture:
                assert picture.format == "JPEG"
                assert picture.width <= 150
                assert picture.height <= 266


def test_the_frames_are_what_was_answered(measures: Measures) -> None:
    """What kim says yes to is mostly of her themes, and what she says no to mostly not."""
    told = drawn(measures)
    assert told is not None
    liked = PERSONAS["kim"][1:]
    kim = told.shown[0]
    share = [
        np.mean([any(f"about the {theme}" in str(image) for theme in liked) for image in part])
        for part in (kim.yes, kim.no)
    ]
    assert share[0] > share[1]


def test_a_budget_bounds_the_page(measures: Measures) -> None:
    budget = Budget(30_000)
    told = drawn(measures, budget)
    assert told is not None
    size = sum(len(decoded(i)) for sheet in told.shown for i in [*sheet.yes, *sheet.no])
    assert size <= 30_000
    assert budget.left == 30_000 - size
    assert drawn(measures, Budget(0)) is None


def test_lost_frames_are_left_out(measures: Measures, tmp_path: Path) -> None:
    assert measures.material.frames is not None
    shutil.copytree(measures.material.frames.root, tmp_path / "frames")
    for folder in list((tmp_path / "frames").iterdir())[::2]:
        shutil.rmtree(folder)
    lost = replace(
        measures, material=replace(measures.material, frames=FrameStore(tmp_path / "frames"))
    )
    told = drawn(lost)
    assert told is not None
    shown = sum(len(sheet.yes) + len(sheet.no) for sheet in told.shown)
    assert 0 < shown < 2 * FRAMES * len(PERSONAS)
    empty = replace(measures, material=replace(measures.material, frames=FrameStore(tmp_path)))
    assert drawn(empty) is None

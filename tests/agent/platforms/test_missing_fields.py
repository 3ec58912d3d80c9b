"""Rows of videos without a field: how long one is chance, and where it began."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from agent.errors import LayoutChanged
from agent.platforms import load_platform
from agent.platforms.missing_fields import MissingFields

RUNS, VIDEOS = 1000, 100


def ends(least: float, likes: Iterable[bool]) -> bool:
    watched = MissingFields({"likes": least})
    try:
        for position, there in enumerate(likes):
            watched.take({"likes": bool(there)}, position)
    except LayoutChanged:
        return True
    return False


def test_a_feed_that_gives_a_field_as_often_as_its_file_says_is_no_change() -> None:
    least = load_platform("instagram").expects.given["likes"]
    drawn = np.random.default_rng(1).random((RUNS, VIDEOS)) < least
    assert sum(ends(least, row) for row in drawn) <= 0.006 * RUNS


@pytest.mark.parametrize(("least", "videos"), [(1.0, 14), (0.95, 14), (0.4, 19)])
def test_a_field_that_is_gone_is_still_noticed(least: float, videos: int) -> None:
    assert ends(least, [False] * videos)
    assert not ends(least, [False] * (videos - 1))
    assert not ends(0.0, [False] * VIDEOS)  # the file expects none

"""Rows of videos without a field: how long one is chance, and where it began."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from agent.errors import LayoutChanged
from agent.platforms import load_platform
from agent.platforms.missing_fields import MissingFields
from tests.agent.platforms.simulated_walks import SilentChange, simulate

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


@pytest.mark.parametrize(
    ("change", "since"),
    [
        (SilentChange("isAd"), 0),
        (SilentChange("diggCount", later=True), 12),  # by its first videos
        (SilentChange("isAd", later=True), 12),
    ],
)
def test_a_change_is_told_with_the_position_of_the_first_video_that_lacks_it(
    change: SilentChange, since: int
) -> None:
    changes: list[LayoutChanged] = []
    lacking: list[int] = []
    name = {"isAd": "ad", "diggCount": "likes"}[change.rename]
    try:
        for place, (feed, shown, _) in enumerate(simulate("tiktok", 7, 40, change)):
            known = feed._items.get(shown.id or "")
            if known is not None and not known.ad and name not in known.sources:
                lacking.append(place)
            feed.describe(shown)
    except LayoutChanged as ended:
        changes.append(ended)
    (change_met,) = changes
    assert change_met.details["since"] == lacking[0] >= since


@pytest.mark.parametrize("first", [3, 15])
def test_a_row_is_counted_from_the_video_that_began_it_after_a_page_was_opened(first: int) -> None:
    """A feed that is opened anew goes on at the run's position, not at the one before."""
    since = []
    try:
        for place, (feed, shown, _) in enumerate(simulate("tiktok", 7, 60)):
            if place == first:
                feed.open_page(place)
            if place >= first:
                feed._items.pop(shown.id or "", None)
            feed.describe(shown)
    except LayoutChanged as ended:
        since.append(ended.details["since"])
    assert len(since) == 1
    assert since[0] - first in (0, 1)  # the first may be a live card, which does not count

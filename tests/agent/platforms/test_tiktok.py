"""TikTok's page of October 2026 and of 2025, and the units of its items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.drivers.base import Answer
from agent.drivers.playwright import PlaywrightDriver
from agent.platforms import load
from agent.platforms.base import Feed
from tests.agent.drivers.test_live_pages import on_skin
from tests.agent.platforms.running import check, watch

URL = "https://www.tiktok.com/api/recommend/item_list/"


def item(**more: Any) -> dict[str, Any]:
    """An item with the keys of a recorded one, and values of our own."""
    return {
        "id": "7300000000000000001",
        "desc": "  a made up caption #tag\n",
        "author": {"id": "6", "uniqueId": "made.up", "nickname": "Made Up ✨"},
        "video": {"id": "7300000000000000001", "duration": 15, "codecType": "h264"},
        "music": {"id": "5", "duration": 60},
        "stats": {"diggCount": 1200, "commentCount": 3, "playCount": 45_000},
        "isAd": False,
        **more,
    }


@pytest.mark.parametrize(
    ("told", "info", "seconds"),
    [
        (15, None, 15.0),
        (15_233, {"ad_id": "1"}, 15.233),
        (1000, {"ad_id": "1"}, 1.0),
        (15, {"ad_id": "1"}, 15.0),
        (3600, None, 3600.0),
        (0, {"ad_id": "1"}, None),
    ],
)
def test_an_advertisement_s_milliseconds_are_seconds(
    told: int, info: dict[str, str] | None, seconds: float | None
) -> None:
    body = {"itemList": [item(video={"duration": told}, **({"ad_info": info} if info else {}))]}
    (video,) = load("tiktok").parse(Answer(URL, body))
    assert video.duration_s == seconds
    assert video.ad is bool(info)


def test_handle_and_display_name_are_kept_apart() -> None:
    (video,) = load("tiktok").parse(Answer(URL, {"itemList": [item()]}))
    assert (video.author, video.author_name) == ("made.up", "Made Up ✨")
    assert (video.caption, video.hashtags) == ("a made up caption #tag", ())


@pytest.mark.parametrize(
    ("switches", "moved_by"),
    [
        ("", '[data-e2e="feed-navigation-next"]'),
        ("strip=next", 'button[aria-label="Next video"]'),
        ("layout=b", '[class*="DivFeedNavigationContainer"] > :last-child button'),
    ],
)
def test_each_layout_is_moved_liked_and_named(tmp_path: Path, switches: str, moved_by: str) -> None:
    async def scenario(driver: PlaywrightDriver, url: str, answers: list[Answer]) -> None:
        feed = Feed(load("tiktok"))
        shown = await driver.open(url)
        for answer in answers:
            feed.take(answer)
        assert feed.describe(shown).author == shown.fields["author"]
        assert await driver.like()
        arrival = await driver.next(shown)
        assert (arrival.action, arrival.attempts, arrival.shown.moved) == ("button", 1, 1)
        assert arrival.shown.hooks_used["next"] == moved_by
        assert arrival.shown.ad is None, "no hook of the page could show it"

    on_skin(tmp_path, "tiktok", switches, scenario)


def test_the_menu_names_the_video_where_the_player_does_not(tmp_path: Path) -> None:
    told = watch(tmp_path, "tiktok", 6, "strip=wrapper")
    assert told.fault is None
    check(told, "tiktok")
    assert {step.video.sources["id"] for step in told.steps} == {"page"}


def test_the_author_is_read_from_the_page_where_the_responses_are_silent(tmp_path: Path) -> None:
    told = watch(tmp_path, "tiktok", 3, "rename=uniqueId:handle")
    assert told.fault is None
    for step, served in zip(told.steps, told.served(), strict=False):
        assert (step.video.author, step.video.sources["author"]) == (served.creator, "page")

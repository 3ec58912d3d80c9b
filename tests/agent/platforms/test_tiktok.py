"""TikTok's page of October 2026 and of 2025, and the units of its items."""

from __future__ import annotations

import json
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from agent.drivers.base import SiteAnswer
from agent.drivers.web.driver import PlaywrightDriver
from agent.platforms import load_platform
from agent.platforms.base import Feed
from agent.playground.skins.shapes import skin_id
from tests.agent.drivers.web.test_live_pages import SPEED, on_skin
from tests.agent.platforms.running import QUICK, Told, check, watch

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
    (video,) = load_platform("tiktok").parse(SiteAnswer(URL, body))
    assert video.duration_s == seconds
    assert video.ad is bool(info)


def test_handle_and_display_name_are_kept_apart() -> None:
    (video,) = load_platform("tiktok").parse(SiteAnswer(URL, {"itemList": [item()]}))
    assert (video.author, video.author_name) == ("made.up", "Made Up ✨")
    assert (video.caption, video.hashtags) == ("a made up caption #tag", ())


@pytest.mark.parametrize(
    ("switches", "moved_by"),
    [
        ("", '[data-e2e="feed-navigation-next"]'),
        pytest.param("strip=next", 'button[aria-label="Next video"]', marks=pytest.mark.drill),
        pytest.param(
            "layout=b",
            '[class*="DivFeedNavigationContainer"] > :last-child button',
            marks=pytest.mark.drill,
        ),
    ],
)
def test_each_layout_is_moved_liked_and_named(tmp_path: Path, switches: str, moved_by: str) -> None:
    async def scenario(driver: PlaywrightDriver, url: str, answers: list[SiteAnswer]) -> None:
        feed = Feed(load_platform("tiktok"))
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


@pytest.mark.drill
def test_the_menu_names_the_video_where_the_player_does_not(tmp_path: Path) -> None:
    told = watch(tmp_path, "tiktok", 6, "strip=wrapper")
    assert told.fault is None
    check(told, "tiktok")
    assert {step.video.sources["id"] for step in told.steps} == {"page"}


@pytest.mark.drill
def test_the_author_is_read_from_the_page_where_the_responses_are_silent(tmp_path: Path) -> None:
    told = watch(tmp_path, "tiktok", 3, "rename=uniqueId:handle")
    assert told.fault is None
    for step, served in zip(told.steps, told.served(), strict=False):
        assert (step.video.author, step.video.sources["author"]) == (served.creator, "page")


def stays(told: Told) -> dict[int, float]:
    """Seconds of content for which the site saw each place, as it noted for itself."""
    folder = told.data.run_dir(told.ledger.started.run_id) / "playground"
    (visitor,) = folder.glob("*.jsonl")
    lines = [json.loads(line) for line in visitor.read_text(encoding="utf-8").splitlines()]
    views = [line["watch"] for line in lines if "watch" in line]
    return {view["index"]: view["watched_s"] for view in views}


@pytest.mark.drill
def test_a_photo_post_is_left_by_the_plan_s_own_dwell(tmp_path: Path) -> None:
    told = watch(tmp_path, "tiktok", 6, "photos=2,4")
    assert told.fault is None
    posts = [told.steps[place] for place in (2, 4)]
    seen = stays(told)
    for step in posts:
        item = told.served()[step.position]
        assert (step.excluded, step.video.id) == ("not_shown", skin_id("tiktok", item))
        assert (step.video.caption, step.video.author) == (item.tagged_caption, item.creator)
        assert step.reaction.dwell_asked_s == QUICK.swipe_s
        assert step.reaction.dwell_s is not None
        assert QUICK.swipe_s <= step.reaction.dwell_s < 5 * SPEED  # a player that never comes: 8 s
        assert abs(step.reaction.dwell_s - seen[step.position]) < 1 * SPEED
    assert sum(step.eligible for step in told.steps) == 6


def test_what_has_no_player_is_watched_by_the_clock(tmp_path: Path) -> None:
    async def scenario(driver: PlaywrightDriver, url: str, _: list[SiteAnswer]) -> None:
        began = perf_counter()
        shown = (await driver.next(await driver.open(url))).shown
        assert (shown.has_video, shown.held, shown.shown) == (False, False, False)
        assert (await driver.capture(shown)).jpeg
        dwell = (perf_counter() - began) * SPEED + 2 * SPEED  # so: two more seconds at least
        watching = perf_counter()
        played = await driver.watch(shown, dwell, then_hold=True)
        assert perf_counter() - watching >= 2
        assert dwell <= played < dwell + 3 * SPEED
        assert (await driver.next(shown)).left_dwell_s >= played

    on_skin(tmp_path, "tiktok", "photos=1", scenario)

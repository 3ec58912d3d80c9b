"""TikTok's page of October 2026 and of 2025, and the units of its items."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytest
from PIL import Image

from agent.drivers.base import SiteAnswer
from agent.drivers.web.driver import PlaywrightDriver
from agent.platforms import load_platform
from agent.platforms.base import Feed
from agent.playground.fiducial_marker import read_mark
from agent.playground.skins.shapes import skin_id
from store.frames.frame_store import FrameStore
from store.runs.ledger_site_lines import FeedBatch
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


def test_what_passes_by_is_kept_and_what_is_not_told_is_not_known() -> None:
    more = item(
        createTime="1750000000",
        music={"id": 50, "title": "a song", "authorName": "a band"},
        stats={"diggCount": 1, "shareCount": 7},
        statsV2={"collectCount": "12", "diggCount": "1"},
        textLanguage="de",
        CategoryType=112,
        stickersOnItem=[{"stickerText": ["one", ""]}, {"stickerText": None}, "broken"],
        video={"duration": 9, "subtitleInfos": [{"LanguageCodeName": "deu-DE"}, {}]},
        aigcLabelType=2,
        adAuthorization=True,
    )
    (video,) = load_platform("tiktok").parse(SiteAnswer(URL, {"itemList": [more]}))
    assert video.created_at == datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC)
    assert (video.music_id, video.music_title, video.music_author) == ("50", "a song", "a band")
    assert (video.shares, video.saves, video.language, video.category) == (7, 12, "de", "112")
    assert (video.subtitled, video.subtitle_languages) == (True, ("deu-DE",))
    assert (video.stickers, video.ai_label, video.ad_authorised) == (("one",), True, True)
    assert video.sources["music_title"] == "network"
    (bare,) = load_platform("tiktok").parse(SiteAnswer(URL, {"itemList": [item(music=None)]}))
    unknown = ("created_at", "music_id", "shares", "saves", "language", "subtitled", "ai_label")
    assert [getattr(bare, name) for name in unknown] == [None] * len(unknown)
    assert (bare.paid_partnership, bare.ad_authorised, bare.stickers) == (None, None, ())


@pytest.mark.parametrize(
    ("told", "value"),
    [
        ({"textLanguage": "un"}, ("language", None)),
        ({"aigcLabelType": 0}, ("ai_label", False)),
        ({"createTime": 10**14}, ("created_at", None)),
        ({"createTime": True}, ("created_at", None)),
        ({"createTime": "soon"}, ("created_at", None)),
        ({"video": {"subtitleInfos": []}}, ("subtitled", False)),
        ({"adAuthorization": "yes"}, ("ad_authorised", None)),
        ({"imagePost": {"images": [1, 2, 3]}}, ("photos", 3)),
        ({"imagePost": {"images": []}}, ("photos", None)),
    ],
)
def test_a_field_is_what_the_site_tells_or_not_known(told: Any, value: tuple[str, Any]) -> None:
    (video,) = load_platform("tiktok").parse(SiteAnswer(URL, {"itemList": [item(**told)]}))
    assert getattr(video, value[0]) == value[1]


@pytest.mark.parametrize(
    ("query", "personalised", "signed_in", "region", "count"),
    [
        (
            "isNonPersonalized=false&user_is_login=true&region=DE&vv_count_fyp=12",
            True,
            True,
            "DE",
            12,
        ),
        ("isNonPersonalized=1&user_is_login=0&region=", False, False, None, None),
        ("vv_count_fyp=many", None, None, None, None),
    ],
)
def test_what_a_request_says_is_kept_with_its_batch(
    query: str,
    personalised: bool | None,
    signed_in: bool | None,
    region: str | None,
    count: int | None,
) -> None:
    feed, batches = Feed(load_platform("tiktok")), list[FeedBatch]()
    feed.record_batches(batches.append)
    feed.take(SiteAnswer(f"{URL}?{query}", {"itemList": [item()]}))
    (batch,) = batches
    assert (batch.personalised, batch.signed_in) == (personalised, signed_in)
    assert (batch.region, batch.site_count) == (region, count)


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


def check_posts(told: Told, places: tuple[int, ...]) -> None:
    """Each photo post has its own id, words and dwell, as the site itself has counted it."""
    seen = stays(told)
    for step in (told.steps[place] for place in places):
        item = told.served()[step.position]
        assert step.video.id == skin_id("tiktok", item)
        assert (step.video.caption, step.video.author) == (item.tagged_caption, item.creator)
        dwell = step.reaction.dwell_s
        assert dwell is not None
        assert step.reaction.dwell_asked_s <= dwell < step.reaction.dwell_asked_s + 2 * SPEED
        assert abs(dwell - seen[step.position]) < 1 * SPEED


def test_each_picture_of_a_photo_post_is_judged(tmp_path: Path) -> None:
    told = watch(tmp_path, "tiktok", 5, "photos=1,3&pictures=3")
    assert told.fault is None
    check_posts(told, (1, 3))
    frames = FrameStore(told.data.frames_dir)
    for step in (told.steps[1], told.steps[3]):
        assert (step.excluded, step.video.photos, len(step.frames)) == (None, 3, 3)
        assert step.judgement.attempts == 1
        marks = [
            read_mark(Image.open(io.BytesIO(frames.read(frame.sha256)))) for frame in step.frames
        ]
        assert marks[0] == told.served()[step.position].number
        assert len(set(marks)) == 3
    assert [step.video.photos for step in told.steps] == [None, 3, None, 3, None]
    again = watch(tmp_path, "replay", 5, of=told.ledger.started.run_id)
    assert [step.frames for step in again.steps] == [step.frames for step in told.steps]


@pytest.mark.drill
def test_a_photo_post_is_passed_on_request(tmp_path: Path) -> None:
    told = watch(tmp_path, "tiktok", 6, "photos=2,4", photos="pass")
    assert told.fault is None
    check_posts(told, (2, 4))
    for place in (2, 4):
        step = told.steps[place]
        assert (step.excluded, step.judgement.missing) == ("photo", "not_asked")
        assert step.reaction.dwell_asked_s == QUICK.swipe_s
    assert sum(step.eligible for step in told.steps) == 6


@pytest.mark.drill
def test_a_feed_with_every_fifth_a_photo_post_waits_for_none(tmp_path: Path) -> None:
    """But for the dwell that the plan asks for, a post takes no longer than a video."""
    places = tuple(range(2, 40, 5))
    told = watch(tmp_path, "tiktok", 40, f"photos={','.join(map(str, places))}&pictures=3")
    assert told.fault is None
    check_posts(told, tuple(place for place in places if told.served()[place].kind == "video"))
    walls: dict[bool, list[float]] = {True: [], False: []}
    for before, step in pairwise(told.steps):
        if step.eligible and before.eligible:
            waited = (step.at - before.at).total_seconds()
            walls[step.video.photos is not None].append(waited - step.timings_ms["dwell"] / 1000)
    post, video = median(walls[True]), median(walls[False])
    assert len(walls[True]) >= 6
    assert post < video + 0.3, f"{post:.2f} s for a post, {video:.2f} s for a video"


def test_what_has_no_player_is_watched_by_the_clock(tmp_path: Path) -> None:
    async def scenario(driver: PlaywrightDriver, url: str, _: list[SiteAnswer]) -> None:
        began = perf_counter()
        shown = (await driver.next(await driver.open(url))).shown
        assert (shown.has_video, shown.held, shown.shown) == (False, False, False)
        assert shown.pictures == 1
        assert (await driver.capture(shown)).jpeg
        dwell = (perf_counter() - began) * SPEED + 2 * SPEED  # so: two more seconds at least
        watching = perf_counter()
        played = await driver.watch(shown, dwell, then_hold=True)
        assert perf_counter() - watching >= 2
        assert dwell <= played < dwell + 3 * SPEED
        assert (await driver.next(shown)).left_dwell_s >= played

    on_skin(tmp_path, "tiktok", "photos=1", scenario)

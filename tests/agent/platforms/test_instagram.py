"""Instagram's advertisements, and what of its answers is a refusal of the feed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from agent.drivers.base import SiteAnswer
from agent.drivers.web.page_events import parse_json
from agent.platforms import load_platform
from agent.platforms.base import Feed
from agent.platforms.instagram import ROOT
from agent.playground.catalogue import load_catalogue
from agent.playground.skins.shapes import skin_id
from tests.agent.platforms.running import Told, check, watch
from tests.agent.platforms.test_feed import shown

URL = "https://www.instagram.com/graphql/query"
FEED = "PolarisClipsTabDesktopPaginationQuery"
POOL = "PolarisClipsAdsPoolQuery"


def media(code: str, **more: Any) -> dict[str, Any]:
    """A reel with the keys of a recorded one, and values of our own."""
    return {
        "pk": "31",
        "id": "31_9",
        "code": code,
        "caption": {"text": "made up"},
        "user": {"username": "made.up", "full_name": "Made Up"},
        "ad_id": None,
        "product_type": "clips",
        "is_paid_partnership": False,
        "ad_action": None,
        "link": None,
        **more,
    }


def answer(body: Any, asked: str | None = FEED, status: int = 200, url: str = URL) -> SiteAnswer:
    sent = None if asked is None else urlencode({"av": "1", "fb_api_req_friendly_name": asked})
    return SiteAnswer(url, body, status, sent)


def feed_of(*found: dict[str, Any], root: str = ROOT) -> dict[str, Any]:
    return {"data": {root: {"edges": [{"node": {"media": one}} for one in found]}}}


@pytest.mark.parametrize(
    ("mark", "ad"),
    [
        ({}, False),
        ({"ad_id": "120"}, True),
        ({"is_ad": True}, True),
        ({"is_ad": False, "product_type": None}, False),
        ({"product_type": "ad"}, True),
        ({"ad_action": "open"}, True),
        ({"link": "https://www.facebook.com/ads/x"}, True),
        ({"is_paid_partnership": True}, False),
        ({"product_type": None}, None),
    ],
)
def test_an_item_of_the_feed_says_whether_it_is_an_ad(mark: Any, ad: bool | None) -> None:
    (video,) = load_platform("instagram").parse(answer(feed_of(media("reel-1", **mark))))
    assert video.ad is ad
    assert (video.author, video.author_name) == ("made.up", "Made Up")


def test_partnership_time_and_sound_are_kept() -> None:
    song = {"audio_cluster_id": 5, "title": "a song", "display_artist": "a band"}
    told = media(
        "reel-1",
        taken_at=1_750_000_000,
        is_paid_partnership=True,
        clips_metadata={"music_info": {"music_asset_info": song}},
    )
    sound = {
        "audio_asset_id": "7",
        "original_audio_title": "Original",
        "ig_artist": {"username": "x"},
    }
    made = media("reel-2", clips_metadata={"music_info": None, "original_sound_info": sound})
    one, two = load_platform("instagram").parse(answer(feed_of(told, made)))
    assert (one.paid_partnership, two.paid_partnership) == (True, False)
    assert one.created_at is not None
    assert (one.music_id, one.music_title, one.music_author) == ("5", "a song", "a band")
    assert (two.music_id, two.music_title, two.music_author) == ("7", "Original", "x")
    assert (two.created_at, two.ai_label) == (None, None)


@pytest.mark.parametrize(
    ("asked", "root"),
    [
        (POOL, "xdt_api__v1__something_new"),
        (POOL, ROOT),
        (None, "xdt_api__v1__clips__ads_pool"),
        (FEED, "xdt_injected_reels_units"),
    ],
)
def test_the_pool_s_items_are_ads_and_no_batch_of_the_feed(asked: str | None, root: str) -> None:
    feed = Feed(load_platform("instagram"))
    feed.take(answer(feed_of(media("reel-1")), "PolarisClipsTabDesktopContainerQuery"))
    feed.take(answer(feed_of(media("promo-1"), root=root), asked))
    feed.take(answer(feed_of(media("reel-2"))))
    told = [feed.describe(shown(code, ad=None)) for code in ("reel-1", "promo-1", "reel-2")]
    assert [video.ad for video in told] == [False, True, False]
    assert [video.batch for video in told] == [0, None, 1]


@pytest.mark.parametrize("pool_first", [True, False])
def test_an_ad_is_one_whichever_answer_says_so(pool_first: bool) -> None:
    feed = Feed(load_platform("instagram"))
    answers = [answer(feed_of(media("promo-1")), POOL), answer(feed_of(media("promo-1")))]
    for one in answers if pool_first else reversed(answers):
        feed.take(one)
    assert feed.describe(shown("promo-1", ad=None)).ad is True


def test_an_ad_that_the_page_puts_in_does_not_count(tmp_path: Path) -> None:
    told = watch(tmp_path, "instagram", 7, "ads=2")
    assert told.fault is None
    pool = {skin_id("instagram", item) for item in load_catalogue().items if item.kind == "ad"}
    mixed_in = [s for s in told.steps if s.video.id in pool and s.video.batch is None]
    assert [(s.excluded, s.video.ad) for s in mixed_in] == [("ad", True)]
    assert skin_id("instagram", told.pictured(mixed_in[0])) == mixed_in[0].video.id
    others = tuple(step for step in told.steps if step is not mixed_in[0])
    check(Told(replace(told.ledger, steps=others), told.data), "instagram")


def test_what_no_hook_could_show_is_null(tmp_path: Path) -> None:
    told = watch(tmp_path, "instagram", 2, "rename=product_type:kind")
    flags = {(step.video.ad, step.video.live) for step in told.steps if not step.video.ad}
    assert flags == {(False, None)}, "is_ad is left"
    told = watch(tmp_path / "b", "instagram", 2, "rename=code:shortcode")
    assert {(step.video.ad, step.video.live) for step in told.steps} == {(None, None)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('for (;;);{"a": 1}', {"a": 1}),
        (' for (;;);\n{"a": 1}\n', {"a": 1}),
        ('{"a": 1}\n{"b": "\u2028"}\r\n', [{"a": 1}, {"b": "\u2028"}]),
        ('for (;;);{"a": 1}\nfor (;;);{"b": 2}', [{"a": 1}, {"b": 2}]),
        ('{"a": "for (;;);"}', {"a": "for (;;);"}),
        ("[]", []),
        ("for (;;);", None),
        ('{"a": 1}\n{"b"', None),
        ('{"a": 1} and words', None),
    ],
)
def test_json_is_read_behind_its_prefix_and_line_by_line(text: str, value: Any) -> None:
    assert parse_json(text) == value


@pytest.mark.parametrize(("before", "after"), [("for (;;);", ""), ("", '\n{"label": "more"}')])
def test_reels_are_found_in_what_is_prefixed_or_joined(before: str, after: str) -> None:
    text = before + json.dumps(feed_of(media("reel-1"))) + after
    (video,) = load_platform("instagram").parse(answer(parse_json(text)))
    assert video.id == "reel-1"


LIKE, BELL = "usePolarisLikeMediaXIGLikeMutation", "PolarisNotificationsQuery"
WAIT = {"message": "Please wait a few minutes before you try again.", "require_login": True}


def failed(message: str) -> dict[str, str]:
    return {"message": message, "status": "fail"}


@pytest.mark.parametrize(
    ("asked", "status", "body", "kind"),
    [
        (FEED, 429, None, "rate_limit"),
        (FEED, 200, None, "rate_limit"),
        (FEED, 401, WAIT, "rate_limit"),
        (FEED, 503, None, "error"),
        (FEED, 400, {"errors": []}, None),
        (None, 429, None, "rate_limit"),
        (LIKE, 429, None, None),
        (BELL, 200, None, None),
        (BELL, 401, WAIT, None),
        (BELL, 500, None, None),
        (POOL, 429, None, None),
        (LIKE, 200, {"data": {"like": True}}, None),
        (FEED, 400, failed("checkpoint_required"), "challenge"),
        (BELL, 400, failed("checkpoint_required"), "challenge"),
        (FEED, 400, failed("challenge_required"), "challenge"),
        (LIKE, 400, failed("feedback_required"), "rate_limit"),
        (FEED, 400, [failed("feedback_required")], "rate_limit"),
        (BELL, 200, {"comments": [failed("checkpoint_required")]}, None),
    ],
)
def test_only_the_feed_s_own_answers_and_the_account_s_walls_refuse(
    asked: str | None, status: int, body: Any, kind: str | None
) -> None:
    feed = Feed(load_platform("instagram"))
    feed.take(answer(body, asked, status))
    assert feed.refusal == kind


def test_a_pool_that_answers_does_not_clear_the_refusal_of_the_feed() -> None:
    feed = Feed(load_platform("instagram"))
    feed.take(answer(None, status=429))
    feed.take(answer(feed_of(media("promo-1")), POOL))
    assert feed.refusal == "rate_limit"
    feed.take(answer(feed_of(media("reel-1"))))
    assert feed.refusal is None

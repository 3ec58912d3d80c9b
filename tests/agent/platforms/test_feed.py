"""Metadata is joined by id: never the latest response, never a guess."""

from __future__ import annotations

from typing import Any

import pytest

from agent.drivers.base import ActiveVideo, Box, SiteAnswer
from agent.errors import LayoutChanged, UnknownName
from agent.platforms import load_platform
from agent.platforms.base import Feed


def shown(id_: str | None, **fields: Any) -> ActiveVideo:
    given: dict[str, Any] = {
        "key": id_ or "blob:1",
        "id": id_,
        "id_source": "page" if id_ else None,
        "url": f"http://127.0.0.1/v/{id_}",
        "box": Box(0, 0, 360, 640),
        "time_s": 0.1,
        "duration_s": 6.0,
        "exposure_s": 0.1,
        "shown": True,
        "has_video": True,
        "ad": False,
        "live": False,
        "fields": {},
        "moved": 1,
        "animation_ms": 0.0,
    }
    return ActiveVideo(**{**given, **fields})


def batch(*ids: str, **extra: Any) -> dict[str, Any]:
    return {"items": [{"id": id_, "desc": f"caption of {id_}", **extra} for id_ in ids]}


def test_prefetched_items_are_not_taken_for_the_shown_one() -> None:
    feed = Feed(load_platform("playground"))
    feed.take(SiteAnswer("/api/feed", batch("a", "b")))
    feed.position = 7
    feed.take(SiteAnswer("/api/feed", batch("c", "d")))
    first, third = feed.describe(shown("a")), feed.describe(shown("c"))
    assert (first.caption, first.batch, first.batch_requested_at) == ("caption of a", 0, 0)
    assert (third.caption, third.batch, third.batch_requested_at) == ("caption of c", 1, 7)
    assert third.sources["caption"] == "network"


def test_an_item_keeps_the_batch_that_brought_it_first() -> None:
    feed = Feed(load_platform("playground"))
    feed.take(SiteAnswer("/api/feed", batch("a")))
    feed.take(SiteAnswer("/api/feed", batch("a", "b")))
    assert feed.describe(shown("a")).batch == 0
    assert feed.describe(shown("b")).batch == 1


def test_the_page_fills_what_the_responses_leave_out() -> None:
    video = Feed(load_platform("playground")).describe(shown("z", fields={"caption": "as shown"}))
    assert (video.caption, video.sources["caption"]) == ("as shown", "page")
    assert (video.duration_s, video.batch, video.likes) == (6.0, None, None)


@pytest.mark.parametrize("where", ["response", "page"])
def test_an_ad_is_an_ad_whoever_says_so(where: str) -> None:
    feed = Feed(load_platform("playground"))
    feed.take(SiteAnswer("/api/feed", batch("a", isAd=where == "response")))
    assert feed.describe(shown("a", ad=where == "page")).ad is True


def test_an_unknown_platform_offers_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Nearest: playground"):
        load_platform("playgrund")


def sequence(*ids: str) -> SiteAnswer:
    body = {"entries": [{"command": {"reelWatchEndpoint": {"videoId": id_}}} for id_ in ids]}
    return SiteAnswer("https://y/youtubei/v1/reel/reel_watch_sequence", body)


def about(id_: str, title: str) -> SiteAnswer:
    body = {"videoDetails": {"videoId": id_, "title": title}}
    return SiteAnswer("https://y/youtubei/v1/reel/reel_item_watch", body)


A, B = "aaaaaaaaaaa", "bbbbbbbbbbb"


def test_a_later_answer_fills_gaps_and_overwrites_nothing() -> None:
    feed = Feed(load_platform("youtube"))
    feed.take(sequence(A, B))
    feed.position = 3
    feed.take(about(A, "first"))
    feed.take(about(A, "second"))
    known, other = feed.describe(shown(A)), feed.describe(shown(B))
    assert (known.caption, known.batch, known.batch_requested_at) == ("first", 0, 0)
    assert other.caption is None


def test_an_answer_about_one_video_is_no_batch() -> None:
    feed = Feed(load_platform("youtube"))
    feed.take(about(A, "early"))
    assert feed.describe(shown(A)).batch is None
    feed.take(sequence(A))
    feed.take(sequence(A))
    feed.take(sequence(B))
    assert feed.describe(shown(A)).batch == 0
    assert feed.describe(shown(B)).batch == 1


@pytest.mark.parametrize(
    ("platform", "answer", "kind"),
    [
        ("tiktok", SiteAnswer("/api/recommend/item_list/", None), "rate_limit"),
        ("tiktok", SiteAnswer("/api/recommend/item_list/", None, 429), "rate_limit"),
        ("tiktok", SiteAnswer("/api/recommend/item_list/", {"statusCode": 10204}), "error"),
        (
            "tiktok",
            SiteAnswer("/api/recommend/item_list/", {"itemList": [], "statusCode": 0}),
            None,
        ),
        ("instagram", SiteAnswer("/graphql/query", {"require_login": True}, 401), "rate_limit"),
        ("instagram", SiteAnswer("/graphql/query", {"data": {}}), None),
        ("instagram", SiteAnswer("/graphql/query", None, 503), "error"),
        (
            "youtube",
            SiteAnswer("/reel_item_watch", {"playabilityStatus": {"status": "LOGIN_REQUIRED"}}),
            "login",
        ),
        (
            "youtube",
            SiteAnswer("/reel_item_watch", {"playabilityStatus": {"status": "AGE_CHECK_REQUIRED"}}),
            "age",
        ),
    ],
)
def test_a_response_without_items_may_be_a_wall(
    platform: str, answer: SiteAnswer, kind: str | None
) -> None:
    feed = Feed(load_platform(platform))
    feed.position = 4
    feed.take(answer)
    assert feed.refusal == kind
    assert (feed.refused_at is None) == (kind is None)


def test_a_good_response_clears_the_refusal_and_an_error_page_holds_no_items() -> None:
    feed = Feed(load_platform("playground"))
    feed.take(SiteAnswer("/api/feed", batch("a"), 500))
    assert (feed.refusal, feed.describe(shown("a")).caption) == ("error", None)
    feed.take(SiteAnswer("/api/feed", batch("a")))
    assert (feed.refusal, feed.describe(shown("a")).caption) == (None, "caption of a")


def watched(feed: Feed, count: int, start: int = 0, **fields: Any) -> None:
    for number in range(start, start + count):
        feed.take(SiteAnswer("/api/feed", {"items": [{"id": f"v{number}", **fields}]}))
        feed.describe(shown(f"v{number}"))
        feed.position = number


def test_a_field_that_vanishes_is_a_changed_layout() -> None:
    feed = Feed(load_platform("playground"))
    watched(feed, 30, desc="words", author={"uniqueId": "someone"})
    with pytest.raises(LayoutChanged) as raised:
        watched(feed, 12, start=30, author={"uniqueId": "someone"})
    told = {"field": "caption", "since": 30, "videos": 12, "capability": "caption"}
    assert raised.value.details == told


def test_a_field_that_is_often_missing_raises_no_alarm() -> None:
    feed = Feed(load_platform("playground"))
    for number in range(0, 400, 5):
        watched(feed, 1, start=number, desc="words", author={"uniqueId": "someone"})
        watched(feed, 4, start=number + 1, author={"uniqueId": "someone"})


def test_empty_captions_are_known_ones() -> None:
    watched(Feed(load_platform("playground")), 60, desc="", author={"uniqueId": "someone"})


def test_ids_that_no_response_names_are_a_changed_layout() -> None:
    feed = Feed(load_platform("playground"))
    page = {"caption": "words", "author": "someone"}
    for number in range(13):
        feed.describe(shown(f"v{number}", fields=page))
    with pytest.raises(LayoutChanged, match="no response that names the video in 14 videos"):
        feed.describe(shown("v13", fields=page))


def test_ads_live_cards_and_what_never_played_prove_nothing() -> None:
    feed = Feed(load_platform("playground"))
    for number in range(40):
        card: dict[str, Any] = [{"ad": True}, {"live": True}, {"shown": False}][number % 3]
        feed.describe(shown(None, **card))


def test_a_driver_that_can_know_nothing_is_not_watched() -> None:
    feed = Feed(load_platform("tiktok"), watch=False)
    for _ in range(40):
        assert feed.describe(shown(None)).caption is None


def test_what_cannot_be_seen_is_missing_and_not_guessed() -> None:
    feed = Feed(load_platform("playground"))
    video = feed.describe(shown(None, ad=None, live=None, url="", duration_s=None))
    assert video.id == "blob:1"
    told = (video.ad, video.live, video.url, video.caption, video.duration_s, video.batch)
    assert told == (None,) * 6
    feed.take(SiteAnswer("/api/feed", batch("a", isAd=True, isLive=False)))
    known = feed.describe(shown("a", ad=None, live=None))
    assert (known.ad, known.live) == (True, False)
    assert feed.describe(shown("a", live=True)).live is True

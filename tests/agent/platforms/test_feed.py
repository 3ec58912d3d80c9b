"""Metadata is joined by id: never the latest response, never a guess."""

from __future__ import annotations

from typing import Any

import pytest

from agent.drivers.base import Box, Shown
from agent.errors import UnknownName
from agent.platforms import load
from agent.platforms.base import Feed


def shown(id_: str | None, **fields: Any) -> Shown:
    given: dict[str, Any] = {
        "key": id_ or "blob:1", "id": id_, "id_source": "page" if id_ else None,
        "url": f"http://127.0.0.1/v/{id_}", "box": Box(0, 0, 360, 640), "time_s": 0.1,
        "duration_s": 6.0, "exposure_s": 0.1, "shown": True, "has_video": True, "ad": False,
        "live": False, "fields": {}, "moved": 1, "animation_ms": 0.0,
    }  # fmt: skip
    return Shown(**{**given, **fields})


def batch(*ids: str, **extra: Any) -> dict[str, Any]:
    return {"items": [{"id": id_, "desc": f"caption of {id_}", **extra} for id_ in ids]}


def test_prefetched_items_are_not_taken_for_the_shown_one() -> None:
    feed = Feed(load("playground"))
    feed.take("/api/feed", batch("a", "b"))
    feed.position = 7
    feed.take("/api/feed", batch("c", "d"))
    first, third = feed.describe(shown("a")), feed.describe(shown("c"))
    assert (first.caption, first.batch, first.batch_requested_at) == ("caption of a", 0, 0)
    assert (third.caption, third.batch, third.batch_requested_at) == ("caption of c", 1, 7)
    assert third.sources["caption"] == "network"


def test_an_item_keeps_the_batch_that_brought_it_first() -> None:
    feed = Feed(load("playground"))
    feed.take("/api/feed", batch("a"))
    feed.take("/api/feed", batch("a", "b"))
    assert feed.describe(shown("a")).batch == 0
    assert feed.describe(shown("b")).batch == 1


def test_the_page_fills_what_the_responses_leave_out() -> None:
    video = Feed(load("playground")).describe(shown("z", fields={"caption": "as shown"}))
    assert (video.caption, video.sources["caption"]) == ("as shown", "page")
    assert (video.duration_s, video.batch, video.likes) == (6.0, None, None)


@pytest.mark.parametrize("where", ["response", "page"])
def test_an_ad_is_an_ad_whoever_says_so(where: str) -> None:
    feed = Feed(load("playground"))
    feed.take("/api/feed", batch("a", isAd=where == "response"))
    assert feed.describe(shown("a", ad=where == "page")).ad is True


def test_counting_goes_on_after_an_interruption() -> None:
    feed = Feed(load("playground"))
    feed.resume(4)
    feed.take("/api/feed", batch("a"))
    assert feed.describe(shown("a")).batch == 4


def test_an_unknown_platform_offers_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Nearest: playground"):
        load("playgrund")


def test_what_cannot_be_seen_is_missing_and_not_guessed() -> None:
    feed = Feed(load("playground"))
    video = feed.describe(shown(None, ad=None, live=None, url="", duration_s=None))
    assert video.id == "blob:1"
    told = (video.ad, video.live, video.url, video.caption, video.duration_s, video.batch)
    assert told == (None,) * 6
    feed.take("/api/feed", batch("a", isAd=True, isLive=False))
    known = feed.describe(shown("a", ad=None, live=None))
    assert (known.ad, known.live) == (True, False)
    assert feed.describe(shown("a", live=True)).live is True

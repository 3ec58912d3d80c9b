"""Parsers take any JSON and give a field only to the id whose object held it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.drivers.base import SiteAnswer
from agent.platforms import feed_items, load_platform
from agent.platforms.base import Feed
from agent.playground.catalogue import load_catalogue
from agent.playground.skins import shapes
from tests.agent.platforms.payloads import REAL, SERVED
from tests.agent.platforms.running import truth

SITES = ("tiktok", "youtube", "instagram")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["", "0", "-1", "1e9", "9" * 40, "\ud800", "NaN", "2.7K"]),
)
KEYS = st.sampled_from(
    sorted(
        {
            "id",
            "itemList",
            "author",
            "video",
            "stats",
            "desc",
            "entries",
            "command",
            "reelWatchEndpoint",
            "videoId",
            "overlay",
            "videoDetails",
            "playerResponse",
            "likeButtonViewModel",
            "title",
            "accessibilityText",
            "code",
            "pk",
            "user",
            "caption",
            "text",
            "textExtra",
            "challenges",
            "xdt_api__v1__clips__home__connection_v2",
            "edges",
            "node",
            "media",
            "playabilityStatus",
            "status",
            "items",
            "statusCode",
            "shortsVideoTitleViewModel",
            "ad_info",
            "link",
        }
    )
)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=40,
)


@pytest.mark.parametrize("platform", ["playground", *SITES])
@settings(max_examples=150, deadline=None)
@given(body=ANY_JSON, status=st.sampled_from([200, 401, 429, 500]))
def test_no_json_is_too_strange(platform: str, body: Any, status: int) -> None:
    site = load_platform(platform)
    for video in site.parse(SiteAnswer("https://x/api", body)):
        assert video.id
        json.dumps(video.model_dump(mode="json")).encode()
    Feed(site).take(SiteAnswer("https://x/api", body, status))


@pytest.mark.parametrize("platform", ["playground", *SITES])
def test_depth_is_no_limit(platform: str) -> None:
    body: Any = {}
    for _ in range(50_000):
        body = {"entries": [body]}
    assert load_platform(platform).parse(SiteAnswer("https://x/api", body)) == []
    while body:  # taken apart by hand: Python's own way is recursive
        (body,) = body["entries"]


def _places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    inner: Iterable[tuple[Any, Any]] = ()
    if isinstance(node, (dict, list)):
        inner = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in inner:
        found += _places(value, (*path, key))
    return found


@st.composite
def damaged(draw: st.DrawFn, platform: str) -> tuple[str, Any]:
    """A real payload, parts of it removed, of another type, nested or exchanged."""
    url, body = draw(st.sampled_from(REAL[platform]))
    body = copy.deepcopy(body)
    for _ in range(draw(st.integers(1, 5))):
        places = _places(body)
        if not places:
            break
        *path, last = draw(st.sampled_from(places))
        parent = body
        for key in path:
            parent = parent[key]
        match draw(st.sampled_from(["remove", "retype", "nest", "rename"])):
            case "remove":
                del parent[last]
            case "retype":
                parent[last] = draw(SCALARS)
            case "nest":
                parent[last] = draw(st.sampled_from([[parent[last]], {"data": parent[last]}]))
            case "rename" if isinstance(parent, dict):
                parent["renamed"] = parent.pop(last)
    return url, body


@pytest.mark.parametrize("platform", SITES)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damage_never_joins_a_field_to_another_id(platform: str, data: st.DataObject) -> None:
    url, body = data.draw(damaged(platform))
    known = {shapes.skin_id(platform, one.item): truth(platform, one.item) for one in SERVED}
    for video in load_platform(platform).parse(SiteAnswer(url, body)):
        own = known.get(video.id)
        others = [of for id_, of in known.items() if id_ != video.id]
        for name in ("caption", "author", "likes", "views", "hashtags"):
            foreign = {of[name] for of in others} - ({own[name]} if own else set())
            assert getattr(video, name) not in foreign, name


@pytest.mark.parametrize("platform", SITES)
@pytest.mark.parametrize("name", ["desc", "title", "caption", "diggCount", "like_count", "author"])
def test_a_renamed_key_is_missing_and_not_guessed(platform: str, name: str) -> None:
    for url, body in REAL[platform]:
        whole = {video.id: video for video in load_platform(platform).parse(SiteAnswer(url, body))}
        text = json.dumps(body).replace(f'"{name}":', '"renamed":')
        for video in load_platform(platform).parse(SiteAnswer(url, json.loads(text))):
            for field, value in video.model_dump(exclude={"sources"}).items():
                before = getattr(whole[video.id], field)
                assert value in (before, None, ()) or _rounded(field, value, before)


def _rounded(field: str, value: Any, before: Any) -> bool:
    """Whether a value comes from the site's second, coarser place for it."""
    return field in ("likes", "comments", "views") and value == before // 100 * 100


def test_live_cards_without_an_id_join_nothing() -> None:
    url, body = REAL["tiktok"][0]
    ids = [video.id for video in load_platform("tiktok").parse(SiteAnswer(url, body))]
    assert len(body["itemList"]) == len(ids) + 1
    assert "" not in ids


def test_what_is_fetched_ahead_is_not_the_feed() -> None:
    ahead = SiteAnswer("https://t/api/preload/item_list/", REAL["tiktok"][0][1])
    assert load_platform("tiktok").parse(ahead) == []


def test_what_youtube_prefetches_is_no_item_and_no_title() -> None:
    found = load_platform("youtube").parse(SiteAnswer(*REAL["youtube"][0]))
    assert [video.caption for video in found] == [None] * 3
    assert "prefetched0" not in {video.id for video in found}


def test_a_response_that_names_two_videos_describes_neither() -> None:
    item = load_catalogue().items[0]
    body = shapes.youtube_item(item, legacy=False)
    body["playerResponse"] = shapes.youtube_player(load_catalogue().items[1])
    assert load_platform("youtube").parse(SiteAnswer("https://y/reel_item_watch", body)) == []


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ("2.7K", 2700),
        ("1,234", 1234),
        ("1.2M", 1_200_000),
        ("3B", 3 * 10**9),
        ("0", 0),
        (7, 7),
        ("2,7K", None),
        ("12.5", None),
        ("Like", None),
        ("", None),
        (-1, None),
        (True, None),
        (None, None),
        (1.5, None),
        ("9" * 5000, None),
        ("1.2.3K", None),
        ("٣", None),
    ],
)
def test_counts_are_read_strictly(told: Any, number: int | None) -> None:
    assert feed_items.count(told) == number


def test_hashtags_are_those_of_the_text() -> None:
    assert feed_items.hashtags("a #b_1 #ü!#c &#39; x#y #b_1") == ("b_1", "ü", "c")
    assert feed_items.hashtags(None) == ()


def test_a_caption_that_is_empty_is_known_to_be_empty() -> None:
    media = shapes.instagram_feed(SERVED)["data"][shapes.INSTAGRAM_ROOT]["edges"][0]["node"][
        "media"
    ]
    body = {"data": {shapes.INSTAGRAM_ROOT: {"edges": [{"node": {"media": media}}]}}}
    media["caption"] = None
    (video,) = load_platform("instagram").parse(SiteAnswer("https://i/graphql/query", body))
    assert (video.caption, video.sources["caption"]) == ("", "network")
    del media["caption"]
    assert (
        load_platform("instagram").parse(SiteAnswer("https://i/graphql/query", body))[0].caption
        is None
    )

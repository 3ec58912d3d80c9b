"""What YouTube calls a count, an author and a video."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.drivers.base import SiteAnswer
from agent.platforms import feed_items, load_platform
from agent.playground.skins.shapes import skin_id
from tests.agent.platforms.running import watch

ID = "aB3-_xyz012"


def described(overlay: Any, details: Any = None) -> Any:
    body = {
        "overlay": {"reelPlayerOverlayRenderer": overlay},
        "replacementEndpoint": {"reelWatchEndpoint": {"videoId": ID}},
    }
    if details is not None:
        body["playerResponse"] = {"videoDetails": {"videoId": ID, **details}}
    (video,) = load_platform("youtube").parse(
        SiteAnswer("https://y/youtubei/v1/reel/reel_item_watch", body)
    )
    return video


def liking(label: str | None, title: str | None) -> dict[str, Any]:
    """The like button's model: as it is, and as it would be once pressed."""
    told = {"iconName": "EMPTY_HEART", "accessibilityText": label, "title": title}
    pressed = {"accessibilityText": "like this video along with 91,235 other people"}
    models = {
        "defaultButtonViewModel": {"buttonViewModel": told},
        "toggledButtonViewModel": {"buttonViewModel": pressed if label else {}},
    }
    bar = {"buttonViewModels": [{"likeButtonViewModel": {"toggleButtonViewModel": models}}]}
    return {"buttonBar": {"reelActionBarViewModel": bar}}


ALONG = "like this video along with {} other people"


@pytest.mark.parametrize(
    ("label", "title", "likes"),
    [
        (ALONG.format("91 thousand"), "91K", 91_000),
        (ALONG.format("1.2 million"), "1.2M", 1_200_000),
        (ALONG.format("3 billion"), "3B", 3 * 10**9),
        (ALONG.format("91,234"), "91K", 91_234),
        (ALONG.format("91 thousand"), None, 91_000),
        (ALONG.format("91 tausend"), "91K", 91_000),
        (ALONG.format("734"), "734", 734),
        ("like this video along with 1 other person", "1", 1),
        ("like this video", "Like", None),
        (None, "2.7K", 2700),
    ],
)
def test_likes_are_never_less_than_the_short_form_says(
    label: str | None, title: str | None, likes: int | None
) -> None:
    assert described(liking(label, title)).likes == likes


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ("View 1,234 comments", 1234),
        ("12 thousand people", 12_000),
        ("1.5 Million", 1_500_000),
        ("2.7K", 2700),
        ("7", 7),
        ("no number", None),
        ("3 of 4", None),
        ("91Klein", None),
        ("1,23", None),
        ("1.5 people", None),
        ("v2", None),
        ("9" * 40, None),
        (7, None),
        (None, None),
        ("٣ people", None),
    ],
)
def test_a_count_within_a_sentence_is_the_only_number_there(told: Any, number: int | None) -> None:
    assert feed_items.count_within(told) == number


def bar(text: str, *urls: str) -> dict[str, Any]:
    runs = [
        {"onTap": {"innertubeCommand": {"browseEndpoint": {"canonicalBaseUrl": url}}}}
        for url in urls
    ]
    channel = {"reelChannelBarViewModel": {"channelName": {"content": text, "commandRuns": runs}}}
    return {"metapanel": {"reelMetapanelViewModel": {"metadataItems": [channel]}}}


def header(text: str, url: str | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {"channelTitleText": {"runs": [{"text": text}]}}
    if url is not None:
        told["channelNavigationEndpoint"] = {"browseEndpoint": {"canonicalBaseUrl": url}}
    return {"reelPlayerHeaderSupportedRenderers": {"reelPlayerHeaderRenderer": told}}


@pytest.mark.parametrize(
    ("overlay", "author", "handle", "name"),
    [
        (bar("@made.up"), "Made Up", "made.up", "Made Up"),
        (bar("@made.up and 2 more"), "Made Up", "made.up", "Made Up"),
        (bar("@made-up"), None, "made-up", None),
        (bar("Made Up and Others", "/@made_up/shorts"), "Made Up", "made_up", "Made Up"),
        (bar("Made Up and Others"), None, None, "Made Up and Others"),
        (bar("Made Up", "/@caf%C3%A9/shorts"), None, "café", "Made Up"),
        (header("Made Up", "/@made.up"), None, "made.up", "Made Up"),
        (header("@made.up"), "@made.up", "made.up", None),
        (header("Made Up", "/channel/UCabc"), "Made Up", None, "Made Up"),
        ({}, "Made Up", None, "Made Up"),
        ({}, "@made.up", "made.up", None),
    ],
)
def test_handle_and_display_name_are_kept_apart(
    overlay: Any, author: str | None, handle: str | None, name: str | None
) -> None:
    video = described(overlay, {"author": author} if author else {})
    assert (video.author, video.author_name) == (handle, name)


@pytest.mark.parametrize(
    ("button", "comments"),
    [
        ({"text": {"simpleText": "1.2K"}}, 1200),
        ({"text": {"runs": [{"text": "641"}]}}, 641),
        (
            {"text": {"simpleText": "1.2K"}, "accessibility": {"label": "View 1,234 comments"}},
            1234,
        ),
        ({"text": {"simpleText": "Comments"}}, None),
    ],
)
def test_the_legacy_overlay_counts_comments(button: Any, comments: int | None) -> None:
    assert described({"viewCommentsButton": {"buttonRenderer": button}}).comments == comments


def test_the_comments_label_is_exact() -> None:
    told = {
        "iconName": "SHORTS_COMMENT",
        "title": "1.2K",
        "accessibilityText": "View 1,234 comments",
    }
    models = {"reelActionBarViewModel": {"buttonViewModels": [{"buttonViewModel": told}]}}
    assert described({"buttonBar": models}).comments == 1234


def test_a_legacy_like_names_its_video() -> None:
    like = {"likeButtonRenderer": {"target": {"videoId": ID}, "likeCount": 7}}
    body = {"overlay": {"reelPlayerOverlayRenderer": {"likeButton": like}}}
    (video,) = load_platform("youtube").parse(
        SiteAnswer("https://y/youtubei/v1/reel/reel_item_watch", body)
    )
    assert (video.id, video.likes) == (ID, 7)


def overlay_without_a_name() -> dict[str, Any]:
    bar = {"buttonViewModels": [{"buttonViewModel": {"iconName": "SHORTS_COMMENT", "title": "7"}}]}
    return {"overlay": {"buttonBar": {"reelActionBarViewModel": bar}}}


OTHER = "zzzzzzzzzz9"


ANOTHER = {**overlay_without_a_name(), "videoDetails": {"videoId": OTHER}}


@pytest.mark.parametrize(
    ("path", "sent", "body", "named"),
    [
        ("reel/reel_item_watch", {"videoId": ID}, overlay_without_a_name(), [ID]),
        ("reel/reel_item_watch", {"videoId": ID}, [overlay_without_a_name()], [ID]),
        ("get_watch", {"playerRequest": {"videoId": ID}}, overlay_without_a_name(), [ID]),
        ("reel/reel_item_watch", {"videoId": ID}, ANOTHER, []),
        ("reel/reel_item_watch", {"videoId": "no id"}, overlay_without_a_name(), []),
        ("reel/reel_item_watch", None, overlay_without_a_name(), []),
        ("reel/reel_item_watch", {"videoId": ID}, {"more": [overlay_without_a_name()] * 2}, []),
        ("reel/reel_watch_sequence", {"videoId": ID}, overlay_without_a_name(), []),
    ],
)
def test_an_overlay_without_a_name_is_that_of_the_video_asked_for(
    path: str, sent: Any, body: Any, named: list[str]
) -> None:
    answer = SiteAnswer(f"https://y/youtubei/v1/{path}", body, request=sent and json.dumps(sent))
    found = load_platform("youtube").parse(answer)
    assert [video.id for video in found] == named
    assert all(video.comments == 7 for video in found)


def test_a_page_whose_answers_name_no_video_is_known_all_the_same(tmp_path: Path) -> None:
    told = watch(tmp_path, "youtube", 4, "nameless=1")
    assert told.fault is None
    for step, item in zip(told.steps, told.served(), strict=False):
        assert (step.video.id, step.video.comments) == (skin_id("youtube", item), item.comments)
        assert step.video.sources["likes"] in ("network", "inline")


def test_time_category_and_subtitles_are_kept() -> None:
    told = {"publishDate": "2026-10-03T08:00:00-07:00", "category": "Music"}
    tracks = [{"languageCode": "en"}, {"languageCode": "de"}, {"languageCode": "en"}]
    player = {
        "videoDetails": {"videoId": ID, "title": "made up"},
        "microformat": {"playerMicroformatRenderer": told},
        "captions": {"playerCaptionsTracklistRenderer": {"captionTracks": tracks}},
    }
    url = "https://www.youtube.com/youtubei/v1/player"
    (video,) = load_platform("youtube").parse(SiteAnswer(url, player))
    assert video.created_at == datetime(2026, 10, 3, 15, tzinfo=UTC)
    assert (video.category, video.subtitled) == ("Music", True)
    assert video.subtitle_languages == ("en", "de")

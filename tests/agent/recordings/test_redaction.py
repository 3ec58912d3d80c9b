"""What a redaction keeps, what it replaces, and that an adapter reads the same of what is left."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from agent.drivers.base import SiteAnswer
from agent.platforms import load_platform
from agent.recordings.session_redaction import VIDEO_FIELDS, Redaction
from tests.agent.platforms.payloads import REAL

SITES = ("tiktok", "youtube", "instagram")
KEPT = ("likes", "comments", "views", "duration_s", "ad", "live")


@pytest.fixture
def redaction() -> Redaction:
    return Redaction({"http://127.0.0.1:8000": "https://www.tiktok.com"})


@pytest.mark.parametrize("site", SITES)
def test_an_adapter_reads_the_same_of_a_redacted_answer(site: str, redaction: Redaction) -> None:
    platform = load_platform(site)
    read = 0
    for url, body in REAL[site]:
        before = platform.parse(SiteAnswer(url, body))
        after = platform.parse(SiteAnswer(url, redaction.body(body)))
        assert len(before) == len(after)
        for real, made in zip(before, after, strict=True):
            read += 1
            expected = redaction.video(real.model_dump())
            told = {name: made.model_dump()[name] for name in VIDEO_FIELDS}
            assert json.loads(json.dumps(told)) == json.loads(json.dumps(expected))
            assert {name: getattr(real, name) for name in KEPT} == {
                name: getattr(made, name) for name in KEPT
            }
            assert made.id != real.id
            assert [type(x) for x in made.id] == [type(x) for x in real.id]
            assert len(made.id) == len(real.id)
    assert read >= 5


def test_the_same_id_is_the_same_wherever_it_stands(redaction: Redaction) -> None:
    id_ = "7123456789012345678"
    body = redaction.body({"itemList": [{"id": id_, "desc": "x"}]})
    made = body["itemList"][0]["id"]
    assert re.fullmatch(r"[1-9]\d{18}", made)
    assert redaction.attributes({"id": f"xgwrapper-3-{id_}"}) == {"id": f"xgwrapper-3-{made}"}
    assert redaction.address(f"https://www.tiktok.com/@anna/video/{id_}").endswith(f"/video/{made}")
    assert Redaction({}).body({"id": id_})["id"] != made


def test_ids_of_youtube_keep_their_shape_and_stay_apart(redaction: Redaction) -> None:
    ids = [f"a{number:03}-B_c{number % 7}dE"[:11].ljust(11, "x") for number in range(500)]
    made = [redaction.body({"videoId": one})["videoId"] for one in ids]
    assert len(set(made)) == len(set(ids)) == 500
    assert all(re.fullmatch(r"[\w-]{11}", one, re.ASCII) for one in made)


@pytest.mark.parametrize(
    "words",
    [
        "Drag the slider to fit the puzzle",
        "Log in to TikTok",
        "Decline optional cookies",
        "Sign in to confirm you’re not a bot",
        "We're having trouble playing this video",
        "Like video 1.2K likes",
        "like this video along with 2,734 other people",
        "91 thousand likes",
        "",
    ],
)
def test_words_of_buttons_and_walls_stay(words: str, redaction: Redaction) -> None:
    assert redaction.label(words) == words


@pytest.mark.parametrize(
    "words",
    ["Call 555 0199", "+49 170 1234567", "anna.mueller", "my #video", "@video", "a/b", "0170123"],
)
def test_other_words_and_numbers_do_not_stay(words: str, redaction: Redaction) -> None:
    made = redaction.label(words)
    assert made != words
    assert len(made) == len(words)
    long = [run for run in re.findall(r"\w+", words) if len(run) > 2]
    assert not [run for run in long if run in made]


def test_names_and_captions_of_everyday_words_are_replaced_wherever_they_stand(
    redaction: Redaction,
) -> None:
    """Also on a page that was read before the response that names them."""
    author = {"uniqueId": "the.music.channel", "nickname": "Will Page"}
    item = {"desc": "What you see when you wait #music", "author": author}
    redaction.learn({"itemList": [item]})
    made = redaction.body({"itemList": [item]})["itemList"][0]
    assert redaction.label("What you see when you wait ", whole=False) + "#" in made["desc"] + "#"
    assert redaction.label("the.music.channel") == made["author"]["uniqueId"]
    assert redaction.identifier("the.music.channel") == made["author"]["uniqueId"]
    assert made["author"]["nickname"] in redaction.label("Watch Will Page")
    assert (
        "Will" not in redaction.body({"message": "Will Page has blocked your account"})["message"]
    )
    for address, kept in (
        ("https://www.tiktok.com/tag/music", "music"),
        ("https://www.instagram.com/music_time/", "music_time"),
        ("https://www.youtube.com/c/MusicTime", "MusicTime"),
        ("/music_time/", "music_time"),
        ("https://www.instagram.com/the.music.channel/reel/abcdefghijk/", "the.music.channel"),
    ):
        assert kept not in redaction.address(address)
    for text in ("Like video", "Go to next video", "Like this video along with 2,734 other people"):
        assert redaction.label(text, whole=False) == text
    assert redaction.body({"message": "checkpoint_required"}) == {"message": "checkpoint_required"}
    user = {"user": {"uniqueId": "me", "createTime": 1700000001, "followerCount": 37}}
    told = redaction.body(user)["user"]
    assert (told["createTime"], told["followerCount"]) != (1700000001, 37)


@pytest.mark.parametrize(
    ("address", "made"),
    [
        (
            "http://127.0.0.1:8000/foryou?msToken=s3cr3t&count=6#at",
            "https://www.tiktok.com/foryou?count=6",
        ),
        ("https://u:pw@www.tiktok.com:443/foryou", "https://www.tiktok.com/foryou"),
        ("https://consent.youtube.com/save?continue=x", "https://consent.youtube.com/save"),
        ("https://tracker.example.org/", "https://elsewhere.invalid/"),
        ("javascript:alert(1)", ""),
        ("blob:https://www.tiktok.com/5f", ""),
        ("data:text/html,x", ""),
        ("https://[", ""),
    ],
)
def test_addresses(address: str, made: str, redaction: Redaction) -> None:
    assert redaction.address(address) == made


def test_what_is_not_on_the_list_becomes_a_placeholder(redaction: Redaction) -> None:
    body: dict[str, Any] = {
        "odinQ": "x",
        "signature": "aB3/dE5+" * 4,
        "link": None,
        "deviceStamp": 7312345678901234567,
        "share": 0.25,
        "deep": json.loads("[" * 100 + "]" * 100),
        "hasMore": True,
    }
    made = redaction.body(body)
    assert made["signature"] == "base64~32"
    assert made["hasMore"] is True
    assert "odinQ" not in made
    text = json.dumps(made)
    assert "7312345678901234567" not in text
    assert "aB3" not in text


def test_requests_keep_listed_fields_only(redaction: Redaction) -> None:
    form = "fb_api_req_friendly_name=PolarisClipsAdsPoolQuery&fb_dtsg=s3cr3t"
    form += "&variables=%7B%22after%22%3A12%7D"
    assert redaction.request(form) == (
        "fb_api_req_friendly_name=PolarisClipsAdsPoolQuery&variables=%7B%22after%22%3A+12%7D"
    )
    sent = redaction.request('{"videoId": "dQw4w9WgXcQ", "context": {"visitorData": "Cgt_s3cr3t"}}')
    assert sent is not None
    assert "s3cr3t" not in sent
    assert redaction.request("\0bytes") == ""
    assert redaction.request(None) is None

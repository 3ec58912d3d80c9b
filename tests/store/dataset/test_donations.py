"""Data donations: the history is read in every known shape, and nothing else is kept."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.cli import cli
from store.dataset import donations
from store.dataset.donations import parse_donation, read_donation
from store.dataset.watch_history import (
    UNNAMED,
    BadHistory,
    HistoryDiffers,
    WatchHistory,
    keep_history,
    tally_history,
)
from store.maintenance.verify import verify
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.untrusted.size_limits import ForeignFault, TooManyBytes
from tests.store.dataset import donation_samples as samples
from tests.store.sealed_lines import read_plain


def ids(history: WatchHistory) -> list[str]:
    return [each.video.id for each in history.videos]


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("newest_first", [True, False])
def test_tiktok_s_history_is_in_the_order_in_which_it_was_watched(
    old: bool, newest_first: bool
) -> None:
    history = parse_donation(samples.tiktok(5, old=old, newest_first=newest_first))
    assert (history.platform, history.source, history.left_out) == ("tiktok", "donation", 0)
    assert ids(history) == [str(7300000000000000000 + at) for at in range(5)]
    assert [each.at for each in history.videos] == [
        samples.START + timedelta(minutes=at) for at in range(5)
    ]


def test_videos_of_one_second_stay_in_their_order() -> None:
    told = samples.tiktok(4)
    listed = told["Your Activity"]["Watch History"]["VideoList"]
    for entry in listed[:3]:
        entry["Date"] = listed[0]["Date"]
    assert ids(parse_donation(told)) == [str(7300000000000000000 + at) for at in range(4)]


@pytest.mark.parametrize(
    ("link", "id_", "author"),
    [
        ("https://www.tiktok.com/@some.one/video/7300000000000001", "7300000000000001", "some.one"),
        ("https://m.tiktok.com/@some.one/photo/73?x=1", "73", "some.one"),
        ("https://www.tiktokv.com/share/video/12/", "12", None),
        ("https://tiktokv.com.evil.example/share/video/12/", None, None),
        ("https://www.tiktok.com/live/12", None, None),
        ("javascript:alert(1)//www.tiktok.com/share/video/12/", None, None),
        ("https://[::1/share/video/12/", None, None),
        ("x" * 10_000, None, None),
        (None, None, None),
        ({"a": 1}, None, None),
    ],
)  # fmt: skip
def test_a_link_is_a_video_of_the_site_or_nothing(
    link: Any, id_: str | None, author: str | None
) -> None:
    told = {
        "Activity": {
            "Video Browsing History": {"VideoList": [{"Date": "2026-03-01", "Link": link}]}
        }
    }
    if id_ is None:
        with pytest.raises(BadHistory, match="no video with a time"):
            parse_donation(told)
    else:
        (each,) = parse_donation(told).videos
        assert (each.video.id, each.video.author) == (id_, author)


def test_takeout_s_searches_music_and_lost_videos_are_left_out() -> None:
    history = parse_donation(samples.youtube())
    assert history.platform == "youtube"
    assert ids(history) == ["aaaaaaaaa-1", "ccccccccc-3", "bbbbbbbbb_2", "aaaaaaaaa-1"]
    assert [each.excluded for each in history.videos] == [None, "ad", None, None]
    channel = "UC0123456789abcdefghij"
    assert [each.video.author for each in history.videos] == [channel, channel, None, channel]
    assert history.left_out == 5
    tally = tally_history(history.videos)
    assert (tally.videos, tally.repeats, tally.creators) == (3, 1, None)


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/watch?" + "&".join(["a=1"] * 200),
        "https://www.youtube.com/watch?v=%ff%00aaaaaaaaa",
        "https://www.youtube.com/watch",
    ],
)
def test_an_odd_address_is_no_video(url: str) -> None:
    entry = {"titleUrl": url, "time": "2026-03-01T10:00:00Z"}
    with pytest.raises(BadHistory, match="no video with a time"):
        parse_donation([entry])


def test_instagram_s_creators_are_read_in_any_language_and_ids_where_there_are_some() -> None:
    old = parse_donation(samples.instagram_old())
    assert [each.video.author for each in old.videos] == ["maker_0", "maker_1", "maker_2"] * 2
    assert all(name.startswith(UNNAMED) for name in ids(old))
    assert len(set(ids(old))) == 6, "no video is taken for another"
    tally = tally_history(old.videos)
    assert (tally.repeats, tally.creators, tally.commonest) == (None, 3, 2)
    new = parse_donation(samples.instagram_new())
    assert ids(new)[:3] == ["Cabcdefghi0", "Cabcdefghi1", "Cabcdefghi2"]
    assert [each.video.author for each in new.videos] == ["maker_1"] * 3 + ["maker_2"]


REEL = {"label": "URL", "value": "https://www.instagram.com/reel/Cabcdefghi/"}
OWNER = [
    {"label": "URL", "value": ""},
    {"label": "Name", "value": "Anna"},
]
NAMED = [*OWNER, {"label": "Username", "value": "anna.x"}]


@pytest.mark.parametrize(
    ("more", "author"),
    [
        ([{"label": "Caption", "value": "Divorced"}], None),
        ([{"label": "Audio", "value": "MySong"}, {"label": "Légende", "value": "Insolvent"}], None),
        ([{"title": "Music", "dict": [{"dict": [{"label": "Title", "value": "MySong"}]}]}], None),
        ([{"title": "Owner", "dict": [{"dict": OWNER}]}, {"label": "x", "value": "Song"}], None),
        ([{"title": "Owner", "dict": [{"dict": NAMED}]}, {"label": "x", "value": "y"}], "anna.x"),
        ([{"label": "Auteur", "value": "anna.x"}, {"label": "Audio", "value": "MySong"}], "anna.x"),
        ([{"label": "Author", "value": "two words"}], None),
    ],
)  # fmt: skip
def test_of_instagram_s_words_only_the_creator_s_are_kept(more: Any, author: str | None) -> None:
    told = [{"timestamp": 1700000000, "media": [], "label_values": [REEL, *more]}]
    (each,) = parse_donation(told).videos
    assert (each.video.id, each.video.author) == ("Cabcdefghi", author)


@pytest.mark.parametrize(
    ("fields", "author"),
    [
        ({"Forfatter": {"value": "anna.x"}, "Tid": {"timestamp": 1700000000}}, "anna.x"),
        ({"Tid": {"value": "", "timestamp": 1700000000}, "Forfatter": {"value": "a.x"}}, "a.x"),
        ({"Caption": {"value": "Divorced"}}, None),
        ({"Caption": {"value": "Divorced"}, "Audio": {"value": "MySong"}}, None),
        ({"Caption": {"value": "Divorced"}, "x": {"value": "My", "timestamp": 1700000000}}, None),
        ({"Caption": {"value": "Divorced"}, "Time": {"timestamp": 1}, "URL": {"href": ""}}, None),
        ({"Caption": {"value": "Divorced"}, "Author": {"value": "anna.x"}, "Time": {}}, "anna.x"),
    ],
)
def test_a_word_in_a_map_is_the_creator_s_by_its_key_or_alone(
    fields: Any, author: str | None
) -> None:
    entry = {"timestamp": 1700000000, "string_map_data": fields, "label_values": [REEL]}
    (each,) = parse_donation([entry]).videos
    assert each.video.author == author


def test_no_word_of_a_video_is_written_by_an_import(tmp_path: Path) -> None:
    words = ("Divorced", "Insolvent", "Pregnant")
    told = [
        {
            "timestamp": 1700000000 + at,
            "label_values": [REEL, {"label": "Caption", "value": word}],
        }
        for at, word in enumerate(words)
    ]
    path = tmp_path / "videos_watched.json"
    path.write_text(json.dumps(told), "utf-8")
    data = DataFolder(tmp_path / "data")
    done = CliRunner().invoke(cli, ["import", str(path), "--as", "d", "--data", str(data.root)])
    assert done.exit_code == 0, done.output
    written = data.ledger_path("imported-instagram-d").read_text("utf-8")
    assert written.count("Cabcdefghi") == 3
    assert [word for word in words if word in written] == []


@pytest.mark.parametrize("section", ["Watch History", "Video Browsing History"])
@pytest.mark.parametrize("activity", ["Your Activity", "Activity"])
def test_an_empty_section_does_not_hide_a_full_one(section: str, activity: str) -> None:
    videos = samples.tiktok(4)["Your Activity"]["Watch History"]
    empty: Any = {name: {"VideoList": []} for name in ("Watch History", "Video Browsing History")}
    told: dict[str, Any] = {"Your Activity": dict(empty), "Activity": dict(empty)}
    told[activity][section] = videos
    assert len(parse_donation(told).videos) == 4


@pytest.mark.parametrize(
    "told", [samples.tiktok(9), samples.youtube(), samples.instagram_old(), samples.instagram_new()]
)
def test_nothing_else_of_a_donation_is_kept(tmp_path: Path, told: Any) -> None:
    data = DataFolder(tmp_path / "data")
    kept = keep_history(data, parse_donation(told), "donor7", "0.1.0")
    written = data.ledger_path(kept.run_id).read_text("utf-8")
    assert samples.SECRET not in written
    for steps in read(data.ledger_path(kept.run_id)).steps:
        known = steps.video.model_dump(exclude_defaults=True)
        assert known.keys() <= {"id", "author"}
        assert (steps.frames, steps.judgement.missing) == ((), "not_asked")
        assert (steps.reaction.dwell_s, steps.reaction.liked) == (None, None)
    assert verify(data).sound


def test_a_history_that_was_cut_off_goes_on_and_another_is_refused(tmp_path: Path) -> None:
    data, history = DataFolder(tmp_path), parse_donation(samples.tiktok(2500))
    whole = keep_history(data, history, "donor7", "0.1.0")
    path = data.ledger_path(whole.run_id)
    content, lines = read_plain(path), path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:1201]) + lines[1201][:40])
    again = keep_history(data, history, "donor7", "0.1.0")
    assert (again.added, again.present) == (1300, 2500)
    assert read_plain(path) == content
    assert keep_history(data, history, "donor7", "0.1.0").added == 0
    with pytest.raises(HistoryDiffers, match="--as OTHER"):
        keep_history(data, parse_donation(samples.tiktok(3)), "donor7", "0.1.0")


@pytest.mark.parametrize(
    ("member", "told", "platform"),
    [
        ("user_data_tiktok.json", samples.tiktok(3), "tiktok"),
        ("TikTok/user_data.json", samples.tiktok(3, old=True), "tiktok"),
        ("Takeout/YouTube/history/watch-history.json", samples.youtube(), "youtube"),
        ("ads_information/ads/videos_watched.json", samples.instagram_old(), "instagram"),
        ("ads_and_topics/videos_watched.json", samples.instagram_new(), "instagram"),
    ],
)  # fmt: skip
def test_a_download_is_read_as_it_came(
    tmp_path: Path, member: str, told: Any, platform: str
) -> None:
    path = tmp_path / "download.zip"
    path.write_bytes(samples.packed({"a/messages.json": [samples.SECRET], member: told}))
    assert read_donation(path) == parse_donation(told)
    assert read_donation(path).platform == platform
    assert [each.name for each in tmp_path.iterdir()] == ["download.zip"], "nothing is unpacked"


def bomb(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("user_data.json", b" " * 2**25)
    return path.read_bytes()


def encrypted(path: Path) -> bytes:
    raw = bytearray(samples.packed({"user_data.json": samples.tiktok(3)}))
    at = raw.rindex(b"PK\x01\x02")
    raw[at + 8] |= 1
    raw[6] |= 1
    return bytes(raw)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda _: samples.packed({"watch-history.html": b"<html>"}), "ask the site for JSON"),
        (lambda _: samples.packed({"../../user_data.json": b"{"}), "no JSON"),
        (bomb, "unpacks to 33,554,432 bytes"),
        (encrypted, "no zip file that can be read"),
        (lambda _: samples.packed({"user_data.json": samples.tiktok(3)})[:-30], "no zip file"),
        (lambda _: b"PK", "no zip file"),
        (lambda _: b"<!doctype html>", "it is HTML"),
        (lambda _: b"", "no JSON"),
        (lambda _: b"[" * 200_000, "no JSON"),
        (lambda _: b"[" + b"9" * 5000 + b"]", "no JSON"),
        (lambda _: b"\xff\xfe\x00\xd8", "no JSON"),
        (lambda _: b"{}", "no watch history"),
        (lambda _: b'[{"title": "Searched for"}]', "no watch history"),
        (lambda _: json.dumps(samples.tiktok(0)).encode(), "no video with a time"),
    ],
)
def test_what_is_no_donation_is_refused(tmp_path: Path, make: Any, words: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(make(tmp_path / "x.zip"))
    with pytest.raises(ForeignFault, match=words):
        read_donation(path)


def test_a_file_and_a_history_have_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, packed = tmp_path / "a.json", tmp_path / "a.zip"
    plain.write_text(json.dumps(samples.tiktok(50)), "utf-8")
    packed.write_bytes(samples.packed({"user_data.json": samples.tiktok(50)}))
    monkeypatch.setattr(donations, "MOST_BYTES", 1000)
    for path in (plain, packed):
        with pytest.raises(TooManyBytes):
            read_donation(path)
    monkeypatch.setattr(donations, "_MOST_ENTRIES", 49)
    with pytest.raises(BadHistory, match="more than 49 entries"):
        parse_donation(samples.tiktok(50))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        [
            "https://www.youtube.com/watch?v=aaaaaaaaaaa",
            "https://www.tiktokv.com/share/video/1/",
            "https://www.instagram.com/reel/Cabcdefg/",
            "2026-03-01 10:00:00",
            "2026-03-01T10:00:00.1Z",
            1767312000,
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Your Activity", "Activity", "Watch History", "VideoList", "Date", "Link",
                    "titleUrl", "time", "subtitles", "details", "header", "url", "string_map_data",
                    "label_values", "timestamp", "value", "href", "dict", "x",
                    "impressions_history_videos_watched",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)  # fmt: skip


def changed(base: Any, odd: Any, at: int) -> Any:
    """Put something in the place of a part of a file."""
    places: list[tuple[Any, Any]] = []
    waiting = [base]
    while waiting:
        node = waiting.pop()
        keys = node.keys() if isinstance(node, dict) else range(len(node))
        for key in keys:
            places.append((node, key))
            if isinstance(node[key], dict | list):
                waiting.append(node[key])
    node, key = places[at % len(places)]
    node[key] = odd
    return base


@settings(max_examples=150, deadline=None)
@given(told=JSON)
def test_any_json_is_a_history_or_refused(told: Any) -> None:
    hold_up(told)


@settings(max_examples=150, deadline=None)
@given(
    make=st.sampled_from(
        [
            lambda: samples.tiktok(3),
            samples.youtube,
            samples.instagram_old,
            samples.instagram_new,
        ]
    ),
    odd=JSON,
    at=st.integers(0, 10_000),
)
def test_any_part_may_be_odd(make: Any, odd: Any, at: int) -> None:
    hold_up(changed(make(), odd, at))


def hold_up(told: Any) -> None:
    try:
        history = parse_donation(told)
    except BadHistory:
        return
    times = [each.at for each in history.videos]
    assert times == sorted(times)
    assert all(datetime(2005, 1, 1, tzinfo=UTC) <= time for time in times)
    for position, each in enumerate(history.videos):
        assert each.step(position).model_dump_json()
    assert tally_history(history.videos).videos <= len(history.videos)

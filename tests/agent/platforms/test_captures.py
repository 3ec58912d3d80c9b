"""Captures of Zeeschuimer come in by the sites' own readers, and go out as they came."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.cli import cli
from agent.platforms import captures
from agent.platforms.captures import is_capture, read_captures
from store.cli.main import main
from store.dataset.watch_history import BadHistory
from store.dataset.zeeschuimer import instagram_item, tiktok_item
from store.errors import StoreError
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.runs.ledger_lines import Video
from store.untrusted.size_limits import ForeignFault

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def line(data: Any, site: str = "tiktok.com", at: Any = None, **more: Any) -> dict[str, Any]:
    """An item in the envelope of the extension's ``js/zs-background.js``."""
    envelope = {
        "nav_index": "3:12:0",
        "item_id": data.get("id") if isinstance(data, dict) else None,
        "timestamp_collected": int(AT.timestamp() * 1000) if at is None else at,
        "source_platform": site,
        "source_platform_url": f"https://www.{site}/foryou",
        "source_url": f"https://www.{site}/api/recommend/item_list/?a=b",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "data": data,
    }
    return envelope | more


def tiktok(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": f"{7300000000000000000 + number}",
        "desc": "a 🌊 caption #tag \u2028 second\nline",
        "createTime": "1767312000",
        "author": {"id": "6", "uniqueId": "made.up", "nickname": "Made Up ✨", "avatarThumb": "x"},
        "authorStats": {"followerCount": 12},
        "stats": {"diggCount": 1200, "commentCount": 3, "playCount": 45_000, "shareCount": 0},
        "statsV2": {"diggCount": "1234", "collectCount": "77"},
        "music": {"id": "5", "title": "original sound", "authorName": "someone", "playUrl": "u"},
        "video": {
            "duration": 15,
            "downloadAddr": "https://v",
            "subtitleInfos": [{"LanguageCodeName": "eng-US"}, {"LanguageCodeName": "deu-DE"}],
        },
        "textExtra": [{"hashtagName": "tag"}, {"hashtagName": ""}, {"userUniqueId": "x"}],
        "challenges": [{"title": "tag"}, {"title": "other"}],
        "stickersOnItem": [{"stickerText": ["on", "screen"]}],
        "isAd": False,
        "textLanguage": "en",
        "CategoryType": 120,
        "aigcLabelType": 0,
        "diversificationLabels": ["Pets"],
        **more,
    }


def instagram(number: int = 1, **more: Any) -> dict[str, Any]:
    song = {"audio_cluster_id": "9", "title": "song", "display_artist": "band"}
    return {
        "pk": "3",
        "id": "3_4",
        "code": f"Cabcdefgh{number}",
        "media_type": 2,
        "product_type": "clips",
        "taken_at": 1767312000,
        "caption": {"text": "a reel 🎬 #one #two"},
        "user": {"username": "maker", "full_name": "The Maker"},
        "like_count": 2**53 + 1,
        "comment_count": 0,
        "play_count": None,
        "video_duration": 12.5,
        "is_paid_partnership": True,
        "video_versions": [{"url": "https://v"}],
        "clips_metadata": {"music_info": {"music_asset_info": song}},
        **more,
    }


UNUSUAL = [
    tiktok(1),
    tiktok(2, desc=None, createTime=None, stats=None, statsV2=None, music=None, textExtra=None),
    tiktok(3, isAd=True, adAuthorization=True, aigcLabelType=2),
    tiktok(4, imagePost={"images": [{}, {}, {}]}, video={}),
    tiktok(5, stats={"diggCount": 10**40, "playCount": -1}, statsV2={}, createTime=10**30),
    tiktok(6, author="plain.handle", nickname="Plain", textLanguage="un", video={"duration": None}),
    tiktok(7, ad_info={"ad_id": "1"}, video={"duration": 15_233}),
    {"id": "7300000000000000008", "stats": {}},
]


def written(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in lines), "utf-8")
    return path


def typed(data: Path, *words: str) -> str:
    done = CliRunner().invoke(cli, [*words, "--data", str(data)])
    assert done.exit_code == 0, done.output
    return done.stdout


def videos(data: Path, run: str) -> list[tuple[Video, str | None]]:
    steps = read(DataFolder(data).ledger_path(run)).steps
    return [(each.video, each.excluded) for each in steps]


def test_a_file_goes_in_and_out_and_in_again_unchanged(tmp_path: Path) -> None:
    """In all fields that both know; the second file is one that feedsway has written."""
    first = written(tmp_path / "zeeschuimer-export-tiktok.com.ndjson", [*map(line, UNUSUAL)])
    data, again = tmp_path / "data", tmp_path / "again"
    typed(data, "import", str(first), "--as", "one")
    out = tmp_path / "out"
    told = ["--format", "zeeschuimer", "--keep-handles", "--data", str(data)]
    assert CliRunner().invoke(main, ["export", str(out), *told]).exit_code == 0
    typed(again, "import", str(out / "tiktok.com.ndjson"), "--as", "one")
    before = videos(data, "imported-tiktok-one")
    assert len(before) == len(UNUSUAL)
    assert videos(again, "imported-tiktok-one") == before
    assert [excluded for _, excluded in before] == [
        None, None, "ad", "photo", None, None, "ad", None
    ]  # fmt: skip
    assert before[0][0].saves == 77
    assert before[1][0].caption is None, "null is not an empty caption"
    assert before[4][0].likes is None, "no column holds it"
    assert (before[5][0].author, before[5][0].author_name) == ("plain.handle", "Plain")
    lines = [json.loads(text) for text in (out / "tiktok.com.ndjson").read_bytes().splitlines()]
    for item, sent in zip(lines, UNUSUAL[:1], strict=False):
        assert item["timestamp_collected"] == int(AT.timestamp() * 1000)
        assert item["item_id"] == item["data"]["id"] == sent["id"]
        assert item["data"]["desc"] == sent["desc"].strip()
        assert item["data"]["createTime"] == int(sent["createTime"])
        texts = [text for each in item["data"]["stickersOnItem"] for text in each["stickerText"]]
        assert texts == ["on", "screen"]
        for name in ("uniqueId", "nickname"):
            assert item["data"]["author"][name] == sent["author"][name]
        for name in ("id", "title", "authorName"):
            assert item["data"]["music"][name] == sent["music"][name]


@pytest.mark.parametrize(
    ("more", "pictures", "ad"),
    [
        ({}, None, False),
        ({"media_type": 1}, 1, False),
        ({"media_type": 8, "carousel_media": [{"media_type": 1}] * 4}, 4, False),
        ({"product_type": "ad"}, None, True),
        ({"product_type": None}, None, None),
        ({"caption": None, "user": None, "taken_at": None, "clips_metadata": None}, None, False),
    ],
)
def test_a_reel_goes_out_as_it_came(
    tmp_path: Path, more: dict[str, Any], pictures: int | None, ad: bool | None
) -> None:
    path = written(tmp_path / "i.ndjson", [line(instagram(**more), "instagram.com")])
    (history,) = read_captures(path)
    video = history.videos[0].video
    assert (video.photos, video.ad) == (pictures, ad)
    back = written(tmp_path / "back.ndjson", [line(instagram_item(video), "instagram.com")])
    (again,) = read_captures(back)
    assert again.videos[0].video == video


def test_what_4cat_has_kept_is_read_too(tmp_path: Path) -> None:
    """Its NDJSON has the item's own fields on top, and the envelope within."""
    whole = line(tiktok())
    inside = {**whole.pop("data"), "__import_meta": whole}
    (ours,) = read_captures(written(tmp_path / "a.ndjson", [line(tiktok())]))
    (theirs,) = read_captures(written(tmp_path / "b.ndjson", [inside]))
    assert is_capture(tmp_path / "b.ndjson")
    assert theirs == ours


def test_lines_that_are_no_video_are_counted(tmp_path: Path) -> None:
    odd = [
        line(tiktok()),
        line(tiktok(2), at=None, timestamp_collected=None),
        line(tiktok(3), "twitter.com"),
        line(instagram(), "instagram.com"),
        line({"id": "x"}),
        line([]),
        [],
        5,
        line(tiktok(4), timestamp_collected=10**17),
        line(tiktok(5), timestamp_collected=1_700_000_000),  # in seconds, which would be 1970
        line(tiktok(6), timestamp_collected=4_102_444_800_000),  # 2100
        line(tiktok(7), timestamp_collected=253_402_300_799_000),  # 9999
        line(tiktok(8), timestamp_collected=0),
    ]
    histories = read_captures(written(tmp_path / "a.ndjson", odd))
    assert {each.platform: len(each.videos) for each in histories} == {"tiktok": 1, "instagram": 1}
    assert {each.left_out for each in histories} == {11}


def test_a_file_may_end_in_empty_lines(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ndjson", [line(tiktok(at)) for at in range(3)])
    path.write_bytes(b"\n" + path.read_bytes() + b"\n \r\n")
    told = json.loads(typed(tmp_path / "data", "import", str(path), "--json"))
    assert [(each["added"], each["left_out"]) for each in told] == [(3, 0)]


def test_a_photo_post_goes_out_with_so_many_pictures_at_most(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ndjson", [line(tiktok(imagePost={"images": [{}] * 5000}))])
    (history,) = read_captures(path)
    back = written(tmp_path / "b.ndjson", [line(tiktok_item(history.videos[0].video))])
    (again,) = read_captures(back)
    assert (history.videos[0].video.photos, again.videos[0].video.photos) == (5000, 1000)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"source_platform": "x.com", "data": {}}\n', "items of x.com"),
        (b'{"source_platform": "tiktok.com", "data": {}}\n{"torn', "line 2 is no JSON"),
        (b'{"source_platform": 1}\n' + b"[" * 100_000 + b"\n", "line 2 is no JSON"),
        (b'{"source_platform": 1}\n' + b"9" * 5000 + b"\n", "line 2 is no JSON"),
        (b'{"source_platform": 1}\n\xff\xfe\n', "line 2 is no JSON"),
    ],
)
def test_what_is_no_capture_is_refused_with_what_to_type(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(content)
    done = CliRunner().invoke(cli, ["import", str(path), "--data", str(tmp_path / "data")])
    assert done.exit_code == 2
    assert words in done.output
    assert "Type: " in done.output
    assert not (tmp_path / "data").exists()


def test_a_line_and_a_file_have_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "a.ndjson", [line(tiktok(at)) for at in range(5)])
    monkeypatch.setattr(captures, "MOST_LINES", 4)
    with pytest.raises(ForeignFault, match="more than 4 lines"):
        read_captures(path)
    monkeypatch.setattr(captures, "MOST_LINE_BYTES", 100)
    with pytest.raises(ForeignFault, match="line 1 has more than 100 bytes"):
        read_captures(path)
    monkeypatch.setattr(captures, "MOST_BYTES", 50)
    with pytest.raises(ForeignFault, match="more than 50 bytes"):
        read_captures(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
MORE = ("imagePost", "ad_info", "carousel_media")
FIELDS = st.sampled_from(sorted({*tiktok(), *instagram(), *MORE}))


@settings(max_examples=300, deadline=None)
@given(
    base=st.sampled_from([tiktok(), instagram()]),
    odd=st.dictionaries(FIELDS, JSON, max_size=4),
    around=st.dictionaries(st.sampled_from(sorted(line({}))), JSON, max_size=2),
    site=st.sampled_from(["tiktok.com", "instagram.com"]),
)
def test_any_item_is_read_or_left_out(
    tmp_path_factory: pytest.TempPathFactory,
    base: dict[str, Any],
    odd: dict[str, Any],
    around: dict[str, Any],
    site: str,
) -> None:
    """And what is read can be written, and read again as the same."""
    path = tmp_path_factory.mktemp("fuzz") / "a.ndjson"
    written(path, [line(base | odd, site) | around])
    try:
        histories = read_captures(path)
    except BadHistory:
        return
    for history in histories:
        for each in history.videos:
            make = {"tiktok": tiktok_item, "instagram": instagram_item}[history.platform]
            sent = line(make(each.video), f"{history.platform}.com")
            (again,) = read_captures(written(path, [sent]))
            assert_alike(again.videos[0].video, each.video)


@pytest.mark.parametrize("caption", [[], None, {"text": ""}])
def test_a_caption_that_is_not_known_is_not_an_empty_one(tmp_path: Path, caption: object) -> None:
    path = written(
        tmp_path / "a.ndjson", [line(instagram() | {"caption": caption}, "instagram.com")]
    )
    (history,) = read_captures(path)
    sent = line(instagram_item(history.videos[0].video), "instagram.com")
    (again,) = read_captures(written(path, [sent]))
    assert again.videos[0].video.caption == history.videos[0].video.caption


def assert_alike(back: Video, video: Video) -> None:
    """What goes out is what came in, save whatever an item has no room for."""
    told = video.model_dump(exclude={"sources", "url", "live", "created_at"})
    assert back.model_dump(exclude={"sources", "url", "live", "created_at"}) == told
    if video.created_at is not None:
        assert back.created_at == video.created_at.replace(microsecond=0)


def test_another_file_of_the_same_name_is_refused_and_the_same_adds_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    path = written(tmp_path / "a.ndjson", [line(tiktok(at)) for at in range(3)])
    typed(data, "import", str(path))
    told = json.loads(typed(data, "import", str(path), "--json"))
    assert [(each["added"], each["present"], each["videos"]) for each in told] == [(0, 3, 3)]
    written(path, [line(tiktok(at)) for at in range(4)])
    done = CliRunner().invoke(cli, ["import", str(path), "--data", str(data)])
    assert done.exit_code == 2
    assert isinstance(done.exception, StoreError | SystemExit)

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from agent.cli import cli
from agent.playground.clip_folder import PICTURE_SECONDS, count_videos, load_folder
from agent.playground.clips import ClipStore
from agent.playground.errors import BadCatalogue
from agent.playground.fiducial_marker import read_mark
from agent.playground.skins.shapes import clip_url
from store.untrusted.size_limits import MOST_TABLE_BYTES
from tests.agent.playground.site import small_catalogue, start
from tests.e2e.commands import feedsway, only

HEADER = "file,caption,creator,hashtags,theme,ad,live\n"


@pytest.fixture
def folder(tmp_path: Path, cache: Path) -> Path:
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(ClipStore(cache).clip(small_catalogue().items[0]), own / "clip.webm")
    Image.new("RGB", (800, 600), "teal").save(own / "picture.jpg")
    return own


def write(folder: Path, *lines: str, header: str = HEADER) -> Path:
    (folder / "captions.csv").write_text(header + "".join(f"{line}\n" for line in lines))
    return folder


GOOD = 'clip.webm,"A clip, with a comma",@me,#one two,sea,,'
PICTURE = "picture.jpg,A still picture of nothing,me,,,no,no"


def test_clips_and_pictures_become_items(folder: Path) -> None:
    clip, picture, ad = load_folder(
        write(folder, GOOD, PICTURE, "clip.webm,Buy it,shop,,,yes,")
    ).items
    assert (clip.caption, clip.creator, clip.hashtags) == (
        "A clip, with a comma",
        "me",
        ("one", "two"),
    )
    assert clip.seconds == pytest.approx(small_catalogue().items[0].seconds, abs=0.1)
    assert clip.file == folder / "clip.webm"
    assert (picture.file, picture.seconds, picture.theme) == (None, PICTURE_SECONDS, "everything")
    assert ad.kind == "ad"
    assert len({clip.id, picture.id, ad.id}) == 3


def test_a_table_from_a_spreadsheet_is_read(folder: Path) -> None:
    (folder / "captions.csv").write_bytes(
        b"\xef\xbb\xbf" + (HEADER + GOOD).replace("\n", "\r\n").encode()
    )
    assert load_folder(folder).items[0].caption == "A clip, with a comma"


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([GOOD, "gone.webm,Where is it,me,,,,"], r"captions\.csv:3: There is no file 'gone\.webm'"),
        ([GOOD, "clip.webm,,me,,,,"], r":3: The field 'caption' is empty"),
        (
            [GOOD, "clip.webm,Two words,me,,,maybe,"],
            r":3: The field 'ad' is yes or no, not 'maybe'",
        ),
        ([GOOD, "clip.webm,Two words,me,,,yes,yes"], r":3: A line is an ad or live, not both"),
        ([GOOD, "../clip.webm,Climbs,me,,,,"], r":3: '\.\./clip\.webm' lies outside the folder"),
        ([GOOD, "/etc/hostname,Absolute,me,,,,"], r":3: '/etc/hostname' lies outside"),
        ([GOOD, "link.webm,Leads out,me,,,,"], r":3: 'link\.webm' lies outside the folder"),
        ([GOOD, "captions.csv,Not a clip,me,,,,"], r":3: 'captions\.csv' is none of"),
        ([GOOD, "broken.webm,Not a clip,me,,,,"], r":3: 'broken\.webm' cannot be read as a clip"),
        ([GOOD, "broken.png,Not a picture,me,,,,"], r":3: 'broken\.png' cannot be read as a pict"),
        ([GOOD, "clip.webm,Too few"], r":3: It has another number of fields"),
        ([GOOD, GOOD + ",too,many"], r":3: It has another number of fields"),
        (["clip.webm,Only an ad,me,,,yes,"], r"captions\.csv: It needs at least one line"),
        ([], r"captions\.csv: It needs at least one line"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(folder: Path, lines: list[str], problem: str) -> None:
    shutil.copy(folder / "clip.webm", folder.parent / "clip.webm")
    (folder / "link.webm").symlink_to(folder.parent / "clip.webm")
    for name in ("broken.webm", "broken.png"):
        (folder / name).write_bytes(b"nothing of the kind")
    with pytest.raises(BadCatalogue, match=problem) as caught:
        load_folder(write(folder, *lines))
    assert str(caught.value).endswith(f"python -m agent.playground --catalogue {folder}")


@pytest.mark.drill
@pytest.mark.parametrize("place", ["../clip.webm", "/etc/hostname", "link.webm"])
def test_a_run_takes_no_clip_from_elsewhere(folder: Path, tmp_path: Path, place: str) -> None:
    shutil.copy(folder / "clip.webm", folder.parent / "clip.webm")
    (folder / "link.webm").symlink_to(folder.parent / "clip.webm")
    write(folder, GOOD, f"{place},From elsewhere,me,,,,")
    words = ["run", "--persona", "p12", "--catalogue", str(folder), "--data", str(tmp_path / "d")]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 2
    assert f":3: '{place}' lies outside the folder" in done.stderr
    assert not list((tmp_path / "d").rglob("*.jsonl"))


@pytest.mark.drill
@pytest.mark.parametrize("platform", ["tiktok", "youtube", "instagram"])
def test_a_caption_that_opens_a_script_ends_no_page(
    folder: Path, tmp_path: Path, platform: str
) -> None:
    """Left as it is in a page's JSON, it takes the rest of the page into the script."""
    captions = [f"{place} <!--<script> the rest" for place in range(12)]
    write(folder, *(f"clip.webm,{caption},me,,,," for caption in captions))
    words = (
        "run",
        "--persona",
        "p12",
        "--platform",
        platform,
        "--skin",
        "plain",
        "--catalogue",
        str(folder),
        "--data",
        str(tmp_path / "d"),
        "--model",
        "scripted/coin?p=0.4",
        "--feed",
        "random",
        "--before",
        "3",
        "--after",
        "3",
        "--no-index",
    )
    done = feedsway(*words)
    assert done.returncode == 0, done.stderr
    seen = [step.video.caption for step in only(tmp_path / "d").steps]
    assert len(set(seen)) == 6
    assert set(seen) <= set(captions)


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("file,caption\n", r":1: The column 'creator' is missing"),
        ("file,caption,creator,mood\n", r":1: The column 'mood' is not known"),
    ],
)
def test_a_wrong_first_line_is_named(folder: Path, header: str, problem: str) -> None:
    with pytest.raises(BadCatalogue, match=problem):
        load_folder(write(folder, header=header))


def test_a_folder_without_a_table_and_one_that_is_no_text(folder: Path) -> None:
    with pytest.raises(BadCatalogue, match="cannot be read"):
        load_folder(folder)
    (folder / "captions.csv").write_bytes(b"file,caption,creator\n\xff\xfe\x00\n")
    with pytest.raises(BadCatalogue, match="not a table of text"):
        load_folder(folder)
    with (folder / "captions.csv").open("wb") as file:
        file.truncate(MOST_TABLE_BYTES + 1)  # takes no room on the disk
    with pytest.raises(BadCatalogue, match="It has more than 1,073,741,824 bytes"):
        load_folder(folder)
    assert count_videos(folder) == {}


def test_own_clips_are_served_as_they_are(folder: Path, cache: Path, tmp_path: Path) -> None:
    write(folder, GOOD, PICTURE)
    running = start(
        tmp_path / "state", cache, "--catalogue", str(folder), module="agent.playground"
    )
    clip, picture = load_folder(folder).items
    with running.ask(clip_url(clip)) as answer:
        assert answer.read() == (folder / "clip.webm").read_bytes()
    with running.ask(clip_url(picture)) as answer:
        assert answer.headers["Content-Type"] == "video/webm"
        assert len(answer.read()) > 5_000
    posters = {item["id"]: item["poster"] for item in running.feed()["items"]}
    assert posters == {clip.id: None, picture.id: f"/posters/{picture.id}.jpg"}
    with Image.open(ClipStore(cache).poster(picture)) as poster:
        assert read_mark(poster) == picture.number
    running.end()

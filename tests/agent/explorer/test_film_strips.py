"""Film strips: what is read, what may stand beside it, and the picture and video made of two."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageDraw

from agent.cli import cli
from agent.explorer import film_picture, film_video
from agent.explorer.errors import FilmFailed, NoSuchPage
from agent.explorer.film_drawing import ANSWERS, WARN, draw_badges, load_font
from agent.explorer.film_export import FilmKind, FilmRequest, choose_strips, make_film
from agent.explorer.film_jobs import read_request
from agent.explorer.film_strips import StripAddress, StripPair, list_marks, read_pair, read_strip
from agent.explorer.pair_page import list_near
from store.cli.main import main as store_cli
from store.errors import BadName
from store.frames.frame_store import FrameStore
from store.privacy import derived_files
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Video
from tests.agent.explorer.film_samples import (
    OTHER,
    PASSIVE,
    SHARED,
    A,
    B,
    judge_of,
    keep_feed,
    keep_feeds,
)
from tests.store.samples import finished, frame, jpeg, started, step


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    keep_feeds(folder)
    return folder


def pair_of(data: DataFolder, a: str = A, b: str = B) -> StripPair:
    return read_pair(data, StripAddress.read(a), StripAddress.read(b))


def made(data: DataFolder, kind: FilmKind, *runs: str, **more: Any) -> bytes:
    a, b = map(StripAddress.read, runs or (A, B))
    request = FilmRequest(a, b, kind, **more)
    return make_film(data, request, choose_strips(data, request))


def test_a_strip_tells_answers_reasons_and_counts_what_counts(data: DataFolder) -> None:
    strip = read_strip(data, StripAddress.read(A))
    assert [cell.said for cell in strip.cells.values()] == [
        "yes",
        "no",
        "yes",
        "no",
        "ad",
        "unreadable",
    ]
    assert [(one.phase, one.yes, one.answered) for one in strip.counts] == [
        ("before", 1, 2),
        ("after", 1, 2),
    ]
    assert strip.title == "p12, treatment arm"


def test_what_a_judge_said_later_is_a_strip_of_the_same_frames(data: DataFolder) -> None:
    pair = pair_of(data, A, judge_of(data))
    assert [cell.answer for cell in pair.b.cells.values()] == ["no", "no"] + ["none"] * 4
    assert pair.b.cells[3].said == "not asked"
    assert pair.b.title == "p12's feed, judged again as p05"
    assert pair.is_one_feed
    assert [at for at in pair.positions if pair.differs(at)] == [0]
    assert pair.b.marks == ("embedded feed",), "the later judge is no scripted one"
    for nobody in (f"{A}/none/p05", f"{judge_of(data)}x", "none", ".."):
        with pytest.raises((NoSuchPage, BadName)):
            read_strip(data, StripAddress.read(nobody))


def test_only_the_same_video_of_the_same_site_is_shared(data: DataFolder) -> None:
    keep_feed(data, "elsewhere", "p12", "yyy", platform="youtube")
    shared = [at for at in pair_of(data).positions if pair_of(data).is_shared(at)]
    assert shared == [SHARED]
    assert pair_of(data).differs(SHARED)
    away = pair_of(data, A, "elsewhere")
    assert away.b.cells[SHARED].video == away.a.cells[SHARED].video
    assert not away.is_shared(SHARED)


@pytest.mark.parametrize(
    ("platform", "config", "model", "marks"),
    [
        ("playground", {"site": {"skin": None}}, "openai/gpt", ["embedded feed"]),
        ("tiktok", {"site": {"skin": "tiktok"}}, "openai/gpt", ["looks like tiktok"]),
        ("replay", {}, "openai/gpt", ["replay"]),
        ("recording", {"site": None}, "openai/gpt", ["recording"]),
        ("tiktok", {"site": None}, "scripted/colour", ["made-up answers"]),
        ("playground", {"site": 7}, "scripted/x", ["embedded feed", "made-up answers"]),
        ("tiktok", {}, "openai/gpt", []),
    ],
)
def test_what_is_not_real_is_marked(
    platform: str, config: Mapping[str, Any], model: str, marks: list[str]
) -> None:
    found = list_marks(platform, config, model)
    assert len(found) == len(marks)
    assert all(word in mark for word, mark in zip(marks, found, strict=True))


def test_what_may_stand_beside_a_run_begins_with_the_nearest(data: DataFolder) -> None:
    keep_feed(data, "second", "p05", "y", config={"study": "s", "replicate": 2})
    names = (A, PASSIVE, B, OTHER, "second")
    runs = [ledger.read(data.ledger_path(name)).started for name in names]
    runs = [run.model_copy(update={"model": "m/x"}) for run in runs]
    groups = list_near(data, runs, StripAddress.read(A))
    assert [[one.value for one in group.choices] for group in groups] == [
        [B, PASSIVE],
        [judge_of(data)],
        ["second"],
        [OTHER],
    ]
    later = list_near(data, runs, StripAddress.read(judge_of(data)))
    assert [one.value for one in later[1].choices] == [A]


def test_every_number_of_positions_fits_the_slide() -> None:
    sizes = [*range(1, 80), 100, 199, 200, 333, 1000, 2500]
    for count in sizes:
        layout = film_picture.arrange_bands(count)
        assert layout.columns * layout.bands >= count
        assert layout.columns * (layout.width + 3) <= film_picture.WIDTH - 80
        assert layout.bands * layout.band_height <= film_picture.HEIGHT - 176 - 64
    assert film_picture.arrange_bands(40).width > 80


def colour_share(picture: Image.Image, colour: str, most: int = 3) -> float:
    wanted = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
    near = np.abs(np.asarray(picture.convert("RGB"), dtype=int) - wanted).max(axis=2) <= most
    return float(near.mean())


def test_a_picture_shows_answers_and_says_what_is_not_real(data: DataFolder) -> None:
    keep_feed(data, "real", "p12", "nn", platform="tiktok", model="openai/gpt", config={})
    told = Image.open(io.BytesIO(made(data, "png")))
    plain = Image.open(io.BytesIO(made(data, "png", OTHER, "real")))
    assert told.size == plain.size == (1920, 1080)
    assert colour_share(told, WARN) > 0.002
    assert colour_share(plain, WARN) == 0
    body = (0, 176, 1920, 1000)
    assert colour_share(told.crop(body), ANSWERS["yes"]) > 0.002
    assert colour_share(plain.crop(body), ANSWERS["yes"]) == 0
    assert colour_share(plain.crop(body), ANSWERS["no"]) > 0


def test_a_video_is_h264_and_shows_each_position_in_its_turn(
    data: DataFolder, tmp_path: Path
) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(made(data, "mp4", speed=2))
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    told = subprocess.run([ffmpeg, "-i", str(path)], capture_output=True, text=True, check=False)
    assert "Video: h264" in told.stderr
    assert "yuv420p" in told.stderr
    assert "1280x720" in told.stderr
    assert "Duration: 00:00:03.0" in told.stderr
    raw = [ffmpeg, "-loglevel", "error", "-i", str(path), "-vf", "scale=320:180", "-f", "rawvideo"]
    out = subprocess.run([*raw, "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout
    shown = np.frombuffer(out, dtype=np.uint8).reshape(-1, 180, 320, 3)
    frames = FrameStore(data.frames_dir)
    cells = list(read_strip(data, StripAddress.read(A)).cells.values())
    assert len(shown) == 6 * len(cells), "12 pictures a second, 2 positions"
    for at, cell in enumerate(cells):
        assert cell.frame is not None
        with Image.open(io.BytesIO(frames.read(cell.frame))) as picture:
            kept = np.asarray(picture.convert("RGB")).mean((0, 1))
        assert np.abs(shown[6 * at + 3, 21:157, 8:82].mean((0, 1)) - kept).max() < 12, at
    first = Image.fromarray(shown[0]).crop((85, 140, 160, 160))
    assert colour_share(first, WARN, 12) > 0.05, "it says what is not real"


def test_a_cut_has_its_positions_alone_and_an_empty_or_too_long_one_is_refused(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = FilmRequest(StripAddress.read(A), StripAddress.read(B), "png", 1, 2)
    assert choose_strips(data, request).positions == (1, 2)
    with pytest.raises(FilmFailed, match="no video at positions 9 to 9"):
        made(data, "png", first=9, last=9)
    monkeypatch.setattr(film_video, "MOST_POSITIONS", 5)
    with pytest.raises(FilmFailed, match="A video of 6 positions is too long: 5 are the most"):
        made(data, "mp4")


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"a": A, "b": B},
        {"a": A, "b": B, "kind": "exe"},
        {"a": A, "b": B, "kind": "mp4", "speed": "1000"},
        {"a": A, "b": B, "kind": "mp4", "first": "-1"},
        {"a": A, "b": B, "kind": "mp4", "last": "x"},
    ],
)
def test_a_page_cannot_ask_for_what_is_not_offered(query: dict[str, str]) -> None:
    with pytest.raises(FilmFailed):
        read_request(query)


def test_a_blurred_export_hides_a_handle_on_screen(data: DataFolder) -> None:
    picture = Image.open(io.BytesIO(jpeg("yellow", 1, (412, 732)))).convert("RGB")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 280, 412, 360), "white")
    draw.text((20, 300), "@wave.rider.anna", "black", load_font(36))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=92)
    FrameStore(data.frames_dir).put(out.getvalue(), sync=False)
    with LedgerWriter(data.ledger_path("seen"), fsync=False) as writer:
        writer.append(started("seen"))
        video = Video(id="v", author="wave.rider.anna")
        writer.append(step(0, frame(out.getvalue()), video=video))
        writer.append(finished(1))
    dark = []
    for blur in (False, True):
        slide = Image.open(io.BytesIO(made(data, "png", "seen", "seen", blur=blur)))
        region = np.asarray(slide.convert("L"), dtype=int)[340:385, 60:220]
        dark.append(int((region < 140).sum()))
    assert dark[0] > 20
    assert dark[1] == 0


def typed(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


def test_the_command_enters_its_file_so_that_forgetting_finds_it(
    data: DataFolder, tmp_path: Path
) -> None:
    out = data.root / "slide.png"
    words = ("film", A, B, "--data", str(data.root), "--out")
    done = typed(*words, str(out), "--positions", "0", "1")
    assert done.exit_code == 0, done.output
    with Image.open(out) as picture:
        assert picture.size == (1920, 1080)
    (entry,) = derived_files.entries(data)
    assert entry.runs == (A, B)
    assert len(entry.frames) == 4
    assert typed(*words, str(out)).exit_code == 2, "nothing is written over"
    assert typed(*words, str(tmp_path / "film.gif")).exit_code == 2
    forget = ["forget", "--video", f"{A}-0", "--yes", "--data", str(data.root)]
    forgotten = CliRunner().invoke(store_cli, forget)
    assert forgotten.exit_code == 0, forgotten.output
    assert not out.exists()


def test_a_picture_of_too_many_positions_is_refused_in_words() -> None:
    with pytest.raises(FilmFailed, match="20000 positions are too many"):
        film_picture.arrange_bands(20_000)


@pytest.mark.parametrize("marks", [("replay",), ("made up answers of " + "x" * 200, "replay")])
def test_badges_stay_in_their_half(marks: tuple[str, ...]) -> None:
    draw = ImageDraw.Draw(Image.new("RGB", (900, 40)))
    assert draw_badges(draw, (100, 4), marks, 18, 400) <= 100 + 400 + 18 // 2

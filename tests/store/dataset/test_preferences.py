"""Exports of preference pairs: no name, no face, no twin in another split, whatever is exported."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

from store.dataset import manifest
from store.dataset.preferences import PairFigures, PairsChoice, export
from store.dataset.published_pictures import faces
from store.errors import LeakingExport
from store.frames.frame_store import FrameStore
from store.results import preference_pairs
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Video
from tests.store.dataset.test_export import all_bytes
from tests.store.samples import START, frame, jpeg, started, step

JANE, HER_ID = "jane.doe_92", "7312345678901234567"


def portrait() -> bytes:
    """A face as wide as a picture of a phone's size."""
    face = Image.fromarray(pictures.astronaut()).crop((175, 40, 275, 218)).resize((412, 732))
    out = io.BytesIO()
    face.save(out, "JPEG", quality=90)
    return out.getvalue()


@pytest.fixture
def made(tmp_path: Path) -> tuple[DataFolder, preference_pairs.PreferencePairs]:
    """Thirty frames by twenty creators, each beside a near-duplicate; a creator in no pair."""
    data = DataFolder(tmp_path / "data")
    frames = FrameStore(data.frames_dir)
    shown = {f"v{n}": jpeg("red", n) for n in range(29)} | {HER_ID: portrait()}
    with LedgerWriter(data.ledger_path("r"), fsync=False) as writer:
        writer.append(started("r", platform="tiktok"))
        for place, (video, picture) in enumerate(shown.items()):
            frames.put(picture, sync=False)
            author = f"creator{place % 20}" if video != HER_ID else JANE
            writer.append(step(place, frame(picture), video=Video(id=video, author=author)))
        writer.append(step(30, video=Video(id="x", author="quietplumber")))
    maker = preference_pairs.Maker(
        model="m", checker="m", prompts={}, seed=1, at=START, code_version="0.1.0"
    )
    text = f"As #JaneDoe92 and quiet_plumber say, {HER_ID} by \uff20no.body is great."
    with preference_pairs.open_pairs(data, maker) as file:
        for place, (video, picture) in enumerate(shown.items()):
            own = frame(picture)
            # each frame looks nearly like the next one, in chains of three
            look = 0x9E3779B97F4A7C15 * (place // 3 + 1) % 2**64 ^ (0b111 << 3 * (place % 3)) // 8
            source = preference_pairs.FrameSource(
                frame=own.sha256,
                phash=f"{look:016x}",
                platform="tiktok",
                video=video,
                author=f"creator{place % 20}" if video != HER_ID else JANE,
                run="r",
                position=place,
            )
            file.append(
                [
                    preference_pairs.AcceptedText(
                        source=source, user="Describe.", accepted=text, stored=False
                    )
                ]
            )
            file.append(
                [
                    preference_pairs.PreferencePair(
                        source=source, error="object", accepted=text, rejected=text + "!"
                    )
                ]
            )
    return data, preference_pairs.find_pairs(data)


def rows(folder: Path, tmp_path: Path) -> Iterator[dict[str, object]]:
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))
    for split in loaded.values():
        yield from split


def test_every_known_creator_is_hidden_and_near_duplicates_stay_together(
    made: tuple[DataFolder, preference_pairs.PreferencePairs], tmp_path: Path
) -> None:
    data, found = made
    folder = export(data, found, tmp_path / "out", PairFigures()).folder
    content = all_bytes(folder)
    telling = ("janedoe", "jane.doe", "doe_92", HER_ID, "plumber", "no.body", "creator1")
    assert [name for name in telling if name.encode() in content] == []
    looks = {pair.name: int(pair.source.phash, 16) for pair in found.pairs}
    split_of = {str(row["id"]): row["split"] for row in rows(folder, tmp_path)}
    assert len(set(split_of.values())) == 3
    near = [
        pair for pair in combinations(looks, 2) if (looks[pair[0]] ^ looks[pair[1]]).bit_count() < 5
    ]
    assert len(near) >= 10
    assert all(split_of[one] == split_of[two] for one, two in near)
    card = (folder / "README.md").read_text("utf-8")
    assert "| a near-duplicate | 0 | 0 | 0 |" in card
    assert "| the same creator | 0 | 0 | 0 |" not in card


def test_by_creators_none_is_in_two_splits(
    made: tuple[DataFolder, preference_pairs.PreferencePairs], tmp_path: Path
) -> None:
    data, found = made
    choice = PairsChoice(split_by="creators")
    card = (
        export(data, found, tmp_path / "out", PairFigures(), choice).folder / "README.md"
    ).read_text("utf-8")
    assert "| the same creator | 0 | 0 | 0 |" in card


def test_a_name_in_the_findings_stops_the_export(
    made: tuple[DataFolder, preference_pairs.PreferencePairs], tmp_path: Path
) -> None:
    data, found = made
    with pytest.raises(LeakingExport, match=r"README\.md, line"):
        export(data, found, tmp_path / "out", PairFigures([f"Worst: {HER_ID}"]))
    assert not (tmp_path / "out" / manifest.NAME).exists()


def test_pictures_are_blurred_on_request(
    made: tuple[DataFolder, preference_pairs.PreferencePairs], tmp_path: Path
) -> None:
    data, found = made
    hers = {pair.source.frame for pair in found.pairs if pair.source.video == HER_ID}
    found = found.only(
        hers, preference_pairs.ERRORS
    )  # reading the other pictures takes half a second each
    folder = export(data, found, tmp_path / "out", PairFigures(), PairsChoice(blur=True)).folder
    (row,) = rows(folder, tmp_path)
    (picture,) = row["images"]  # type: ignore[misc]
    assert faces(np.asarray(Image.open(io.BytesIO(portrait())))) != []
    assert faces(np.asarray(picture.convert("RGB"))) == []  # type: ignore[has-type]
    assert "1 faces and" in (folder / "README.md").read_text("utf-8")


def test_a_creator_called_like_a_word_of_ours_stops_no_export(
    made: tuple[DataFolder, preference_pairs.PreferencePairs], tmp_path: Path
) -> None:
    """The question, the card and the names of files are ours, whoever is called so."""
    data, known = made
    words = ("Describe", "pictures", "composition", "preference")
    with LedgerWriter(data.ledger_path("q"), fsync=False) as writer:
        writer.append(started("q", platform="tiktok"))
        for place, word in enumerate(words):
            writer.append(step(place, video=Video(id=f"w{place}", author=word)))
    export(data, known, tmp_path / "out", PairFigures())
    assert (tmp_path / "out" / manifest.NAME).is_file()

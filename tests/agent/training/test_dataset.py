"""Preference pairs read from the disk, and refused where they would mislead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from agent.errors import BadConfig
from agent.training import dataset as pairs
from agent.training.example import _pairs
from tests.store.untrusted.test_size_limits import small_file_of_many_pixels


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    datasets.disable_progress_bars()


@pytest.fixture(scope="module")
def made() -> Any:
    return _pairs(np.random.default_rng(1))


def saved(dataset: Any, folder: Path) -> Path:
    dataset.save_to_disk(str(folder))
    return folder


def test_splits_may_be_datasets_or_a_column(made: Any, tmp_path: Path) -> None:
    apart = pairs.read_training_pairs(saved(made, tmp_path / "apart"))
    rows = [part.add_column("split", [name] * len(part)) for name, part in made.items()]
    together = pairs.read_training_pairs(
        saved(datasets.concatenate_datasets(rows), tmp_path / "together")
    )
    assert (len(apart.train), len(apart.held_out)) == (128, 24)
    assert together.train["id"][:] == apart.train["id"][:]
    assert together.digest == apart.digest
    assert pairs.join_words(apart.train[0]["chosen"]) != pairs.join_words(
        apart.train[0]["rejected"]
    )
    assert pairs.encode_jpegs(apart.train[0]["images"])[0].startswith(b"\xff\xd8")


@pytest.mark.parametrize("hostile", ["elsewhere", "bomb"])
def test_pictures_are_in_the_collection_and_within_limits(
    made: Any, tmp_path: Path, hostile: str
) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "elsewhere.png")
    image = {
        "elsewhere": {"bytes": None, "path": str(tmp_path / "elsewhere.png")},
        "bomb": {"bytes": small_file_of_many_pixels(), "path": None},
    }[hostile]
    (tmp_path / "data").mkdir()
    for name, part in made.items():
        table = part.with_format("arrow")[:]
        images = [*table["images"].to_pylist()[:-1], [image]]
        place = table.schema.get_field_index("images")
        field = table.schema.field(place)
        told = table.set_column(place, field, pa.array(images, field.type))
        pq.write_table(told, tmp_path / "data" / f"{name}-00000.parquet")
    with pytest.raises(BadConfig, match=r"only the name of a file|pixels, at most"):
        pairs.read_training_pairs(tmp_path)


def test_an_exported_collection_is_read_as_it_is(made: Any, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name, part in made.items():
        part.to_parquet(tmp_path / "data" / f"{name}-00000.parquet")
    read = pairs.read_training_pairs(tmp_path)
    assert (len(read.train), len(read.held_out)) == (128, 24)
    assert read.train[0]["images"][0].size == (28, 28)
    assert read.digest == pairs.read_training_pairs(saved(made, tmp_path / "saved")).digest


def test_a_larger_subset_of_a_seed_holds_the_smaller_ones(made: Any, tmp_path: Path) -> None:
    read = pairs.read_training_pairs(saved(made, tmp_path / "pairs"))
    few, many, other = (set(read.subset(*one)["id"]) for one in ((8, 1), (32, 1), (32, 2)))
    assert few < many
    assert len(many) == len(other) == 32
    assert many != other


def test_a_video_on_both_sides_is_refused(made: Any, tmp_path: Path) -> None:
    leaking = datasets.DatasetDict({"train": made["train"], "test": made["train"].select([0])})
    with pytest.raises(BadConfig, match="trained on and held out"):
        pairs.read_training_pairs(saved(leaking, tmp_path / "leaking"))


@pytest.mark.parametrize("lacking", ["rejected", "video"])
def test_a_missing_column_is_named(made: Any, tmp_path: Path, lacking: str) -> None:
    with pytest.raises(BadConfig, match=f"no column '{lacking}'"):
        pairs.read_training_pairs(saved(made.remove_columns(lacking), tmp_path / "lacking"))


def test_what_is_no_dataset_is_told_so(made: Any, tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="holds no pairs"):
        pairs.read_training_pairs(tmp_path)
    with pytest.raises(BadConfig, match="none held out"):
        pairs.read_training_pairs(
            saved(datasets.DatasetDict({"train": made["train"]}), tmp_path / "train")
        )

"""Preference pairs as they are kept on the disk: TRL's vision preference format in ``datasets``.

Columns ``images``, ``prompt``, ``chosen``, ``rejected`` (conversational), and beside them ``id``,
``kind``, ``video`` and, where the splits are not datasets of their own, ``split``.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent.errors import BadConfig, MissingExtra
from store.untrusted.size_limits import UnreadablePicture, open_picture

COLUMNS = ("images", "prompt", "chosen", "rejected")
INSTALL = "pip install 'feedsway[align]'"
_BESIDE = ("id", "kind", "video")
_TRAIN, _HELD_OUT = "train", "test"
_MAKE = "Type: python -m agent align --example example"
_QUALITY = 95


@dataclass(frozen=True)
class TrainingPairs:
    """Pairs to train on, and pairs of other videos to measure with."""

    train: Any
    """A ``datasets.Dataset``."""
    held_out: Any
    digest: str

    @property
    def frames(self) -> frozenset[str]:
        """SHA-256 of the kept frames they are about; none where they were made elsewhere."""
        sides = [side for side in (self.train, self.held_out) if "frame" in side.column_names]
        return frozenset(frame for side in sides for frame in side["frame"])

    def subset(self, size: int, seed: int) -> Any:
        """Draw pairs to train on; of one seed, a larger subset holds the smaller ones."""
        order = np.random.default_rng(seed).permutation(len(self.train))
        return self.train.select([int(place) for place in order[:size]])


def read_training_pairs(folder: Path) -> TrainingPairs:
    """Read an exported collection of pairs, or a folder that ``save_to_disk`` wrote.

    What is not ``train`` is held out: ``test`` alone where there is such a split.

    Raises
    ------
    BadConfig
        There are none, a column is missing, or a video is on both sides.
    """
    splits = _splits(folder)
    train = splits.pop(_TRAIN, None)
    held = splits.get(_HELD_OUT) or next((each for each in splits.values() if len(each)), None)
    if train is None or held is None or not len(train):
        raise BadConfig(f"{folder} has no pairs to train on, or none held out. {_MAKE}")
    both = set(train["video"]) & set(held["video"])
    if both:
        raise BadConfig(
            f"{len(both)} videos of {folder} are trained on and held out, {min(both)} for one; "
            f"split the pairs by video. {_MAKE}"
        )
    return TrainingPairs(train, held, _digest(train, held))


def load_datasets() -> Any:
    """Import ``datasets``, or raise ``MissingExtra``."""
    try:
        import datasets
    except ImportError as error:
        raise MissingExtra("What alignment needs", INSTALL) from error
    return datasets


def join_words(response: Sequence[Any]) -> str:
    """Words of a response, whichever of its two forms it has."""
    content = response[0]["content"]
    if isinstance(content, str):
        return content
    return " ".join(part["text"] for part in content if part.get("text"))


def encode_jpegs(images: Sequence[Any]) -> tuple[bytes, ...]:
    """Frames of a pair as a judge gets them."""
    files = []
    for image in images:
        file = io.BytesIO()
        image.convert("RGB").save(file, "JPEG", quality=_QUALITY)
        files.append(file.getvalue())
    return tuple(files)


def _splits(folder: Path) -> dict[str, Any]:
    datasets = load_datasets()
    try:
        found: Any = _parquet(datasets, folder) or datasets.load_from_disk(str(folder))
    except (OSError, ValueError) as error:
        raise BadConfig(f"{folder} holds no pairs. {_MAKE}") from error
    whole = {"": found} if isinstance(found, datasets.Dataset) else dict(found)
    for each in whole.values():
        lacking = [name for name in (*COLUMNS, *_BESIDE) if name not in each.column_names]
        if lacking:
            raise BadConfig(f"The pairs of {folder} have no column {lacking[0]!r}. {_MAKE}")
        _check_pictures(folder, each)
    if "" not in whole:
        return whole
    if "split" not in found.column_names:
        raise BadConfig(f"The pairs of {folder} have no column 'split'. {_MAKE}")
    return {
        name: found.select([place for place, own in enumerate(found["split"]) if own == name])
        for name in dict.fromkeys(found["split"])
    }


def _check_pictures(folder: Path, pairs: Any) -> None:
    """Refuse what ``datasets`` would decode whatever its size, or open wherever it lies."""
    for rows in pairs.select_columns(["images"]).with_format("arrow").iter(64):
        for picture in (each for row in rows["images"].to_pylist() for each in row or ()):
            try:
                if not picture["bytes"]:
                    raise UnreadablePicture(f"only the name of a file, {picture['path']!a}")
                with open_picture(picture["bytes"]):
                    pass  # its header is within the limits
            except UnreadablePicture as error:
                raise BadConfig(f"A picture of {folder}: {error}. {_MAKE}") from None


def _parquet(datasets: Any, folder: Path) -> dict[str, Any]:
    """Datasets of an exported collection, ``data/<split>-*.parquet``, without a copy in a cache."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables: dict[str, list[Any]] = {}
    for path in sorted(folder.glob("data/*-*.parquet")):
        tables.setdefault(path.name.partition("-")[0], []).append(pq.read_table(path))
    return {name: datasets.Dataset(pa.concat_tables(parts)) for name, parts in tables.items()}


def _digest(*parts: Any) -> str:
    """Tell these pairs from others: their words in their order, not the pictures' bytes."""
    rows = [
        list(part.select_columns(["id", "video", "prompt", "chosen", "rejected"])) for part in parts
    ]
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()

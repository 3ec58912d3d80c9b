"""Stored pictures embedded in batches, which other processes read and prepare meanwhile.

So a GPU need not wait for a JPEG to be decoded. The processes are those of torch's DataLoader; each
has at most two batches ready.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from store.encoders._torch import load_torch
from store.encoders.base import PictureStages, Vectors
from store.errors import DamagedFrame, DataUnreadable, EncoderFault

ReadPicture = Callable[[str], Image.Image]
"""Reads the picture of a hash; raises ``DamagedFrame`` or ``DataUnreadable``."""


class EmbeddedBatch(NamedTuple):
    """Pictures of one batch: where they stand among those asked for, and their vectors."""

    size: int
    """Pictures asked for, readable or not."""
    places: list[int]
    vectors: Vectors
    """One for each place; where there is none they have no dimension either."""
    problems: list[str]
    """One sentence for each picture that could not be read."""


class _PreparedBatch(NamedTuple):
    size: int
    places: list[int]
    pixels: Any  # one tensor, or nothing where no picture could be read
    problems: list[str]


@dataclass(frozen=True)
class _PreparedPictures:
    """What torch's DataLoader takes pictures from, in whichever process."""

    keys: Sequence[str]
    read: ReadPicture
    prepare: Callable[[Image.Image], Any]

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, place: int) -> tuple[int, Any, str]:
        try:
            return place, self.prepare(self.read(self.keys[place])), ""
        except (DamagedFrame, DataUnreadable) as error:
            return place, None, str(error)


def embed_ahead(
    stages: PictureStages, keys: Sequence[str], read: ReadPicture, workers: int
) -> Iterator[EmbeddedBatch]:
    """Embed stored pictures in their order while ``workers`` processes prepare the next ones.

    With 0 workers each batch is prepared here, before it is embedded. Raises ``EncoderFault``
    where such a process ends before its work does.
    """
    torch = load_torch()
    loader = torch.utils.data.DataLoader(
        _PreparedPictures(keys, read, stages.prepare),
        batch_size=stages.batch,
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=torch.cuda.is_available(),
    )
    for batch in _received(iter(loader), workers):
        vectors = stages.embed(batch.pixels) if batch.places else np.empty((0, 0), np.float32)
        yield EmbeddedBatch(batch.size, batch.places, vectors, batch.problems)


def _received(batches: Iterator[_PreparedBatch], workers: int) -> Iterator[_PreparedBatch]:
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except RuntimeError as error:  # as torch says that a process of its own is gone
            if not workers:
                raise
            raise EncoderFault(
                "A process that prepared pictures is gone, killed or out of shared memory "
                "(/dev/shm). What was embedded is kept. Type: python -m store index --workers 0"
            ) from error
        yield batch


def _collate(items: Sequence[tuple[int, Any, str]]) -> _PreparedBatch:
    readable = [(place, pixels) for place, pixels, problem in items if not problem]
    return _PreparedBatch(
        len(items),
        [place for place, _ in readable],
        load_torch().stack([pixels for _, pixels in readable]) if readable else None,
        [problem for _, _, problem in items if problem],
    )

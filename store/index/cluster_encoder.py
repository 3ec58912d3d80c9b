"""An encoder on the nodes of a cluster: a pool of actors embeds stored pictures, batch by batch.

Who asks reads the pictures and is the one writer of the index. So no node needs the data folder,
and nothing is lost or doubled where an actor or its node dies: its batches are embedded elsewhere.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL.Image import Image

from store.cluster.actor_pool import ActorPool
from store.cluster.errors import HostRefused
from store.cluster.ray_cluster import Cluster
from store.encoders.base import Encoder, Vectors
from store.encoders.picture_loader import EmbeddedBatch
from store.errors import DamagedFrame, DataUnreadable, StoreError
from store.frames.frame_store import FrameStore
from store.terminal.printing import count_of, remark
from store.untrusted.size_limits import UnreadablePicture, decode_picture

BATCH = 32
"""Pictures of a batch, of an encoder that says no number."""


@dataclass(frozen=True)
class PlacedPictures:
    """Pictures of one batch that could be decoded, by their place in it, and their vectors."""

    places: list[int]
    vectors: Vectors


class HostedEncoder:
    """An encoder in an actor's process."""

    def __init__(self, load: Callable[[], Encoder]) -> None:
        self._load = load
        self._encoder: Encoder | None = None
        self._turn = asyncio.Lock()

    def describe(self) -> bytes:
        """Load the encoder and describe it, or say why it cannot be loaded."""
        try:
            encoder = self._encoder = self._load()
        except StoreError as error:
            return json.dumps({"problem": str(error)}).encode()
        batch = BATCH if encoder.stages is None else encoder.stages.batch
        return json.dumps({"id": encoder.id, "dim": encoder.dim, "batch": batch}).encode()

    async def answer(self, task: Sequence[bytes]) -> PlacedPictures:
        """Embed a batch of JPEGs; the next one is decoded meanwhile."""
        if self._encoder is None:
            raise HostRefused("This actor has no encoder.")
        pictures = await asyncio.to_thread(_decode, task)
        async with self._turn:
            vectors = np.empty((0, 0), np.float32)
            if pictures:
                vectors = await asyncio.to_thread(self._encoder.images, list(pictures.values()))
        return PlacedPictures(list(pictures), vectors)

    def end(self) -> None:
        """Nothing of it outlives its process."""


class ClusterEncoder:
    """An encoder that a pool of actors has loaded; its vectors are those of the encoder itself."""

    def __init__(self, pool: ActorPool[Sequence[bytes], PlacedPictures]) -> None:
        about = json.loads(pool.description)
        if "problem" in about:
            raise HostRefused(about["problem"])
        self.id: str = about["id"]
        self.dim: int = about["dim"]
        self._batch: int = about["batch"]
        self._pool = pool

    @classmethod
    @contextmanager
    def open(cls, cluster: Cluster, load: Callable[[], Encoder]) -> Iterator[ClusterEncoder]:
        """Load an encoder on every node of a cluster (its GPUs, where it has any), until the end.

        ``load`` is called there. Raises ``ClusterFault``.
        """
        pool: ActorPool[Sequence[bytes], PlacedPictures] = ActorPool(
            cluster, lambda: HostedEncoder(load), gpu=True
        )
        try:
            pool.open().result()
            yield cls(pool)
        finally:
            pool.close()
            if pool.lost:
                remark(f"{count_of(pool.lost, 'actor')} of the cluster were lost and replaced.\n")

    def embed_stored(self, frames: FrameStore, keys: Sequence[str]) -> Iterator[EmbeddedBatch]:
        """Embed stored pictures, as many batches under way as the actors take by then.

        Batches come in the order in which they are done. Raises ``ClusterFault``.
        """
        starts = iter(range(0, len(keys), self._batch))
        under_way: dict[Future[PlacedPictures], _ReadBatch] = {}
        more = True
        while more or under_way:
            while more and len(under_way) < self._pool.at_once:
                start = next(starts, None)
                if start is None:
                    more = False
                    break
                batch = _read(frames, keys, range(start, min(start + self._batch, len(keys))))
                under_way[self._pool.submit(batch.pictures)] = batch
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                yield under_way.pop(future).embedded(frames, keys, future.result())


@dataclass(frozen=True)
class _ReadBatch:
    """Pictures of one batch that could be read, by their place among all."""

    size: int
    places: list[int]
    pictures: list[bytes]
    problems: list[str]

    def embedded(
        self, frames: FrameStore, keys: Sequence[str], done: PlacedPictures
    ) -> EmbeddedBatch:
        places = [self.places[place] for place in done.places]
        damaged = [
            str(DamagedFrame(frames.path(keys[place])))
            for place in self.places
            if place not in places
        ]
        return EmbeddedBatch(self.size, places, done.vectors, self.problems + damaged)


def _read(frames: FrameStore, keys: Sequence[str], places: range) -> _ReadBatch:
    batch = _ReadBatch(len(places), [], [], [])
    for place in places:
        try:
            batch.pictures.append(frames.read(keys[place]))
            batch.places.append(place)
        except (DamagedFrame, DataUnreadable) as error:
            batch.problems.append(str(error))
    return batch


def _decode(pictures: Sequence[bytes]) -> dict[int, Image]:
    """Decode what can be decoded, by place."""
    found = {}
    for place, jpeg in enumerate(pictures):
        try:
            found[place] = decode_picture(jpeg)
        except UnreadablePicture:  # the bytes are the ones that were kept, and yet no picture
            continue
    return found

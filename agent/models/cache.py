"""Replies kept on the disk, so that the same question to the same model is asked once.

The key holds everything that makes a reply: the model with its fingerprint and settings, every word
of the prompt, the frames' hashes, the number of the repeat and the sitting, so that a question and
its deliberate repeat never share a reply, nor do two sittings. Nothing expires. Refuses to keep
what is no answer: faults are never kept, nor is a reply that is empty, refuses or cannot be read.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from agent.models.base import Model, Question, Reply, frame_hashes, question_key
from personas import strategies
from store.files import write_whole


@dataclass
class Tally:
    """What a cache did."""

    kept: int = 0
    """Replies that were read from the disk instead of asked for."""
    asked: int = 0
    """Questions that reached the model."""
    unfit: int = 0
    """Replies that may not be kept; those questions are asked again another time."""


class Cached:
    """A model whose answers are kept under a folder."""

    meters = True

    def __init__(self, model: Model, folder: Path) -> None:
        self.name = model.name
        self.tally = Tally()
        self._model = model
        self._folder = folder

    @property
    def encoder(self) -> str | None:
        """Name of the encoder whose vectors the model computes anyway, if it does."""
        return getattr(self._model, "encoder", None)

    @property
    def fingerprint(self) -> str:
        """What tells the model from others of its name."""
        return self._model.fingerprint

    async def ask(self, question: Question) -> Reply:
        """Return the kept reply, or ask for one.

        A kept reply comes with ``cached`` set, and without tokens or cost: it has none now.
        """
        path = self._path(question)
        if (kept := _read(path)) is not None:
            self.tally.kept += 1
            return replace(kept, cached=True, input_tokens=None, output_tokens=None, cost_usd=None)
        self.tally.asked += 1
        reply = await self._model.ask(question)
        if strategies.read(question.prompt, reply.text).missing is not None:
            self.tally.unfit += 1
        else:
            told = {**asdict(reply), "frames": frame_hashes(question)}
            write_whole(path, json.dumps(told).encode(), sync=False)
        return reply

    async def close(self) -> None:
        """Release the model."""
        await self._model.close()

    def _path(self, question: Question) -> Path:
        key = question_key(self._model, question)
        return self._folder / key[:2] / f"{key}.json"


def _read(path: Path) -> Reply | None:
    """Return a kept reply; one that is not there or is damaged is asked for again."""
    try:
        fields = json.loads(path.read_bytes())
        fields.pop("frames", None)
        vector = fields.pop("image_vector")
        return Reply(**fields, image_vector=None if vector is None else tuple(vector))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None

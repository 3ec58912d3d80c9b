"""Kept replies in front of a model, so that the same question to the same model is asked once.

The key holds everything that makes a reply: the model with its fingerprint and settings, every word
of the prompt, the frames' hashes, the number of the repeat and the sitting, so that a question and
its deliberate repeat never share a reply, nor do two sittings. Nothing expires. Faults are never
kept; what is no answer stays with the account that paid for it (``reply_files``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from agent.errors import Filtered
from agent.judge.reply_files import ReplyFiles, is_answer
from agent.models.base import Model, Question, Reply, question_key


@dataclass
class Tally:
    """What a cache did."""

    kept: int = 0
    """Replies that were read from the disk instead of asked for."""
    asked: int = 0
    """Questions that reached the model."""
    unfit: int = 0
    """Replies that are no answers; another account asks those questions again."""


class Cached:
    """A model whose answers are kept under a folder."""

    meters = True

    def __init__(self, model: Model, replies: ReplyFiles | Path) -> None:
        self.name = model.name
        self.tally = Tally()
        self._model = model
        self._replies = ReplyFiles(replies) if isinstance(replies, Path) else replies

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

        Raises
        ------
        Filtered
            The kept reply was held back by the service.
        """
        key = question_key(self._model, question)
        if (kept := self._replies.read(key)) is not None:
            self.tally.kept += 1
            if kept.filtered:
                raise Filtered(f"{self.name} held the question or its reply back")
            return replace(kept, cached=True, input_tokens=None, output_tokens=None, cost_usd=None)
        self.tally.asked += 1
        reply = await self._model.ask(question)
        self.tally.unfit += not is_answer(question, reply)
        if self._replies.read(key) is None:  # nobody below has kept it
            self._replies.write(key, question, reply)
        return reply

    async def close(self) -> None:
        """Release the model."""
        await self._model.close()

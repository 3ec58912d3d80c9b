"""Kept replies in front of a model: the same question is asked once.

The key holds everything that makes a reply: the model with its fingerprint and settings, every word
of the prompt, the frames' hashes, the number of the repeat and the sitting, so that a question and
its deliberate repeat never share a reply, nor do two sittings. Nothing expires. A reply is on the
disk before its call is settled, so that no kill makes it dearer.

A reply that can be read answers its question for whoever asks it. One that is empty, was held
back, refuses or cannot be read is no answer: it is kept for the account alone that paid for it, so
that a kill before it was entered there does not buy it again. Faults are never kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakValueDictionary

from agent.errors import Filtered
from agent.models.base import Model, Question, Reply, WrappedModel, question_key
from agent.models.paid_calls import CappedAccounts
from personas import strategies
from store.jsonl.file_seal import check_seal, write_sealed
from store.jsonl.mirrors import fetch_missing
from store.untrusted.json_files import parse_json


class ReplyFiles:
    """The folder of kept replies, one file a question's key, as one account sees it.

    ``till`` says who pays; without one, answers only are kept.
    """

    def __init__(self, folder: Path, till: CappedAccounts | None = None) -> None:
        self._folder = folder
        self._till = till

    def read(self, key: str) -> Reply | None:
        """Return the kept reply, if there is one; a damaged one is none."""
        return _read(self._shared(key)) or (None if self._till is None else _read(self._own(key)))

    def write(self, key: str, question: Question, reply: Reply) -> None:
        """Keep a reply, and wait until it is on the disk."""
        fit = is_answer(question, reply)
        if not fit and self._till is None:
            return
        path = self._shared(key) if fit else self._own(key)
        fields = {**vars(reply), "frames": question.frame_hashes}
        write_sealed(path, json.dumps(fields).encode())

    def _shared(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"

    def _own(self, key: str) -> Path:
        assert self._till is not None
        account = hashlib.sha256(self._till.payer.encode()).hexdigest()[:16]
        return self._folder / key[:2] / f"{key}-{account}.json"


def is_answer(question: Question, reply: Reply) -> bool:
    """Tell whether a reply answers its question for anybody who asks it."""
    return not reply.filtered and strategies.read(question.prompt, reply.text).missing is None


def _read(path: Path) -> Reply | None:
    """Return a kept reply; one that is not there or is damaged is asked for again."""
    try:
        fetch_missing(path)
        content = path.read_bytes()
        fields = parse_json(content) if check_seal(content) != "changed" else None
        if not isinstance(fields, dict):
            return None
        fields.pop("frames", None)
        vector = fields.pop("image_vector")
        return Reply(**fields, image_vector=None if vector is None else tuple(vector))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


@dataclass
class Tally:
    """What a cache did."""

    kept: int = 0  # replies that were read from the disk instead of asked for
    asked: int = 0  # questions that reached the model
    unfit: int = 0  # replies that are no answers; another account asks those questions again


class Cached(WrappedModel):
    """A model whose answers are kept under a folder."""

    def __init__(self, model: Model, replies: ReplyFiles | Path) -> None:
        super().__init__(model)
        self.tally = Tally()
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._replies = ReplyFiles(replies) if isinstance(replies, Path) else replies

    async def ask(self, question: Question) -> Reply:
        """Return the kept reply, or ask for one.

        A kept reply comes with ``cached`` set, and without tokens or cost: it has none now. Raises
        ``Filtered`` where it was held back by the service.
        """
        key = question_key(self._model, question)
        lock = self._asking.setdefault(key, asyncio.Lock())
        async with lock:  # the same picture comes twice: one pays for both
            return await self._ask_once(key, question)

    async def _ask_once(self, key: str, question: Question) -> Reply:
        if (copy := self._replies.read(key)) is not None:
            self.tally.kept += 1
            if copy.filtered:
                raise Filtered(f"{self.name} held the question or its reply back")
            return replace(copy, cached=True, input_tokens=None, output_tokens=None, cost_usd=None)
        self.tally.asked += 1
        reply = await self._model.ask(question)
        self.tally.unfit += not is_answer(question, reply)
        if self._replies.read(key) is None:  # nobody below has kept it
            self._replies.write(key, question, reply)
        return reply

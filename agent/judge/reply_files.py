"""Replies on the disk: each is there before its call is settled, so that no kill makes it dearer.

A reply that can be read answers its question for whoever asks it. One that is empty, was held
back, refuses or cannot be read is no answer: it is kept for the account alone that paid for it, so
that a kill before it was entered there does not buy it again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from agent.models.base import Question, Reply, frame_hashes
from agent.models.metering import CappedAccounts
from personas import strategies
from store.jsonl.atomic import write_whole


class ReplyFiles:
    """The folder of kept replies, as one account sees it.

    Parameters
    ----------
    folder
        Of all accounts; one file a reply, named by its question's key.
    till
        Says who pays; ``None`` keeps answers only.
    """

    def __init__(self, folder: Path, till: CappedAccounts | None = None) -> None:
        self._folder = folder
        self._till = till

    def read(self, key: str) -> Reply | None:
        """Return the kept reply, if there is one; a damaged one is none."""
        return _read(self._shared(key)) or (None if self._till is None else _read(self._own(key)))

    def write(self, key: str, question: Question, reply: Reply) -> None:
        """Keep a reply, and wait until it is on the disk.

        Raises
        ------
        OSError
            The disk refuses.
        """
        fit = is_answer(question, reply)
        if not fit and self._till is None:
            return
        path = self._shared(key) if fit else self._own(key)
        told = {**asdict(reply), "frames": frame_hashes(question)}
        write_whole(path, json.dumps(told).encode())

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
        fields = json.loads(path.read_bytes())
        fields.pop("frames", None)
        vector = fields.pop("image_vector")
        return Reply(**fields, image_vector=None if vector is None else tuple(vector))
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None

"""The seam between the judge and whatever answers it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Protocol

from personas.strategies import Prompt
from store.untrusted.clean_text import clean_json, clean_text

ATTEMPTS = 2  # how often a judge puts one question: an unreadable reply is asked for once more
SEVERAL = 8  # questions at once, of a model that does not say better
KEY_VERSION = 2  # of a question's key; counted up where a kept reply would no longer be the same


@dataclass(frozen=True)
class Capabilities:
    """What a model can do and what asking it takes, known before it is loaded."""

    costs: bool = True  # somebody charges for its calls
    uses_tokens: bool = True  # which a cap counts
    in_process: bool = False  # nothing is sent, and its files tell its revision
    starts_server: bool = False  # on this machine, unless one is named
    looks: bool = True  # what another says of frames is made up
    writes_text: bool = True  # answers any question, not only whether a video suits a persona
    own_taste: bool = True  # can be asked as nobody but itself
    english_only: bool = False
    limits_itself: bool = False  # counts its own work on a question, and not the wait for its turn
    takes_pictures: bool = True  # those that do not are asked about descriptions alone
    trains: bool = False  # its weights can be trained here
    encoder: str | None = None  # of the index, which it embeds the first frame with anyway

    @property
    def on_gpu(self) -> bool:
        """Whether it runs here and wants a GPU: an hour of it is what it costs."""
        return self.in_process and self.uses_tokens

    @property
    def describes(self) -> bool:
        """Whether its description of a frame is one in words, of that frame."""
        return self.looks and self.writes_text


@dataclass(frozen=True)
class Question:
    """One prompt about one video.

    ``caption`` is what the platform says of the video. Models that read pictures do not get it
    (the method shows them the screenshot only); the embedded viewer uses it as its on-screen text.
    Without frames it is their description, which the prompt holds as well.
    """

    prompt: Prompt
    frames: tuple[bytes, ...]  # JPEG files, in order of time; none where the prompt describes them
    caption: str | None = None
    explain: bool = False  # also ask for a reason and a description
    repeat: int = 0
    """A deliberate repeat carries its own number, so that no cache answers it.

    The n-th repeat is asked under ``ATTEMPTS * n``, and once more under the next number."""
    sitting: str = ""
    """What it is asked together with; kept replies of another sitting do not answer it."""

    @cached_property
    def frame_hashes(self) -> tuple[str, ...]:
        """SHA-256 of each frame, by which what is forgotten is found again."""
        return tuple(hashlib.sha256(frame).hexdigest() for frame in self.frames)


@dataclass(frozen=True)
class Reply:
    """What came back, before it is read."""

    text: str
    p_yes: float | None = None
    reason: str | None = None
    description: str | None = None
    screen_text: str | None = None
    image_vector: tuple[float, ...] | None = None
    """Embedding of the first frame, where the model computed the index's own encoder."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    cache_read_tokens: int | None = None  # of the input, from the service's own prompt cache
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None  # of the output
    cached: bool = False
    filtered: bool = False  # the service held it back; it was paid for all the same
    served: str | None = None
    """What the service says has answered: its model, and the fingerprint of its system."""
    notes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Clean what the model said, whoever it is: a strange letter loses no paid reply."""
        for name in ("text", "reason", "description", "screen_text", "served"):
            text = getattr(self, name)
            if text is not None:
                object.__setattr__(self, name, clean_text(text))
        object.__setattr__(self, "notes", clean_json(self.notes))


class Model(Protocol):
    """Anything that answers a question about frames."""

    name: str

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def meters(self) -> bool:
        """Whether it books each of its calls itself, where it makes several for one question."""
        ...

    @property
    def at_once(self) -> int:
        """How many questions it takes at the same time, by now."""
        ...

    @property
    def about(self) -> str | None:
        """What was loaded, in words; ``None`` where its name says it all."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What makes it answer as it does, beside its name; as JSON holds it."""
        ...

    @property
    def fingerprint(self) -> str:
        """What tells it from any other model of its name: its weights, version and settings."""
        ...

    async def ask(self, question: Question) -> Reply:
        """Answer, or raise a ``ModelFault`` (``TimedOut``, ``Refused``, ``Filtered``...)."""
        ...

    async def close(self) -> None: ...


class WrappedModel:
    """A model around another, whose name and nature it keeps; it books the other's calls."""

    meters = True

    def __init__(self, model: Model) -> None:
        self.name = model.name
        self._model = model

    @property
    def capabilities(self) -> Capabilities:
        return self._model.capabilities

    @property
    def at_once(self) -> int:
        return self._model.at_once

    @property
    def about(self) -> str | None:
        return self._model.about

    @property
    def settings(self) -> Mapping[str, Any]:
        return self._model.settings

    @property
    def fingerprint(self) -> str:
        return self._model.fingerprint

    async def close(self) -> None:
        await self._model.close()


def question_key(model: Model, question: Question) -> str:
    """Hash everything that makes a reply: the model, every word, the frames, the repeat."""
    parts: dict[str, Any] = {
        "version": KEY_VERSION,
        "model": model.name,
        "fingerprint": model.fingerprint,
        "settings": dict(model.settings),
        "prompt": _prompt_fields(question.prompt),
        "frames": question.frame_hashes,
        "caption": question.caption,
        "explain": question.explain,
        "repeat": question.repeat,
    }
    if question.sitting:
        parts["sitting"] = question.sitting
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=256)
def _prompt_fields(prompt: Prompt) -> dict[str, Any]:
    """Return a prompt as JSON holds it; one is put to many frames."""
    return asdict(prompt)

"""What a worker and its users say to each other, as JSON: questions, replies, pictures."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
from PIL import Image
from pydantic import TypeAdapter

from agent.models.base import Model, Question, Reply
from agent.models.providers import find_capabilities
from store.encoders.base import Vectors
from store.untrusted.json_files import parse_json

USER = "Feedsway-User"
"""Header that tells one user's questions from another's."""


@cache
def _question() -> TypeAdapter[Question]:
    return TypeAdapter(Question)


@cache
def _reply() -> TypeAdapter[Reply]:
    return TypeAdapter(Reply)


class DescribedModel:
    """A model in another process, as that process describes it."""

    def __init__(self, name: str, about: Mapping[str, Any]) -> None:
        self.name = name
        self.capabilities = find_capabilities(name)
        self.meters: bool = about["meters"]
        self.about: str | None = about["about"]
        self.settings: Mapping[str, Any] = about["settings"]
        self.fingerprint: str = about["fingerprint"]


def describe_model(model: Model) -> dict[str, Any]:
    """Say everything that a model is asked about itself."""
    return {
        "about": model.about,
        "settings": dict(model.settings),
        "fingerprint": model.fingerprint,
        "meters": model.meters,
        "at_once": model.at_once,
    }


def write_question(question: Question) -> bytes:
    fields = asdict(question)
    fields["frames"] = [base64.b64encode(frame).decode("ascii") for frame in question.frames]
    return json.dumps(fields).encode()


def read_question(body: bytes) -> Question:
    fields = json.loads(body)
    fields["frames"] = tuple(base64.b64decode(frame) for frame in fields["frames"])
    return _question().validate_python(fields)


def write_reply(reply: Reply) -> bytes:
    return json.dumps(asdict(reply)).encode()


def read_reply(body: bytes) -> Reply:
    """Read a whole reply; ``ValueError`` where it is none. Every number is bit for bit the same."""
    return _reply().validate_python(parse_json(body))


def write_pictures(images: Sequence[Image.Image]) -> bytes:
    """Write pictures as their pixels, in RGB, which is what every encoder sees of them."""
    plain = [image.convert("RGB") for image in images]
    parts = [
        {"size": each.size, "pixels": base64.b64encode(each.tobytes()).decode("ascii")}
        for each in plain
    ]
    return json.dumps({"images": parts}).encode()


def read_pictures(parts: Sequence[dict[str, Any]]) -> list[Image.Image]:
    return [
        Image.frombytes("RGB", tuple(part["size"]), base64.b64decode(part["pixels"]))
        for part in parts
    ]


def write_vectors(vectors: Vectors) -> bytes:
    bits = base64.b64encode(np.ascontiguousarray(vectors, "<f4").tobytes()).decode("ascii")
    return json.dumps({"shape": vectors.shape, "float32": bits}).encode()


def read_vectors(body: bytes) -> Vectors:
    fields = json.loads(body)
    flat = np.frombuffer(base64.b64decode(fields["float32"]), "<f4")
    vectors: Vectors = flat.reshape(fields["shape"]).astype(np.float32)
    return vectors

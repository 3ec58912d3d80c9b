"""A question as inspect_ai's messages: what a served model is sent."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any

from agent.models.base import Question
from agent.models.image_size import scaled
from personas import strategies


def write_messages(question: Question) -> list[Any]:
    """Return inspect_ai's messages of a question: persona, then pictures and text."""
    from inspect_ai.model import (
        ChatMessageSystem,
        ChatMessageUser,
        ContentImage,
        ContentText,
    )

    frames = [ContentImage(image=_data_uri(frame)) for frame in question.frames]
    message = ChatMessageUser(content=[*frames, ContentText(text=question.prompt.user)])
    if not question.prompt.system:
        return [message]
    return [ChatMessageSystem(content=question.prompt.system), message]


@lru_cache(maxsize=32)
def _data_uri(frame: bytes) -> str:
    """Return a frame as it is sent; it is often asked about as many personas in turn."""
    return f"data:image/jpeg;base64,{base64.b64encode(scaled(frame)).decode('ascii')}"


def with_schema(config: Any, question: Question) -> Any:
    """Return inspect_ai's configuration that asks for the questionnaire's form."""
    from inspect_ai.model import ResponseSchema
    from inspect_ai.util import JSONSchema

    form = JSONSchema.model_validate(strategies.schema(question.prompt, explain=question.explain))
    schema = ResponseSchema(name="questionnaire", json_schema=form, strict=True)
    return config.model_copy(update={"response_schema": schema})

"""Frames and personas made for these tests."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from agent.judge.judge import ModelJudge
from agent.models import find_capabilities
from agent.models.base import SEVERAL, Capabilities, Question, Reply
from personas.persona import Persona
from store.runs.ledger_lines import Judgement

GUITARIST = Persona(
    id="guitarist",
    traits=(
        "I play the acoustic guitar every evening.",
        "I drink my tea black.",
        "I am in a choir.",
    ),
)
GARDENER = Persona(
    id="gardener",
    traits=(
        "I grow roses and dahlias.",
        "I am up before the birds.",
        "My greenhouse is my church.",
    ),
)


def frame(text: str = "", colour: str = "#557799", size: tuple[int, int] = (360, 640)) -> bytes:
    """A JPEG of one colour with words across its middle."""
    image = Image.new("RGB", size, colour)
    draw = ImageDraw.Draw(image)
    draw.multiline_text(
        (20, size[1] // 2), text, fill="white", font=ImageFont.load_default(34), spacing=12
    )
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


class Recorded:
    """A model that remembers what it was asked, and answers by a rule."""

    name = "recorded"
    fingerprint = "0123456789abcdef"
    meters = False
    at_once = SEVERAL
    about: str | None = None

    def __init__(self, answer: Callable[[Question], Reply | Awaitable[Reply]]) -> None:
        self.settings: dict[str, Any] = {}
        self.asked: list[Question] = []
        self.closed = False
        self._answer = answer

    @property
    def capabilities(self) -> Capabilities:
        return find_capabilities(self.name)

    async def ask(self, question: Question) -> Reply:
        self.asked.append(question)
        answer = self._answer(question)
        return answer if isinstance(answer, Reply) else await answer

    async def close(self) -> None:
        self.closed = True


async def judged(judge: ModelJudge, caption: str | None = "", **options: int) -> Judgement:
    return await judge.judge((frame(),), caption, **options)

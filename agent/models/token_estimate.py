"""How many tokens a question is, estimated before anything is sent.

Text: each word, each run of digits and each mark is a token, and a chat adds nine. Over the prompts
of all personas this is 2 % below to 2 % above what the tokeniser of GPT-4o counts (o200k), and 9 %
below an older one of Anthropic's. Pictures: each provider's own rule, in ``picture_tokens.toml``
with its source and the date at which it was checked.
"""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from agent.models.image_size import LONGEST_SIDE
from personas.strategies import Prompt

Size = tuple[int, int]
"""Width and height of a picture, in pixels."""

CHAT_TOKENS = 9  # what a chat of a system and a user message adds to its words
TEXT_WITHIN = 0.1
"""How far the count of a text may be off, as a share of it."""
SCHEMA_TOKENS = 100  # of the questionnaire's form, which some services count and some do not
REPLY_TOKENS = {("choice", False): 2, ("isq", False): 45, ("choice", True): 60, ("isq", True): 110}
"""Tokens of a reply, by the kind of question and whether a reason is asked for; no thoughts."""

_PIECES = re.compile(r"[^\W\d_]+|\d+|_|[^\w\s]")
_RULES = Path(__file__).with_name("picture_tokens.toml")
_TILE, _TILED_LONG, _TILED_SHORT = 512, 2048, 768


@dataclass(frozen=True)
class PictureRule:
    """How a model's provider counts the tokens of a picture.

    ``within``: how far it may be off, as a share. ``source``: who says so. ``thinks``: whether
    these models think before they answer, unless they are told not to.
    """

    pattern: str
    kind: Literal["tiles", "patches", "crops", "flat"]
    within: float
    source: str
    base: int = 0
    each: int = 0
    side: int = 1
    factor: float = 1.0
    most: int = 0
    thinks: bool = False

    def tokens(self, size: Size) -> int:
        """Count the tokens of a picture, as it is sent: no larger than `LONGEST_SIDE`."""
        width, height = _shrink(size, LONGEST_SIDE / max(size))
        if self.kind == "flat":
            return self.each
        if self.kind == "crops":
            return self.each * _count_crops(width, height)
        if self.kind == "tiles":
            width, height = _shrink((width, height), _TILED_LONG / max(width, height))
            width, height = _shrink((width, height), _TILED_SHORT / min(width, height))
            return self.base + self.each * _count_squares(width, height, _TILE)
        patches = min(_count_squares(width, height, self.side), self.most)
        return math.ceil(patches * self.factor)


def _shrink(size: Size, scale: float) -> Size:
    """Scale a size down; one that would grow stays."""
    if scale >= 1:
        return size
    width, height = (max(1, round(side * scale)) for side in size)
    return width, height


def _count_squares(width: int, height: int, side: int) -> int:
    return math.ceil(width / side) * math.ceil(height / side)


def _count_crops(width: int, height: int) -> int:
    if max(width, height) <= 384:
        return 1
    side = min(768, max(256, math.floor(min(width, height) / 1.5)))
    return _count_squares(width, height, side)


@cache
def _rules() -> tuple[PictureRule, ...]:
    return tuple(PictureRule(**rule) for rule in tomllib.loads(_RULES.read_text("utf-8"))["rule"])


def find_picture_rule(name: str) -> PictureRule:
    """Return the rule of a model by its name; the last one is a guess, for all others."""
    return next(rule for rule in _rules() if re.search(rule.pattern, name.lower()))


def count_words(text: str) -> int:
    """Count the tokens of a text by the rule above."""
    return len(_PIECES.findall(text))


@dataclass(frozen=True)
class TokenEstimate:
    """Tokens of one question and its reply, and how far the input may be off, in tokens."""

    input_tokens: int
    output_tokens: int
    off: float


def estimate_tokens(
    name: str, prompt: Prompt, pictures: int, size: Size, *, explain: bool = False
) -> TokenEstimate:
    """Estimate what a model reads and writes for one question.

    Parameters
    ----------
    pictures
        How many are sent, each of this ``size``.
    explain
        Whether the question asks for a reason too.
    """
    rule = find_picture_rule(name)
    text = count_words(prompt.system) + count_words(prompt.user) + CHAT_TOKENS
    shown = pictures * rule.tokens(size)
    form = SCHEMA_TOKENS if prompt.kind == "isq" else 0
    return TokenEstimate(
        input_tokens=text + shown,
        output_tokens=REPLY_TOKENS["isq" if prompt.kind == "isq" else "choice", explain],
        off=text * TEXT_WITHIN + form + shown * rule.within,
    )

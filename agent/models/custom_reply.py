"""What a package's model gave, held to what a reply is: ledgers and estimates take it as it is."""

from __future__ import annotations

import math
from dataclasses import replace
from numbers import Integral, Real

from agent.models.base import Reply

_MOST_TOKENS = 10**12  # beyond what any call reads or writes


def check_reply(reply: Reply) -> Reply:
    """Return a reply with plain numbers, and no vector; raises ``ValueError`` in words.

    A vector would be kept as the index's own encoder's, which nobody here can check.
    """
    if not isinstance(reply.text, str):
        raise ValueError(f"text is {_tell(reply.text)}, and no str")
    for name, text in (
        ("reason", reply.reason),
        ("description", reply.description),
        ("screen_text", reply.screen_text),
        ("served", reply.served),
    ):
        if text is not None and not isinstance(text, str):
            raise ValueError(f"{name} is {_tell(text)}, and neither str nor None")
    if not (isinstance(reply.cached, bool) and isinstance(reply.filtered, bool)):
        raise ValueError("cached or filtered is neither True nor False")
    return replace(
        reply,
        p_yes=_read_probability(reply.p_yes),
        image_vector=None,
        input_tokens=_read_count("input_tokens", reply.input_tokens),
        output_tokens=_read_count("output_tokens", reply.output_tokens),
        cache_read_tokens=_read_count("cache_read_tokens", reply.cache_read_tokens),
        cache_write_tokens=_read_count("cache_write_tokens", reply.cache_write_tokens),
        reasoning_tokens=_read_count("reasoning_tokens", reply.reasoning_tokens),
        cost_usd=_read_cost(reply.cost_usd),
        notes=_read_notes(reply.notes),
    )


def _read_probability(p_yes: object) -> float | None:
    if p_yes is None:
        return None
    if not isinstance(p_yes, Real) or not 0 <= (number := _as_float(p_yes)) <= 1:
        raise ValueError(f"p_yes is {_tell(p_yes)}, and a probability is from 0 to 1")
    return number


def _read_count(name: str, count: object) -> int | None:
    if count is None:
        return None
    if isinstance(count, bool) or not isinstance(count, Integral) or not _is_count(count):
        raise ValueError(f"{name} is {_tell(count)}, and a count is an int from 0 to 10**12")
    return int(count)


def _is_count(count: Integral) -> bool:
    return 0 <= int(count) <= _MOST_TOKENS


def _read_cost(cost: object) -> float | None:
    if cost is None:
        return None
    if not isinstance(cost, Real) or not 0 <= (number := _as_float(cost)) < math.inf:
        raise ValueError(f"cost_usd is {_tell(cost)}, and dollars are a number from 0")
    return number


def _as_float(number: Real) -> float:
    """A number as it is, and one that no float holds as infinity."""
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _read_notes(notes: object) -> dict[str, str]:
    if not isinstance(notes, dict):
        raise ValueError(f"notes are {_tell(notes)}, and no dict")
    return {str(name): str(words) for name, words in notes.items()}


def _tell(thing: object) -> str:
    try:
        return f"{thing!a:.60}"
    except ValueError:  # an int of more digits than Python writes
        return f"of {type(thing).__name__} and cannot be written"

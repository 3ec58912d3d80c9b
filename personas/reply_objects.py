"""Reads a reply that is a JSON object: which of its fields say something, and what.

``{"answer": "yes"}``, ``{"decision": {"answer": true}}`` and ``{"keep_watching": false}`` say their
answer as plainly as a line of text; they are turned into such lines and read by the same rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from personas.answer_words import languages
from personas.own_questions import labels_stance
from personas.reply_text import EXPLANATION, ReplyParts

_FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL | re.IGNORECASE)
_ANSWERS = re.compile(
    r"(?:(?:my|your|final|user|persona) )*"
    r"(?:answer|response|reply|decision|verdict|choice|vote|result|output|action)"
)
_REASONS = re.compile(r"reason|reasoning|explanation|rationale|why|justification")
_DEEPEST = 3


def object_parts(text: str) -> ReplyParts | None:
    """Return what a reply says that is one JSON object; ``None`` where it is none.

    An object that was cut off within its last text is read when the text is not the answer.
    """
    fenced = _FENCE.fullmatch(text)
    fields = _loaded(fenced[1] if fenced else text)
    if fields is None:
        return None
    said = "\n".join(_lines(fields, _DEEPEST))
    reason, description = _text(fields, _REASONS), _text(fields, re.compile("description"))
    return ReplyParts(said, reason, description)


def _loaded(text: str) -> dict[str, Any] | None:
    for rest in ("", '"}'):
        try:
            fields: Any = json.loads(text + rest, object_pairs_hook=_lower_keys)
        except (ValueError, RecursionError):
            continue
        if not isinstance(fields, dict):
            return None
        cut = rest and list(_lines(dict([fields.popitem()]), _DEEPEST)) if fields else []
        return None if cut else fields
    return None


def _lines(fields: dict[str, Any], deep: int) -> Iterator[str]:
    """Return a line for each field that holds an answer."""
    for key, value in fields.items():
        name = " ".join(re.split(r"[\s_-]+", key.strip()))
        answers, said = _holds_answer(name), _said(value)
        if isinstance(value, dict) and answers and deep:
            yield from _lines(value, deep - 1)
        elif said is not None and answers:
            yield said
        elif said is not None and labels_stance(name, said.lower()):
            yield f"{name}: {said}"


def _said(value: Any) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else None


def _holds_answer(name: str) -> bool:
    return _ANSWERS.fullmatch(name) is not None or any(
        each.label and re.fullmatch(each.label, name) for each in languages()
    )


def _text(fields: dict[str, Any], keys: re.Pattern[str]) -> str | None:
    found = (value for key, value in fields.items() if keys.fullmatch(key))
    return next((value[:EXPLANATION] for value in found if isinstance(value, str)), None)


def _lower_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = {key.lower(): value for key, value in pairs}
    if len(named) < len(pairs):
        raise ValueError("a key is given twice")
    return named

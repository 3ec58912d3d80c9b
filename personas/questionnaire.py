"""The Inductive Scoring Questionnaire: its form, its score, and how a filled-in one is read."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from personas.refusals import denies, refuses
from personas.reply_parser import (
    EXPLANATION,
    REFUSED,
    UNREADABLE,
    Reading,
    missing_text,
    without_thoughts,
)

THRESHOLD = 60.0
"""ISQ's S%, 0 to 100, from which on the persona keeps watching."""

ITEMS = ("v_a", "c_s", "e_e", "v_e", "p_a", "a_d")
"""Keys of the questionnaire: four grades from 0 to 10, two switches (0 or 1)."""

_NUMBER = re.compile(r"\d{1,2}(?:\.\d{1,6})?")
_SWITCHES = {"yes": 1, "true": 1, "no": 0, "false": 0, "1": 1, "0": 0}
_STRING = r'(?P<string>"(?:[^"\\\n]|\\.)*")'
_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|#[^\n]*|/\*.*?\*/", re.DOTALL)
_LAST_COMMA = re.compile(rf"{_STRING}|,(?=\s*[}}\]])", re.DOTALL)


def _grade(item: Any) -> Any:
    """Accept a number in quotes; a range, a word or a fraction in them is none."""
    if isinstance(item, str) and _NUMBER.fullmatch(item.strip()):
        return float(item)
    return item


def _switch(item: Any) -> Any:
    """Accept true, false, yes and no, which models write for a yes-or-no item, beside 0 and 1."""
    if isinstance(item, str) and item.strip().lower() in _SWITCHES:
        return _SWITCHES[item.strip().lower()]
    if item in (0, 1) and isinstance(item, bool | int | float):
        return int(item)
    raise ValueError("neither 0 nor 1")


_Grade = Annotated[
    float, Field(strict=True, ge=0, le=10, allow_inf_nan=False), BeforeValidator(_grade)
]
_Switch = Annotated[int, BeforeValidator(_switch)]


class FilledQuestionnaire(BaseModel):
    """The reply to the Inductive Scoring Questionnaire; further keys are let be."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    v_a: _Grade
    c_s: _Grade
    e_e: _Grade
    v_e: _Grade
    p_a: _Switch
    a_d: _Switch
    reason: str | None = None
    description: str | None = None


def form(*, backwards: bool, explain: bool) -> dict[str, Any]:
    """Return the questionnaire's reply as a JSON schema, its items in the order they are asked.

    Ranges are left out: not every service takes them, and `read_isq` holds them anyway.
    """
    keys = reversed(ITEMS) if backwards else ITEMS
    fields: dict[str, Any] = {
        key: {"type": "integer" if key in ITEMS[4:] else "number"} for key in keys
    }
    if explain:
        fields |= {"reason": {"type": "string"}, "description": {"type": "string"}}
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def percent(items: dict[str, float]) -> float:
    """Return S%, 0 to 100: ``(v_a + c_s + e_e + v_e + 10 p_a + 10 a_d) / 60 x 100``."""
    total = sum(items[key] for key in ITEMS[:4]) + 10 * (items["p_a"] + items["a_d"])
    return round(100 * total / 60, 9)  # so that 36.0 added from tenths still reaches 60 %


def read_isq(reply: str) -> Reading:
    """Read a reply to the questionnaire: exactly one JSON object with all six items in range.

    It may stand in a code fence or between sentences, and hold comments, a comma too many and
    numbers in quotes. Two objects, a key given twice, a missing key, a number out of range, a
    range of numbers or a number in words make the reply unreadable.
    """
    text = without_thoughts(reply)
    if (missing := missing_text(reply, text)) is not None:
        return missing
    fields, around = _only_object(text or "")
    try:
        filled = FilledQuestionnaire.model_validate(fields)
    except ValidationError:
        return REFUSED if refuses(around) else UNREADABLE
    if denies(f"{around}\n{filled.reason or ''}"):
        return REFUSED
    items = {key: float(getattr(filled, key)) for key in ITEMS}
    score = percent(items)
    return Reading(
        "yes" if score >= THRESHOLD else "no",
        None,
        score,
        items,
        (filled.reason or "")[:EXPLANATION] or None,
        (filled.description or "")[:EXPLANATION] or None,
    )


def _only_object(reply: str) -> tuple[Any, str]:
    """Return the one JSON object in the reply, or ``None``, and the text around it."""
    start, end = reply.find("{"), reply.rfind("}") + 1
    if not 0 <= start < end:
        return None, reply
    around = reply[:start] + reply[end:]
    decoder = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_not_a_number)
    try:
        body = _COMMENT.sub(_only_string, reply[start:end])
        fields = decoder.decode(_LAST_COMMA.sub(_only_string, body))
    except (ValueError, RecursionError):  # a runaway reply may nest without end
        return None, reply
    return (None if "{" in around or "}" in around else fields), around


def _only_string(match: re.Match[str]) -> str:
    return match["string"] or ""


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)


def _not_a_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

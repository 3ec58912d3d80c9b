"""How a model's reply is read: strictly.

A reply that is not plainly an answer has none, and says why: ``refused``, ``unreadable`` or
``empty``. The same rules hold for yes and for no, so that reading leans to neither. Refuses to
know who was asked, and what about.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from personas.refusals import refuses

Answer = Literal["yes", "no"]

THRESHOLD = 60.0
"""ISQ's S%, 0 to 100, from which on the persona keeps watching."""

LONGEST = 20_000
"""Characters. No answer needs more; a longer reply is a runaway, and unreadable."""

_EXPLANATION = 1_000
"""Characters kept of a reason and of a description."""

_INVISIBLE = str.maketrans(dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff"))
_MARKDOWN = str.maketrans({"’": "'", **dict.fromkeys('*_`#>~"“”‘«»()')})
_STOPS = ".,;:!…。，！–— "
_LABEL = re.compile(r"[\W_]*(reason|description)[\W_]*:[\W_]*(.*)", re.IGNORECASE | re.DOTALL)
_SENTENCE = re.compile(r"(?:answer ?: ?)?(?P<word>yes|no)(?P<rest>\W.*)?", re.IGNORECASE)
_LETTER = re.compile(r"(?:answer ?:? ?|statement )?([AB])\W*", re.IGNORECASE)
# How a sentence goes on after its answer. A bare space may begin "no idea", "no. 1" or "yes and
# no", so only words that can't are let through.
_GOES_ON = re.compile(
    r"[.,;:!…。，！](?! ?\d)| ?[–—]| - | (?:because|since|as|I|it|this)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Reading:
    """What a reply says."""

    answer: Answer | None
    missing: Literal["refused", "unreadable", "empty"] | None
    score: float | None = None
    """ISQ's S%, 0 to 100."""
    isq: dict[str, float] | None = None
    """The six items of the questionnaire."""
    reason: str | None = None
    description: str | None = None


_EMPTY = Reading(None, "empty")
_REFUSED = Reading(None, "refused")
_UNREADABLE = Reading(None, "unreadable")


def read_choice(reply: str, *, mirrored: bool = False) -> Reading:
    """Read a reply to a yes-or-no question.

    The first line must be ``yes`` or ``no`` (markdown, quotes, punctuation and ``Answer:``
    aside) or a sentence that begins with it: ``Yes, because...``, ``No. I...``. A reply that also
    gives the contrary answer is unreadable, and one that also refuses is refused. Lines labelled
    ``Reason:`` and ``Description:`` are kept; what the model says that the picture shows is never
    taken for its own words.

    Parameters
    ----------
    reply
        What the model wrote.
    mirrored
        Whether the opposite was asked, so that yes means no.
    """
    reply = reply.translate(_INVISIBLE).strip()
    if (missing := _no_reply(reply)) is not None:
        return missing
    said, reason, description = _sections(reply)
    if refuses(f"{said}\n{reason or ''}"):
        return _REFUSED
    lines = (_plain(line) for line in said.splitlines())
    words = [_word(line) for line in lines if line]
    if not words or words[0] is None:
        return _UNREADABLE
    contrary: Answer = "no" if words[0] == "yes" else "yes"
    if contrary in words:
        return _UNREADABLE
    return Reading(contrary if mirrored else words[0], None, reason=reason, description=description)


def read_pick(reply: str, *, mirrored: bool = False) -> Reading:
    """Read which of two was picked: the first line must be ``A`` or ``B`` and nothing else.

    Markdown, quotes, punctuation and ``Answer:`` aside. A line labelled ``Reason:`` is kept.

    Parameters
    ----------
    reply
        What the model wrote.
    mirrored
        Whether B is what is meant by yes.
    """
    reply = reply.translate(_INVISIBLE).strip()
    if (missing := _no_reply(reply)) is not None:
        return missing
    said, reason, _ = _sections(reply)
    if refuses(f"{said}\n{reason or ''}"):
        return _REFUSED
    lines = [line for line in (_plain(line) for line in said.splitlines()) if line]
    match = _LETTER.fullmatch(lines[0]) if len(lines) == 1 else None
    if match is None:
        return _UNREADABLE
    return Reading("yes" if (match[1].upper() == "A") != mirrored else "no", None, reason=reason)


def read_text(reply: str) -> Reading:
    """Read free words: there is no answer in them, only what keeps them from being any."""
    reply = reply.translate(_INVISIBLE).strip()
    if (missing := _no_reply(reply)) is not None:
        return missing
    return _REFUSED if refuses(reply) else Reading(None, None)


def _no_reply(reply: str) -> Reading | None:
    if not reply:
        return _EMPTY
    return _UNREADABLE if len(reply) > LONGEST else None


def _sections(reply: str) -> tuple[str, str | None, str | None]:
    """Split a reply at its labels into what was said, the reason and the description."""
    parts: dict[str, list[str]] = {"": []}
    label = ""
    for line in reply.splitlines():
        match = _LABEL.fullmatch(line)
        if match is not None:
            label = match[1].lower()
        parts.setdefault(label, []).append(line if match is None else match[2])
    said, reason, description = (
        "\n".join(parts.get(name, [])).strip() for name in ("", "reason", "description")
    )
    return said, reason[:_EXPLANATION] or None, description[:_EXPLANATION] or None


def _plain(line: str) -> str:
    return " ".join(line.translate(_MARKDOWN).split()).strip("' -•")


def _word(line: str) -> Answer | None:
    """Return the answer that a line gives, if it plainly gives one."""
    match = _SENTENCE.fullmatch(line)
    if match is None:
        return None
    word: Answer = "yes" if match["word"].lower() == "yes" else "no"
    rest = match["rest"] or ""
    if not rest.strip(_STOPS):
        return word
    contrary = "no" if word == "yes" else "yes"
    return word if _GOES_ON.match(rest) and not _answers(rest, contrary) else None


def _answers(rest: str, word: str) -> bool:
    """Tell whether the rest of a sentence gives ``word`` as an answer of its own.

    It does at its very beginning ("and no, since..."), at the end of a clause ("but mostly no.")
    and before a reason ("or no because..."); not as a plain word ("there is no noise here").
    """
    at_once = rf"^\W*(?:(?:and|or|but|also|maybe|perhaps)\W+)*{word}\b"
    as_clause = rf"\b{word}(?:\W*$| ?[.,;:!?…/]| (?:because|since|if)\b)"
    return re.search(f"{at_once}|{as_clause}", rest, re.IGNORECASE) is not None


def _zero_or_one(item: Any) -> Any:
    """Accept true and false, which models write for a yes-or-no item; refuse all else but 0, 1."""
    if item in (0, 1) and isinstance(item, bool | int | float):
        return int(item)
    raise ValueError("neither 0 nor 1")


_Grade = Annotated[float, Field(strict=True, ge=0, le=10, allow_inf_nan=False)]
_Switch = Annotated[int, BeforeValidator(_zero_or_one)]


class _Questionnaire(BaseModel):
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


ITEMS = ("v_a", "c_s", "e_e", "v_e", "p_a", "a_d")
"""Keys of the questionnaire: four grades from 0 to 10, two switches (0 or 1)."""


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

    It may stand in a code fence or between sentences. Two objects, a key given twice, a missing
    key, a number out of range or a number in quotes make the reply unreadable.
    """
    reply = reply.translate(_INVISIBLE).strip()
    if (missing := _no_reply(reply)) is not None:
        return missing
    fields, around = _only_object(reply)
    if refuses(around):
        return _REFUSED
    try:
        filled = _Questionnaire.model_validate(fields)
    except ValidationError:
        return _UNREADABLE
    if filled.reason and refuses(filled.reason):
        return _REFUSED
    items = {key: float(getattr(filled, key)) for key in ITEMS}
    score = percent(items)
    return Reading(
        "yes" if score >= THRESHOLD else "no",
        None,
        score,
        items,
        (filled.reason or "")[:_EXPLANATION] or None,
        (filled.description or "")[:_EXPLANATION] or None,
    )


def _only_object(reply: str) -> tuple[Any, str]:
    """Return the one JSON object in the reply, or ``None``, and the text around it."""
    start = reply.find("{")
    if start < 0:
        return None, reply
    decoder = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_not_a_number)
    try:
        fields, end = decoder.raw_decode(reply, start)
    except (ValueError, RecursionError):  # a runaway reply may nest without end
        return None, reply
    around = reply[:start] + reply[end:]
    return (None if "{" in around or "}" in around else fields), around


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)


def _not_a_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")

"""How a model's reply is read: an answer, or the reason why there is none.

A reply that is not plainly an answer has none: it is ``refused``, ``unreadable`` or ``empty``. The
same rules hold for yes and for no, so that reading leans to neither.

``{"answer": "yes"}``, ``{"decision": {"answer": true}}`` and ``{"keep_watching": false}`` say their
answer as plainly as a line of text; they are turned into such lines and read by the same rules.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from personas.answer_words import languages
from personas.refusals import denies, refuses
from personas.stay_or_leave import labels_stance
from personas.yes_or_no import Answer, find_answer

LONGEST = 20_000
"""Characters. No answer needs more; a longer reply is a runaway, and unreadable."""

EXPLANATION = 1_000
"""Characters kept of a reason and of a description."""

_INVISIBLE = str.maketrans(dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\ufe0f\u200e\u200f"))
_OPENED = r"<(?:think|thinking|thought|reasoning)>|\[think\]|◁think▷|<\|begin_of_thought\|>"
_CLOSED = r"</(?:think|thinking|thought|reasoning)>|\[/think\]|◁/think▷|<\|end_of_thought\|>"
_THOUGHT = re.compile(rf"{_OPENED}|(?P<end>{_CLOSED})", re.IGNORECASE)
_TOKEN = re.compile(r"<\|[^<>|\n]{1,40}\|>|</?s>|<eos>|<pad>|<end_of_\w+>|\[/?INST\]")
_TAG = re.compile(
    r"</?(?P<name>answer|final_answer|b|i|em|strong|p|br|u|code)\s*/?>", re.IGNORECASE
)
_BOXED = re.compile(r"\$*\\boxed\{(?:\\(?:text|textbf|mathrm)\{)?([^{}\n]{0,40})\}{1,2}\$*")
_MARKDOWN = str.maketrans({"’": "'", "‘": "'", "`": " ", **dict.fromkeys('*_#>~"“”«»「」『』„')})
_LABEL = re.compile(r"[\W_]*(reason|description)[\W_]*[:：][\W_]*(.*)", re.IGNORECASE | re.DOTALL)
_INLINE = re.compile(r"([.!?。！？]\**) +(?=\**(?:Reason|Description)\**[:：])")
_WEIGHED = re.compile(
    r"^[^\w\n]*_{0,2}(?:pros?|cons?|contra|for|against|upsides?|downsides?|advantages|disadvantages|likes"
    r"|dislikes|vorteile|nachteile|dafür|dagegen|ventajas|desventajas|avantages|inconvénients|pour"
    r"|contre|vantagens|desvantagens|vantaggi|svantaggi|voordelen|nadelen|плюсы|минусы|за|против"
    r"|zalety|wady|artılar|eksiler|优点|缺点|優點|缺點|メリット|デメリット|장점|단점)_{0,2}[^\w\n]*$"
    r"(?:\n{1,3}[ \t]*(?:[-•*+–]|\d+[.)])[ \t][^\n]*)+",
    re.IGNORECASE | re.MULTILINE,
)
"""What speaks for a video and against it, in lists: no item of them is an answer."""


@dataclass(frozen=True)
class ReplyParts:
    """What a reply says, and what it gives as its reason and as what is shown."""

    said: str
    reason: str | None = None
    description: str | None = None


def without_thoughts(reply: str) -> str | None:
    """Return what follows the model's thinking aloud; ``None`` where it never got to the end.

    Some chat templates open the thought themselves, so a closing tag may stand alone.
    """
    reply = reply.translate(_INVISIBLE)
    marks = list(_THOUGHT.finditer(reply))
    ends = [mark for mark in marks if mark["end"]]
    rest = reply[ends[-1].end() :] if ends else reply
    opened = next(
        (mark for mark in marks if not mark["end"] and mark.end() > len(reply) - len(rest)), None
    )
    if opened is not None:
        return None
    return rest.strip()


def split_reply(reply: str) -> ReplyParts:
    parts: dict[str, list[str]] = {"": []}
    label = ""
    reply = _WEIGHED.sub("\n", _unwrapped(reply))
    for line in _INLINE.sub(r"\1\n", reply).splitlines():
        match = _LABEL.fullmatch(line)
        if match is not None:
            label = match[1].lower()
        parts.setdefault(label, []).append(line if match is None else match[2])
    said, reason, description = (
        "\n".join(parts.get(name, [])).strip() for name in ("", "reason", "description")
    )
    return ReplyParts(said, reason[:EXPLANATION] or None, description[:EXPLANATION] or None)


def plain(text: str) -> str:
    """Return text in lower case, in one width of letters, without markdown, a line a line."""
    lowered = unicodedata.normalize("NFKC", text.translate(_MARKDOWN)).lower()
    lowered = lowered.replace("i\u0307", "i")  # what Python makes of a Turkish capital
    lines = (" ".join(line.split()).strip("' -•–—") for line in lowered.splitlines())
    return "\n".join(line for line in lines if line)


def _unwrapped(reply: str) -> str:
    reply = _TOKEN.sub(" ", reply)
    reply = _BOXED.sub(r"\n\1\n", reply)
    return _TAG.sub(lambda tag: "\n" if "answer" in tag["name"].lower() else "", reply).strip()


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


_LETTER = re.compile(r"(?:answer ?:? ?|statement )?\(?([ab])\W*")


@dataclass(frozen=True)
class Reading:
    """What a reply says."""

    answer: Answer | None
    missing: Literal["refused", "unreadable", "empty"] | None
    score: float | None = None
    """ISQ's S%, 0 to 100."""
    isq: dict[str, float] | None = None
    reason: str | None = None
    description: str | None = None


REFUSED = Reading(None, "refused")
UNREADABLE = Reading(None, "unreadable")
_EMPTY = Reading(None, "empty")


@lru_cache(maxsize=256)
def read_choice(reply: str, *, mirrored: bool = False) -> Reading:
    """Read a reply to a yes-or-no question; ``mirrored`` means that yes means no.

    The answer is looked for first (`personas.yes_or_no`), so that "No, I won't watch it" is a no. A
    reply whose writer denies being able to answer or to see is refused all the same. Lines labelled
    ``Reason:`` and ``Description:`` are kept; what the model says that the picture shows is never
    taken for its own words.
    """
    text = without_thoughts(reply)
    if (missing := missing_text(reply, text)) is not None:
        return missing
    parts = _parts(text or "")
    own = f"{parts.said}\n{parts.reason or ''}"
    word = find_answer(plain(parts.said), plain(parts.reason or ""), mirrored=mirrored)
    if denies(own) or (word is None and refuses(own)):
        return REFUSED
    if word is None:
        return UNREADABLE
    contrary: Answer = "no" if word == "yes" else "yes"
    answer = contrary if mirrored else word
    return Reading(answer, None, reason=parts.reason, description=parts.description)


def read_pick(reply: str, *, mirrored: bool = False) -> Reading:
    """Read which of two was picked: the reply must be ``A`` or ``B`` and nothing else.

    Markdown, quotes, punctuation and ``Answer:`` aside. A line labelled ``Reason:`` is kept.
    ``mirrored`` means that B is what is meant by yes.
    """
    text = without_thoughts(reply)
    if (missing := missing_text(reply, text)) is not None:
        return missing
    parts = split_reply(text or "")
    lines = plain(parts.said).splitlines()
    match = _LETTER.fullmatch(lines[0]) if len(lines) == 1 else None
    own = f"{parts.said}\n{parts.reason or ''}"
    if denies(own) or (match is None and refuses(own)):
        return REFUSED
    if match is None:
        return UNREADABLE
    return Reading("yes" if (match[1] == "a") != mirrored else "no", None, reason=parts.reason)


def read_text(reply: str) -> Reading:
    """Read free words: there is no answer in them, only what keeps them from being any."""
    text = without_thoughts(reply)
    if (missing := missing_text(reply, text)) is not None:
        return missing
    return REFUSED if refuses(text or "") else Reading(None, None)


def missing_text(reply: str, text: str | None) -> Reading | None:
    """Tell whether there is nothing to read: no reply, a runaway, or a thought without an end."""
    if text is None or len(reply) > LONGEST:
        return UNREADABLE
    return None if text else _EMPTY


def _parts(text: str) -> ReplyParts:
    whole = object_parts(text)
    if whole is not None:
        return whole
    parts = split_reply(text)
    if "{" not in parts.said:
        return parts
    inner = object_parts(parts.said)  # an object that can't be read holds no answer
    return replace(parts, said="" if inner is None else inner.said)

"""How a model's reply is read: an answer, or the reason why there is none.

A reply that is not plainly an answer has none: it is ``refused``, ``unreadable`` or ``empty``. The
same rules hold for yes and for no, so that reading leans to neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from personas.answers import Answer, find_answer
from personas.refusals import denies, refuses
from personas.reply_text import (
    LONGEST,
    ReplyParts,
    object_parts,
    plain,
    split_reply,
    without_thoughts,
)

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


def read_choice(reply: str, *, mirrored: bool = False) -> Reading:
    """Read a reply to a yes-or-no question; ``mirrored`` means that yes means no.

    The answer is looked for first (`personas.answers`), so that "No, I won't watch it" is a no. A
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

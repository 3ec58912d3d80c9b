"""Questions and labels of a reply's own, which say what its yes or no is an answer to.

"Skip? No." and "Keep watching: no" hold the same word and mean the contrary. A reply that puts the
question as it was asked is read as it stands; one that puts the opposite question, plainly and just
before its answer, is turned round; any other about the opposite makes the answer unreadable.
"""

from __future__ import annotations

import re
from typing import Literal

from personas.answer_words import languages_of
from personas.stance import LEAVES, STAYS, Stance, stems_of

OwnQuestion = Literal["stay", "leave", "unclear"]

_OPEN = re.compile(
    r"\W*(?:(?:and|so|but|or|well|then|hmm+|oh|ok|okay|because)\b\W*)*"
    r"(?:(?:why|who|whom|whose|how|what|when|where|which|warum|wieso|wer|wie|por qu[eé]|quién|cómo"
    r"|pourquoi|comment|perché|quem|waarom|почему|зачем|кто|чому|хто|dlaczego|kto|neden|niye|mengapa"
    r"|kenapa|tại sao)\b|.*(?:为什么|為什麼|谁会|怎么|なぜ|どうして|誰が|왜|누가|لماذا|क्यों|कौन))"
)
_PLAIN = re.compile(
    r"\W*(?:(?:question|so|ok|okay|well|hmm+|now|me)\b\W*)*"
    r"(?:(?:(?:would|will|do|should|can|could|am|shall) )?(?:i|you|this person"
    r"|the persona)\b(?:'d|'ll)?"
    r"|would|will|want|should|decision|going)?"
    r"(?: ?(?:really|actually|just|still|now|want|wants|to|would|will|like to|be|going))*"
    rf" ?(?:not )?(?:{STAYS}|{LEAVES}|watch\b)(?: (?:it|this|that|the|on|away|past|along|over|and"
    rf"|watch|video"
    r"|clip|reel|short|one|until|till|to|end|or not|please|content|more|further|now))*\W*"
)
_STAYS, _LEAVES = (
    re.compile(rf"\b(?:{STAYS}|watch\b)"),
    re.compile(rf"\b(?:{LEAVES}|put \w+ off\b)"),
)
_DENIED = re.compile(r"\bnot\b")
_UNCLEAR = re.compile(r"n't\b|\b(?:never|normally|usually|ever|sometimes|or (?!not\b))\b")
_LABEL = re.compile(r"(?P<label>[^:=?.!\n]{2,48}?)\s*\??\s*[:=]+\s*(?P<rest>\S.*)")
_SHORT = 3
"""Words of a question in another language than English that is plain enough to be turned round."""


def asks(question: str, word: str | None) -> OwnQuestion | None:
    """Return what a question is about: staying, leaving, neither (``None``), or not plainly one.

    Parameters
    ----------
    question
        In lower case.
    word
        The word for an answer that follows it, which tells its language, if one does.
    """
    question = question.strip(" ?؟¿")
    if _OPEN.match(question):
        return None
    found = _stance(question)
    if found is None:
        return _foreign(question, word)
    return found


def is_plain(question: str) -> bool:
    """Tell whether a question asks the writer about staying or leaving, and no more."""
    return _PLAIN.fullmatch(question) is not None or len(question.split()) <= _SHORT


def split_label(line: str) -> tuple[str, str] | None:
    """Split "Keep watching: yes" into its label and its value; ``None`` where there is no label."""
    match = _LABEL.fullmatch(line)
    return None if match is None else (match["label"].strip(), match["rest"].strip())


def labels_stance(label: str, word: str | None) -> bool:
    """Tell whether a label is plainly about staying or leaving."""
    if _PLAIN.fullmatch(label):
        return _stance(label) in ("stay", "leave")
    return len(label.split()) <= _SHORT and _foreign(label, word) in ("stay", "leave")


def _stance(text: str) -> OwnQuestion | None:
    stays = _STAYS.search(text) is not None
    leaves = _LEAVES.search(_STAYS.sub(" ", text)) is not None
    if not stays and not leaves:
        return None
    if (stays and leaves) or _UNCLEAR.search(text):
        return "unclear"
    return "stay" if stays != (_DENIED.search(text) is not None) else "leave"


def _foreign(text: str, word: str | None) -> OwnQuestion | None:
    found: set[Stance] = set()
    for language in languages_of(word) if word else ():
        found |= stems_of(text, language)
    if len(found) > 1:
        return "unclear"
    return next(iter(found), None)

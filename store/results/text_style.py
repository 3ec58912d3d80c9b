"""What a text looks like from outside: its length and its surface style, as numbers.

Refuses to know what a text says, and whether it is true.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_WORD = re.compile(r"[\w'’-]+")
_SENTENCE_END = re.compile(r"[.!?…]+(?=\s|$)")
_CONTRACTION = re.compile(r"\w['’](?:s|t|re|ve|ll|d|m)\b", re.IGNORECASE)


def listed(text: str) -> frozenset[str]:
    """Words of a list with spaces between."""
    return frozenset(text.split())


_SPEAKER = listed("i me my mine we us our ours you your yours myself")
_FUNCTION = listed(
    "a an the and or but of in on at to by for with from is are was were be has have had it its "
    "this that these those there here while as"
)

FEATURES = (
    "characters",
    "words",
    "sentences",
    "letters_a_word",
    "commas",
    "emphasis",
    "other_marks",
    "capitals",
    "digits",
    "contractions",
    "speaker",
    "function_words",
    "distinct_words",
)
"""Names of the numbers, in order."""


def words(text: str) -> list[str]:
    """Words of a text, as they stand."""
    return _WORD.findall(text)


def sentences(text: str) -> list[str]:
    """Sentences of a text, each with its end."""
    parts, start = [], 0
    for end in _SENTENCE_END.finditer(text):
        parts.append(text[start : end.end()].strip())
        start = end.end()
    if rest := text[start:].strip():
        parts.append(rest)
    return parts


def surface(text: str) -> Mapping[str, float]:
    """Length and surface style; ``capitals``, ``function_words`` and ``distinct_words`` are shares.

    ``emphasis`` counts exclamation marks, question marks, dots of omission and whatever is no
    plain character (such as emoji); ``other_marks`` semicolons, colons, brackets, dashes, quotes.
    """
    found = words(text)
    low = [word.lower() for word in found]
    count = max(len(found), 1)
    letters = [letter for letter in text if letter.isalpha()]
    strange = sum(ord(letter) > 0x2100 for letter in text)
    numbers = (
        len(text),
        len(found),
        len(sentences(text)),
        sum(map(len, found)) / count,
        text.count(","),
        sum(text.count(mark) for mark in ("!", "?", "…", "...")) + strange,
        sum(text.count(mark) for mark in ';:()[]–—“”"*#@'),
        sum(letter.isupper() for letter in letters) / max(len(letters), 1),
        sum(letter.isdigit() for letter in text),
        len(_CONTRACTION.findall(text)),
        sum(word in _SPEAKER for word in low),
        sum(word in _FUNCTION for word in low) / count,
        len(set(low)) / count,
    )
    return dict(zip(FEATURES, map(float, numbers), strict=True))

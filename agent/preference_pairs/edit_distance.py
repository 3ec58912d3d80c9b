"""What an edit changed in a text, and whether that is one local error in the same style.

Only words are compared: agreement (a and an, singular and plural, is and are) is no change of its
own. Refuses to know the frame, and so whether what was changed is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from store.results.preference_pairs import Checks, ErrorKind, Reason
from store.results.text_style import listed, sentences, surface, words

LENGTH = 0.15
"""Share of the accepted text's characters by which the rejected may be longer or shorter."""
KEPT = 0.6
"""Share of the accepted words that must be kept; a text that keeps fewer was rewritten."""
MOST_CHANGED: dict[ErrorKind, int] = {
    "object": 3,
    "attribute": 2,
    "relation": 3,
    "count": 2,
    "place": 4,
    "action": 3,
    "persona": 4,
}
"""Content words that one error of a kind may take."""
STYLE: dict[str, tuple[float, float]] = {
    "sentences": (0, 0),
    "emphasis": (0, 0),
    "other_marks": (0, 0),
    "contractions": (0, 0),
    "speaker": (0, 0),
    "commas": (1, 0),
    "digits": (1, 0),
    "capitals": (0.02, 0.5),
    "letters_a_word": (0, 12),
    "function_words": (0, 2.5),
}
"""By how much a feature may differ: a constant, and a number divided by the words of the text."""

_ALIKE = {
    "an": "a",
    "are": "is",
    "were": "was",
    "have": "has",
    "do": "does",
    "men": "man",
    "women": "woman",
    "children": "child",
    "people": "person",
    "feet": "foot",
}
_SMALL = listed("a the of to in on at is was has does and or with it its")
_BRIDGES = listed("a the of to")
_NUMBERS = listed(
    "no one two three four five six seven eight nine ten eleven twelve dozen several many few "
    "some single lone pair couple both all hundred thousand"
)
_LABEL = re.compile(r"^(?:rewritten(?: text)?|text)\s*:\s*", re.IGNORECASE)
_QUOTES = "\"“”'‘’*` "


@dataclass(frozen=True)
class Edit:
    """Two texts compared."""

    rejected: str
    statements: tuple[str, str]
    swapped: tuple[str, str]
    checks: Checks
    reason: Reason | None
    """What is wrong with the edit as a text; ``None`` where nothing is."""


def cleaned(reply: str) -> str:
    """Return a reply as one line, without a label before it and quotes around it."""
    text = _LABEL.sub("", " ".join(reply.split()))
    inner = text.strip(_QUOTES)
    return inner if text[:1] in _QUOTES and text[-1:] in _QUOTES else text.strip()


def compare(accepted: str, rejected: str, error: ErrorKind) -> Edit:
    """Measure an edit, and hold it to the rules of its kind."""
    before, after = words(accepted), words(rejected)
    old, new = [_plain(word) for word in before], [_plain(word) for word in after]
    spans, same = _spans(old, new)
    gone = [word for start, end, _, _ in spans for word in old[start:end]]
    come = [word for _, _, start, end in spans for word in new[start:end]]
    changed = max(_content(gone), _content(come))
    checks = Checks(
        spans=len(spans),
        changed=changed,
        kept=round(same / max(len(old), 1), 4),
        length=round(len(rejected) / max(len(accepted), 1) - 1, 4),
        style=_style(accepted, rejected),
    )
    swapped = (
        " ".join(word for start, end, _, _ in spans for word in before[start:end]),
        " ".join(word for _, _, start, end in spans for word in after[start:end]),
    )
    reason = _reason(checks, error, set(gone), set(come))
    return Edit(rejected, _statements(accepted, rejected), swapped, checks, reason)


def _reason(checks: Checks, error: ErrorKind, gone: set[str], come: set[str]) -> Reason | None:
    if not checks.spans:
        return "unchanged"
    if abs(checks.length) > LENGTH:
        return "length"
    if checks.style or checks.kept < KEPT:
        return "style"
    numbers = gone & _NUMBERS != come & _NUMBERS
    others = bool({word for word in gone | come if word not in _NUMBERS | _SMALL})
    if checks.spans > 1 or (numbers and others and error != "persona"):
        return "several_errors"
    if error == "count" and not numbers and not any(word.isdigit() for word in gone | come):
        return "off_target"
    return "not_local" if checks.changed > MOST_CHANGED[error] else None


def _style(accepted: str, rejected: str) -> tuple[str, ...]:
    """Features that differ by more than one changed thing can explain."""
    one, other = surface(accepted), surface(rejected)
    count = max(one["words"], 1)
    return tuple(
        name
        for name, (constant, per_text) in STYLE.items()
        if abs(one[name] - other[name]) > constant + per_text / count + 1e-9
    )


def _plain(word: str) -> str:
    """A word without case and number."""
    low = word.lower()
    low = _ALIKE.get(low, low)
    if len(low) > 3 and low.endswith("s") and not low.endswith("ss"):
        return low[:-1]
    return low


def _content(part: Sequence[str]) -> int:
    return sum(word not in _SMALL for word in part)


def _spans(old: Sequence[str], new: Sequence[str]) -> tuple[list[tuple[int, int, int, int]], int]:
    """Places that differ, those with one small word between them as one; and how much is alike."""
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    found: list[tuple[int, int, int, int]] = []
    for tag, *place in matcher.get_opcodes():
        if tag == "equal":
            continue
        start, end, new_start, new_end = place
        if found and start - found[-1][1] == 1 and old[start - 1] in _BRIDGES:
            start, new_start = found[-1][0], found[-1][2]
            found.pop()
        found.append((start, end, new_start, new_end))
    return found, sum(block.size for block in matcher.get_matching_blocks())


def _statements(accepted: str, rejected: str) -> tuple[str, str]:
    """The first sentence in which they differ; all of both where sentences do not match."""
    first, second = sentences(accepted), sentences(rejected)
    if len(first) == len(second):
        for one, other in zip(first, second, strict=True):
            if one != other:
                return one, other
    return accepted, rejected

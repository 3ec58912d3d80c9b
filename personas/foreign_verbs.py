"""Answers without a word for yes or no in other languages than English: "Ich würde weiterschauen."

Only a first clause of nothing but the verb, its negation and filling words is read, so that one
about somebody else, or with a condition, is not. The same for staying and leaving.
"""

from __future__ import annotations

import re

from personas.answer_words import ENGLISH, Language, languages
from personas.stance import Stance, stems_of

_CLAUSES = re.compile(r"[.,;:!…()。，、！：；،؛।\n]+|\s[–—-]\s")
_LONGEST = 12
"""Words of a first clause."""


def foreign_stance(said: str, reason: str) -> Stance | None:
    """Return whether a plain text says, in its first clause and nowhere else, to stay or to leave.

    Parameters
    ----------
    said, reason
        A reply as `personas.reply_text.plain` text, without a question in it, and its reason.
    """
    clauses = [part for each in _CLAUSES.split(f"{said}\n{reason}") if (part := each.strip())]
    if not clauses:
        return None
    found = {
        stance
        for language in languages()
        if language.code != ENGLISH and language.fill is not None
        for stance in [_of_language(clauses, language)]
        if stance is not None
    }
    return found.pop() if len(found) == 1 else None


def _of_language(clauses: list[str], language: Language) -> Stance | None:
    first = stems_of(clauses[0], language)
    if len(first) != 1 or not _is_plain(clauses[0], language):
        return None
    if language.limits is not None and any(language.limits.search(each) for each in clauses):
        return None
    others = {stance for each in clauses for stance in stems_of(each, language)}
    return first.pop() if len(others) == 1 else None


def _is_plain(clause: str, language: Language) -> bool:
    """Tell whether a clause holds a verb for staying or leaving, and only filling words beside."""
    verbs, fill = _verbs(language), language.fill
    if fill is None:
        return False
    if language.joined:
        rest = clause
        for pattern in (*verbs, fill):
            rest = pattern.sub("", rest)
        return not rest.strip()
    words = clause.split()
    return len(words) <= _LONGEST and all(
        fill.fullmatch(word) or any(verb.search(word) for verb in verbs) for word in words
    )


def _verbs(language: Language) -> list[re.Pattern[str]]:
    patterns = (language.stay, language.leave, language.negation)
    return [pattern for pattern in patterns if pattern is not None]

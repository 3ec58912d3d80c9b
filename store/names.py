"""Finds people's names in text and puts something else in their place.

Refuses to know whose names they are and what stands in for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_MENTION = re.compile(r"@[\w.\-]*\w")
_HEAD = 4
"""Letters by which a handle is looked up; shorter handles are found by all of theirs."""
_LONG = 6
"""Letters from which a handle is replaced inside other words too; a video's own from ``_HEAD``."""


def plain(handle: str) -> str:
    """Reduce a handle to what two spellings of it share."""
    return _low(handle.strip().lstrip("@"))


def _low(text: str) -> str:
    """Lower case, letter by letter, so that places stay the same."""
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)


class Names:
    """Replaces handles.

    Parameters
    ----------
    instead
        What stands for each known handle. They are found whatever their case, with an ``@`` or
        without; short ones as whole words only.
    mention
        What stands for an ``@handle`` that is not known; ``None`` leaves it.
    """

    def __init__(
        self, instead: Mapping[str, str], mention: Callable[[str], str] | None = None
    ) -> None:
        known = {plain(handle): other for handle, other in instead.items()}
        self._instead = {handle: other for handle, other in known.items() if len(handle) > 1}
        self._mention = mention
        self._heads: dict[str, list[str]] = {}
        """Known handles by their first letters, longest first."""
        for handle in sorted(self._instead, key=len, reverse=True):
            self._heads.setdefault(handle[:_HEAD], []).append(handle)
        self._sizes = sorted({len(head) for head in self._heads}, reverse=True)

    def replace(self, text: str, own: str | None = None) -> str:
        """Replace every name in a text; ``own`` is the creator whom it is about."""
        low = _low(text)
        about = plain(own) if own else ""
        pieces: list[str] = []
        done = at = 0
        while at < len(text):
            found = self._here(text, low, at, about)
            if found is None:
                at += 1
                continue
            end, other = found
            pieces += [text[done:at], other]
            done = at = end
        return "".join([*pieces, text[done:]])

    def _here(self, text: str, low: str, at: int, about: str) -> tuple[int, str] | None:
        """End of the name that begins here, and what stands for it."""
        if text[at] == "@":
            return self._mentioned(text, low, at)
        for size in self._sizes:
            for handle in self._heads.get(low[at : at + size], ()):
                end = at + len(handle)
                within = len(handle) >= (_HEAD if handle == about else _LONG)
                if low.startswith(handle, at) and (within or _is_word(low, at, end)):
                    return end, self._instead[handle]
        return None

    def _mentioned(self, text: str, low: str, at: int) -> tuple[int, str] | None:
        """The same of a mention, which may be of nobody known."""
        mention = _MENTION.match(text, at)
        for size in self._sizes:
            for handle in self._heads.get(low[at + 1 : at + 1 + size], ()):
                end = at + 1 + len(handle)
                if low.startswith(handle, at + 1) and _is_word(low, at + 1, end):
                    return end, "@" + self._instead[handle]
        if mention is None or self._mention is None:
            return None
        return mention.end(), "@" + self._mention(mention.group())


def _is_word(text: str, start: int, end: int) -> bool:
    """Whether what stands there is no part of a longer word."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return not any(letter.isalnum() or letter == "_" for letter in before + after)

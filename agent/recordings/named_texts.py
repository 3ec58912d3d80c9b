"""What the responses of a session name: accounts and captions, known again wherever they stand."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+")
_BREAK = re.compile(r"[#@]\w[\w.]*|\n")
"""Where a page divides a caption: at hashtags, at mentions and at line ends."""
_ONE_WORD = 1

Words = tuple[str, ...]


class NamedTexts:
    """Names and captions that a site's responses hold, as words."""

    def __init__(self) -> None:
        self._names: set[Words] = set()
        self._captions: set[Words] = set()
        self._pieces: set[Words] = set()
        """Captions and what lies between their hashtags, as a page may show them alone."""

    def add_name(self, text: str) -> None:
        """Know a handle, a display name, a hashtag or an id."""
        if words := _words(text):
            self._names.add(words)

    def add_caption(self, text: str) -> None:
        whole = _words(text)
        if len(whole) > _ONE_WORD:
            self._captions.add(whole)
        self._pieces |= {words for piece in (text, *_BREAK.split(text)) if (words := _words(piece))}

    def is_name(self, text: str) -> bool:
        """Whether a text is a name, and nothing beside it."""
        return _words(text) in self._names

    def tells(self, text: str, *, part: bool) -> bool:
        """Whether a text names somebody or is of a caption.

        ``part``: it may be a part of a text, so that two words in a row of a caption are one.
        """
        words = _words(text)
        if words in self._names or words in self._pieces:
            return True
        names = (one for one in self._names if len(one) > _ONE_WORD)
        if any(_is_within(one, words) for one in (*names, *self._captions)):
            return True
        return part and len(words) > _ONE_WORD and any(_is_within(words, c) for c in self._captions)


def _words(text: str) -> Words:
    return tuple(_WORD.findall(text.lower()))


def _is_within(part: Words, whole: Words) -> bool:
    size = len(part)
    return any(whole[start : start + size] == part for start in range(len(whole) - size + 1))

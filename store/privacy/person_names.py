"""Finds people's names in text, however they are spelled, and puts something else in their place.

Names and texts are compared by their letters and digits alone: compatible forms made one (NFKD,
Unicode Standard Annex 15), marks on letters and case dropped. So ``jane.doe_92`` is found as
``#JaneDoe92``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

_INVISIBLE = "\u00ad\u200b-\u200f\u2060-\u2064\ufeff"
_MENTION = re.compile(rf"[@＠﹫][\w.\-{_INVISIBLE}]*\w")
_MARKS = ("@", "＠", "﹫", "#", "＃", "﹟")
"""What begins a mention or a tag: what follows is taken for a name more easily."""
_JOINERS = "._-~·'’"
"""What may stand within a name without parting it, as nothing may."""
_HEAD = 4
"""Letters by which a name is looked up; shorter names are found by all of theirs."""
_LONG = 6
"""Letters from which a name is replaced inside other words too; a video's own from ``_HEAD``."""
_UNSEEN = ("Cf", "Mn")
"""Categories of characters that join or mark letters and are none."""
_WIDEST_GAP = 3
"""Characters between two parts of a name that is written apart."""
_SHORTEST_ID = 8
"""Letters from which an id is looked for; a shorter one stands for nothing elsewhere."""


def plain(handle: str) -> str:
    """Reduce a handle to what two spellings of it share; dots and dashes tell people apart."""
    return unicodedata.normalize("NFKC", handle).strip().lstrip("@").casefold()


def skeleton(text: str) -> str:
    """Reduce a text to its letters and digits, as names are compared."""
    return _letters(text).text


@dataclass(frozen=True, slots=True)
class _Letters:
    """Letters of a text, and where each stands in it."""

    text: str
    at: tuple[int, ...]
    """Place in the text that a letter is of; several may be of one."""

    def starts(self, place: int) -> bool:
        """Whether a letter is the first of its character; so is the end."""
        return place in (0, len(self.at)) or self.at[place] != self.at[place - 1]


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    parts = unicodedata.normalize("NFKD", character).casefold()
    return "".join(part for part in parts if part.isalnum())


def _joins(character: str) -> bool:
    compatible = unicodedata.normalize("NFKC", character)
    return compatible in _JOINERS or unicodedata.category(character) in _UNSEEN


def _letters(text: str) -> _Letters:
    found = [(letter, at) for at, character in enumerate(text) for letter in _folded(character)]
    return _Letters("".join(letter for letter, _ in found), tuple(at for _, at in found))


@dataclass(frozen=True, slots=True)
class _Name:
    """A name that is looked for."""

    plain: str
    letters: str
    borders: frozenset[int]
    """Places between its parts, where more than a joiner may stand."""
    instead: str
    anywhere: bool = False
    """Whether it is found inside words, however short."""

    @classmethod
    def of(cls, name: str, instead: str, *, anywhere: bool = False) -> _Name:
        bare = unicodedata.normalize("NFKC", name).strip().lstrip("@")
        letters = _letters(bare)
        borders = {
            place
            for place in range(1, len(letters.at))
            if _parts(bare, letters.at[place - 1], letters.at[place])
        }
        return cls(plain(name), letters.text, frozenset(borders), instead, anywhere)


def _parts(name: str, before: int, here: int) -> bool:
    """Whether two neighbouring letters of a name belong to different parts of it."""
    one, two = name[before], name[here]
    apart = here - before > 1 or one.isdigit() != two.isdigit()
    return apart or (one.islower() and two.isupper())


@dataclass(frozen=True, slots=True)
class NameFound:
    """Where a name stands in a text, from ``start`` to before ``end``."""

    start: int
    end: int
    instead: str


class Names:
    """Replaces names; of several that fit, the longest one.

    Known handles (``instead``) are found in any spelling, with an ``@`` or without; short ones as
    whole words only, and spelled as they are. ``mention`` makes what stands for an ``@handle`` that
    is not known; ``None`` leaves it. ``ids`` are found wherever they stand, short ones not at all.
    """

    def __init__(
        self,
        instead: Mapping[str, str],
        mention: Callable[[str], str] | None = None,
        ids: Mapping[str, str] | None = None,
    ) -> None:
        self._mention = mention
        self._names: dict[str, list[_Name]] = {}
        """By their letters; several people's may be the same."""
        known = [_Name.of(handle, other) for handle, other in instead.items()]
        known += [_Name.of(key, other, anywhere=True) for key, other in (ids or {}).items()]
        for name in known:
            if len(name.letters) >= (_SHORTEST_ID if name.anywhere else 2):
                self._names.setdefault(name.letters, []).append(name)
        sizes: dict[str, set[int]] = {}
        for letters in self._names:
            sizes.setdefault(letters[:_HEAD], set()).add(len(letters))
        self._sizes = {head: sorted(found, reverse=True) for head, found in sizes.items()}
        """Lengths of the names that begin so, longest first."""

    def replace(self, text: str, own: str | None = None) -> str:
        """Replace every name in a text; ``own`` is the creator whom it is about."""
        pieces: list[str] = []
        done = 0
        for name in self._found(text, own):
            pieces += [text[done : name.start], name.instead]
            done = name.end
        return "".join([*pieces, text[done:]])

    def find(self, text: str) -> list[NameFound]:
        return list(self._found(text, None))

    def _found(self, text: str, own: str | None) -> Iterator[NameFound]:
        place_of: dict[int, int] = {}
        letters = _letters(text)
        for place, at in enumerate(letters.at):
            place_of.setdefault(at, place)
        mentions = {each.start(): each for each in _MENTION.finditer(text)}
        look = _Look(text, letters, plain(own) if own else "")
        at = 0
        while at < len(text):
            if at in mentions:
                look.within = mentions[at].end()
                found = self._mentioned(look, mentions[at], place_of)
            else:
                found = self._here(look, at, place_of[at]) if at in place_of else None
            if found is not None:
                yield found
            at = at + 1 if found is None else found.end

    def _mentioned(
        self, look: _Look, mention: re.Match[str], place_of: Mapping[int, int]
    ) -> NameFound | None:
        """The whole mention, of somebody known or not; never the beginning of it."""
        start, end = mention.span()
        first = next((at for at in range(start, end) if at in place_of), None)
        known = None if first is None else self._here(look, first, place_of[first], end)
        if known is not None:
            return NameFound(start, known.end, f"@{known.instead}")
        if self._mention is None:
            return None
        return NameFound(start, end, f"@{self._mention(mention.group())}")

    def _here(self, look: _Look, at: int, place: int, least: int = 0) -> NameFound | None:
        """The longest name that begins at a letter, and does not end before ``least``."""
        for size in range(_HEAD, 1, -1):
            for length in self._sizes.get(look.letters.text[place : place + size], ()):
                key = look.letters.text[place : place + length]
                fitting = [name for name in self._names.get(key, ()) if look.fits(place, name)]
                end = look.end(place, length)
                if fitting and end >= least:
                    spelled = plain(look.text[at:end])
                    best = next((name for name in fitting if name.plain == spelled), fitting[0])
                    return NameFound(at, end, best.instead)
        return None


@dataclass(slots=True)
class _Look:
    text: str
    letters: _Letters
    about: str
    """The creator whom it is about, plainly."""
    within: int = -1
    """End of the mention that was met last."""

    def end(self, place: int, length: int) -> int:
        return (
            self.letters.at[place + length - 1] + 1
            if place + length <= len(self.letters.at)
            else -1
        )

    def fits(self, place: int, name: _Name) -> bool:
        """Whether the letters that stand here are a name, and not a part of something else."""
        size = len(name.letters)
        if not self.letters.starts(place + size) or not self._together(place, name):
            return False
        if name.anywhere or size >= (_HEAD if name.plain == self.about else _LONG):
            return True
        start, end = self.letters.at[place], self.end(place, size)
        spelled = plain(self.text[start:end]) == name.plain
        return (spelled or self.text[start - 1 : start] in _MARKS) and self._is_word(start, end)

    def _together(self, place: int, name: _Name) -> bool:
        """Whether nothing parts the letters but joiners, and blanks where the name has a border."""
        for number in range(1, len(name.letters)):
            gap = self.text[
                self.letters.at[place + number - 1] + 1 : self.letters.at[place + number]
            ]
            if all(_joins(each) for each in gap):
                continue
            apart = number in name.borders and len(gap) <= _WIDEST_GAP
            if not apart or not all(_joins(each) or each.isspace() for each in gap):
                return False
        return True

    def _is_word(self, start: int, end: int) -> bool:
        """Whether what stands there is no part of a longer word, or of a longer mention."""
        before, after = self.text[start - 1 : start], self.text[end : end + 1]
        inside = "".join((before * (start < self.within), after * (end < self.within)))
        longer = any(letter.isalnum() or letter == "_" for letter in before + after)
        return not longer and not any(letter in ".-" for letter in inside)

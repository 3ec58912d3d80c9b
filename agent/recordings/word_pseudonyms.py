"""Pseudonyms of the same shape as what they stand for, made with a key that nobody keeps."""

from __future__ import annotations

import hashlib
import re
import secrets

RUN = re.compile(r"\w+")
"""A run of word characters: what is replaced as a whole."""
_STRANGE = re.compile(r"[^\w\x20-\x7e\t\n]")
_MARK = "☆"
_TRIES = 100
_DIGITS, _LETTERS = "0123456789", "abcdefghijklmnopqrstuvwxyz"


class WordPseudonyms:
    """Replaces runs of word characters: the same run by the same pseudonym, two by two.

    Digits stay digits and letters letters, of the same number and case. What stands between the
    runs stays where it is ASCII, so that a hashtag stays a hashtag.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._made: dict[str, str] = {}
        self._taken: set[str] = set()

    def replace(self, text: str) -> str:
        """Replace every run of a text; other characters than ASCII become a mark."""
        return _STRANGE.sub(_MARK, RUN.sub(lambda run: self._of(run[0]), text))

    def _of(self, run: str) -> str:
        plain = run.lower() if len(run.lower()) == len(run) else run
        if plain not in self._made:
            self._made[plain] = self._draw(plain)
            self._taken.add(self._made[plain])
        return "".join(
            made.upper() if given.isupper() else made
            for given, made in zip(run, self._made[plain], strict=True)
        )

    def _draw(self, plain: str) -> str:
        """Draw one that no other run has, where there are enough of that shape."""
        made = plain
        for turn in range(_TRIES):
            seed = self._key + turn.to_bytes(2, "big") + plain.encode("utf-8", "replace")
            drawn = hashlib.shake_256(seed).digest(4 * len(plain))
            made = "".join(
                _draw_character(character, int.from_bytes(drawn[4 * at : 4 * at + 4], "big"), at)
                for at, character in enumerate(plain)
            )
            if made not in self._taken and (made != plain or len(plain) < 3):
                break
        return made


def _draw_character(character: str, number: int, place: int) -> str:
    if character == "_":
        return "_"
    if character.isdigit():
        if place:
            return _DIGITS[number % 10]
        return "0" if character == "0" else _DIGITS[1 + number % 9]
    return _LETTERS[number % 26]

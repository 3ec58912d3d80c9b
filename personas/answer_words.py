"""Words for yes and no, and for staying and leaving, in the languages that models reply in."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from re import Pattern

ENGLISH = "en"
_JOINED = ("zh", "ja", "ko", "th")
_FILE = Path(__file__).parent / "data" / "words" / "answers.toml"


@dataclass(frozen=True)
class Language:
    """How one language says yes, no, or, staying, leaving and not."""

    code: str
    """ISO 639-1."""
    yes: tuple[str, ...]
    no: tuple[str, ...]
    either: str
    """Its word for "or", as a regular expression."""
    label: str
    """What stands before an answer, as in "Answer: yes", as a regular expression."""
    stay: Pattern[str] | None
    """Stems of verbs for watching on; ``None`` where they are read elsewhere."""
    leave: Pattern[str] | None
    negation: Pattern[str] | None
    fill: Pattern[str] | None
    """Words that may stand beside such a verb in a plain answer; ``None`` where none is read."""
    limits: Pattern[str] | None
    """Words that limit or contrast what is said, such as "if" and "but"."""
    joined: bool
    """Whether it is written without blanks between words."""

    @property
    def words(self) -> tuple[str, ...]:
        """Every word for an answer."""
        return self.yes + self.no


@cache
def languages() -> tuple[Language, ...]:
    """Return every language that is known."""
    told = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(
        Language(
            code,
            tuple(words["yes"]),
            tuple(words["no"]),
            words["either"],
            words["label"],
            _stems(words, "stay"),
            _stems(words, "leave"),
            _stems(words, "negation"),
            _stems(words, "fill"),
            _stems(words, "limits"),
            code in _JOINED,
        )
        for code, words in told.items()
    )


def _stems(words: dict[str, str], key: str) -> Pattern[str] | None:
    return re.compile(words[key]) if key in words else None


@cache
def languages_of(word: str) -> tuple[Language, ...]:
    """Return the languages in which a word, in lower case, means yes or no."""
    return tuple(each for each in languages() if word in each.words)

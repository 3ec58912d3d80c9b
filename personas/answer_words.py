"""Words for yes and no, staying and leaving, in the languages that models reply in."""

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
        return self.yes + self.no


@cache
def languages() -> tuple[Language, ...]:
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


LEADS = (
    r"oh|ooh|well|h+m+|sure|sorry|ok|okay|alright|honestly|personally|so|then|therefore|hence|thus"
    r"|and"
    r"|definitely|absolutely|certainly|obviously|clearly|hell|haha|ah|um|uh|overall|in short|also"
    r"|in conclusion|as (?:this|that|the) (?:person|persona|character|user)|as myself|as me|for me"
    r"|i think"
    r"|i guess|i believe|i suppose|simply|my honest take"
    r"|deshalb|daher|darum|also|somit|folglich|fazit|kurz gesagt|natürlich|klar"
    r"|ich (?:würde )?sagen?"
    r"|por eso|por lo tanto|así que|entonces|en resumen|claro que|por supuesto que|yo diría que"
    r"|diría que"
    r"|donc|alors|en résumé|bien sûr que|mais bien sûr que|je dirais(?: que)?"
    r"|então|portanto|por isso|em resumo|com certeza|eu diria(?: que)?"
    r"|quindi|perciò|allora|in sintesi|certo che|direi(?: di| che)?"
    r"|dus|daarom|kortom|ik zou zeggen|поэтому|значит|итак|в общем|в итоге|я бы сказала?(?: что)?"
    r"|dlatego|więc|zatem|podsumowując|bu yüzden|o yüzden|bu nedenle|sonuç olarak|kısacası"
    r"|jadi|maka|karena itu|vì vậy|do đó|nên|لذلك|لذا|إذن|بالتأكيد|بالطبع|इसलिए|तो"
)
JOINED_LEADS = (
    r"なので|ですので|だから|したがって|よって|そのため|結論として"
    r"|所以|因此|总之|總之|那么|그래서|따라서|그러므로|결론적으로"
)
"""Leads in scripts that leave no blank behind a word."""
WEAK_LEADS = r"maybe|perhaps|possibly|but|or|or rather|rather|wait|otherwise|else|mostly|at first"

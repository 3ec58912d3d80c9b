"""Who is watching: the persona as a value, and whether its sentences are English."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Trait = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=300)]


UNSTATED = "not stated"
"""Source and licence of a persona whose file names none."""


class Persona(BaseModel):
    """A viewer, as first-person trait sentences.

    ``themes`` is planted truth for checks on the playground. No strategy, prompt or model ever
    sees it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    traits: Annotated[tuple[Trait, ...], Field(min_length=3, max_length=6)]
    values: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    source: str = UNSTATED
    """Where it comes from; only the files that come with feedsway may say ``feedsway``."""
    licence: str = UNSTATED


_COMMON = {
    "English": "i'm i've i'd i'll the and my with to of have am are every from that when while "
    "would about for it not they their our we you this at but",
    "German": "ich mein meine meinen meinem meiner und der das ein eine einen nicht mit auf gern "
    "gerne für ist sind zum zur oft jeden jede habe wenn",
    "Dutch": "ik mijn het een niet graag vaak elke ben van",
    "French": "je j'ai j'aime mes le les une et avec dans pour suis tous que",
    "Spanish": "yo mis el los las una con por para soy todos cada muy",
    "Italian": "mi gli sono ogni della nel che",
    "Portuguese": "eu meu minha meus com não uma os gosto",
    "Scandinavian": "jag och mitt mina är att som jeg og mit mine til på det ikke",
    "Polish": "się nie jest moje lubię każdy w",
    "Turkish": "bir ve benim her için",
}
_ENGLISH, *_FOREIGN = (frozenset(words.split()) for words in _COMMON.values())
_OTHERS = frozenset[str]().union(*_FOREIGN)
_WORD = re.compile(r"[^\W\d_]+(?:['\N{RIGHT SINGLE QUOTATION MARK}][^\W\d_]+)?")


def is_english(sentences: Iterable[str]) -> bool:
    """Whether sentences are English, as far as common words and letters tell.

    Only evidence of another language counts: a text is foreign where most letters are not Latin, or
    where it has more common words of other languages than of English.
    """
    text = " ".join(sentences).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    words = _WORD.findall(text)
    letters = "".join(words)
    if sum(ord(letter) > 0x24F for letter in letters) > len(letters) / 2:  # beyond Latin
        return False
    lower = [word.lower() for word in words]
    english = words.count("I") + sum(word in _ENGLISH for word in lower)
    return sum(word in _OTHERS for word in lower) <= english

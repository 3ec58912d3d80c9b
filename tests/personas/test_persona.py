"""Sentences are told to be English or not by their common words."""

from __future__ import annotations

import pytest

from agent.models.embedded_viewer.persona_fit import sentences
from personas.library import HOME, load
from personas.persona import is_english


def test_every_persona_that_comes_along_is_english() -> None:
    own = sorted(HOME.glob("p*.toml"))
    assert len(own) >= 50
    assert [path.name for path in own if not is_english(load(path).traits)] == []
    assert [one for one in sentences("people") if not is_english([one])] == []


@pytest.mark.parametrize(
    "sentence",
    [
        "Ich koche gern für meine Freunde.",
        "Je joue aux échecs avec mon père.",
        "Me gusta cocinar con mi familia.",
        "Mi piace cucinare con gli amici.",
        "Eu gosto de cozinhar com amigos.",
        "Ik speel graag schaak.",
        "Jag spelar schack och lagar mat.",
        "Lubię gotować i nie jem mięsa.",
        "Arkadaşlarım için yemek yaparım ve koşarım.",
        "私は馬が好きです。",
        "Я люблю лошадей.",
    ],
)
def test_other_languages_are_told(sentence: str) -> None:
    assert not is_english([sentence])


@pytest.mark.parametrize("sentence", ["Horses.", "Loves baking bread", "I'm in Köln.", ""])
def test_nothing_foreign_is_english(sentence: str) -> None:
    assert is_english([sentence])

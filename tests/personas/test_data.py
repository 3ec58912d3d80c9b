"""The personas that come with feedsway keep their promises."""

from __future__ import annotations

import re
from collections import Counter
from itertools import product

import pytest

from personas.library import HOME, all_personas, find, load
from personas.persona import Persona
from personas.values import values

THEMES = {
    *("space", "cars", "fashion", "music", "animals", "sports", "dance", "gardening"),
    *("art", "fantasy", "technology", "food", "family", "travel", "homecraft", "history"),
}
FILES = sorted(HOME.glob("p*.toml"))
OPPOSED = {
    frozenset(pair)
    for pair in (
        *product(("power", "achievement"), ("universalism", "benevolence")),
        *product(("self-direction", "stimulation"), ("security", "conformity", "tradition")),
    )
}
TENSION = re.compile(r"# In tension: (\S+) and (\S+)\.\n")


def in_tension(persona: Persona) -> set[frozenset[str]]:
    return {
        frozenset(pair) for pair in product(persona.values, repeat=2) if frozenset(pair) in OPPOSED
    }


def test_there_are_sixty_named_after_their_files() -> None:
    assert [path.stem for path in FILES] == [f"p{number:02}" for number in range(1, 61)]
    assert [persona.id for persona in all_personas()] == [path.stem for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_speaks_of_itself_in_short_sentences(path: object) -> None:
    persona = load(str(path))
    for trait in persona.traits:
        assert re.fullmatch(r"[A-Z].{10,90}\.", trait), trait
    own = [trait for trait in persona.traits if re.search(r"\b(I|my|me|we|us|our)\b", trait, re.I)]
    assert len(own) >= len(persona.traits) - 1, persona.traits
    assert 2 <= len(persona.themes) <= 4
    assert len(set(persona.themes)) == len(persona.themes)
    assert 1 <= len(set(persona.values)) == len(persona.values) <= 3
    assert (persona.source, persona.licence) == ("feedsway", "MIT")


def test_no_two_say_the_same() -> None:
    said = Counter(trait for persona in all_personas() for trait in persona.traits)
    assert len(said) > 280
    assert max(said.values()) == 1
    assert len({frozenset(persona.themes) for persona in all_personas()}) >= 58


def test_all_values_are_held() -> None:
    held = Counter(value for persona in all_personas() for value in persona.values)
    assert set(held) == {value.id for value in values()}
    assert min(held.values()) >= 6


def test_all_themes_are_planted_in_balance() -> None:
    planted = Counter(theme for persona in all_personas() for theme in persona.themes)
    assert set(planted) == THEMES
    assert min(planted.values()) >= 8
    assert max(planted.values()) <= 1.5 * min(planted.values())


def test_values_in_tension_are_said_to_be() -> None:
    said = {}
    for path in FILES:
        if note := TENSION.match(path.read_text(encoding="utf-8")):
            said[path.stem] = frozenset(note.groups())
    torn = {persona.id: in_tension(persona) for persona in all_personas() if in_tension(persona)}
    assert len(torn) >= 8
    assert said.keys() == torn.keys()
    assert all(pair in torn[name] for name, pair in said.items())


def test_p12_is_the_one_of_the_readme() -> None:
    assert find("p12").themes == ("animals", "music", "gardening")

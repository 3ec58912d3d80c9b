"""Prompts say what they should, and nothing of what is planted."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given

import personas.strategies
from personas.errors import UnknownStrategy
from personas.library import all_personas, find
from personas.persona import Persona
from personas.questionnaire import ITEMS
from personas.strategies import Prompt, build, hashes, paraphrases, read, strategies
from tests.personas.conftest import personas as any_persona

FOLDER = Path(personas.strategies.__file__).with_name("prompts")
P12 = find("p12")
CANARY = Persona(
    id="canary-id",
    traits=("I like trams.", "I cost $5 in {braces}.", "I am $traits and ${items}."),
    values=("canary-value",),
    themes=("canary-theme",),
    source="canary-source",
    licence="canary-licence",
)
WAYS = [
    (strategy, mirrored, paraphrase, explain)
    for strategy in strategies()
    for mirrored, paraphrase, explain in product(
        (False, True), range(paraphrases(strategy)), (False, True)
    )
]


def asked(way: tuple[str, bool, int, bool], persona: Persona | None = P12) -> Prompt:
    strategy, mirrored, paraphrase, explain = way
    return build(strategy, persona, mirrored=mirrored, paraphrase=paraphrase, explain=explain)


def test_there_are_three_with_three_wordings_or_more() -> None:
    assert strategies() == ("plain", "simple", "isq")
    assert all(paraphrases(strategy) >= 3 for strategy in strategies())


def test_every_way_of_asking_is_its_own() -> None:
    prompts = [asked(way) for way in WAYS]
    assert len({(prompt.system, prompt.user) for prompt in prompts}) == len(WAYS) == 36


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_prompt_holds_the_traits_and_nothing_else_of_a_persona(
    way: tuple[str, bool, int, bool],
) -> None:
    prompt = asked(way, CANARY)
    text = f"{prompt.system}\n{prompt.user}"
    assert "canary" not in text
    assert "canary" not in repr(prompt)
    if way[0] == "plain":
        assert (prompt.system, prompt.traits) == ("", ())
        assert prompt == asked(way, None)
        assert not any(trait in text for trait in CANARY.traits)
    else:
        assert prompt.traits == CANARY.traits
        listed = "\n".join(f"- {trait}" for trait in CANARY.traits)
        assert listed in prompt.system  # as they are: nothing in them is filled in or escaped
        assert prompt == asked(
            way, Persona(id="other", traits=CANARY.traits, values=("power",), themes=("art",))
        )


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_prompt_is_whole_and_says_that_the_picture_gives_no_orders(
    way: tuple[str, bool, int, bool],
) -> None:
    prompt = asked(way)
    text = f"{prompt.system}\n{prompt.user}"
    assert "$" not in text
    assert not re.search(r"\n\n\n|^\s|\s$", prompt.system)
    assert not re.search(r"\n\n\n|^\s|\s$", prompt.user)
    told = prompt.user if way[0] == "plain" else prompt.system
    assert re.search(r"(?i)\b(text|words|anything written|whatever is written)\b", told)
    assert re.search(r"instruction|orders|authority|do not act on it", told)
    assert (prompt.strategy, prompt.mirrored) == way[:2]
    assert ("reason" in prompt.user.lower()) == ("description" in prompt.user.lower()) == way[3]
    if prompt.kind == "choice":
        assert "yes or no" in prompt.user


@given(any_persona())
def test_planted_themes_never_change_a_prompt(persona: Persona) -> None:
    bare = persona.model_copy(update={"id": "x", "values": (), "themes": (), "source": "x"})
    for way in WAYS:
        assert asked(way, persona) == asked(way, bare)


def test_no_prompt_of_ours_tells_a_value_by_its_name() -> None:
    for persona in all_personas():
        system = build("simple", persona).system
        for value in persona.values:
            assert value not in system


def test_the_questionnaire_asks_all_six_and_backwards_when_mirrored() -> None:
    for paraphrase in range(paraphrases("isq")):
        straight = build("isq", P12, paraphrase=paraphrase).user
        mirrored = build("isq", P12, paraphrase=paraphrase, mirrored=True).user
        assert tuple(re.findall(r"(?m)^(\w_\w): ", straight)) == ITEMS
        assert tuple(re.findall(r"(?m)^(\w_\w): ", mirrored)) == ITEMS[::-1]
        assert tuple(re.findall(r'"(\w_\w)": ', straight)) == ITEMS
        assert tuple(re.findall(r'"(\w_\w)": ', mirrored)) == ITEMS[::-1]
        assert sorted(straight.splitlines()[:-1]) == sorted(mirrored.splitlines()[:-1])


def test_replies_are_read_as_they_were_meant() -> None:
    for strategy in ("plain", "simple"):
        assert read(build(strategy, P12), "Yes").answer == "yes"
        assert read(build(strategy, P12, mirrored=True), "Yes").answer == "no"
        assert read(build(strategy, P12, mirrored=True), "No").answer == "yes"
    reply = json.dumps(dict.fromkeys(ITEMS, 1))
    straight, mirrored = (read(build("isq", P12, mirrored=way), reply) for way in (False, True))
    assert straight == mirrored
    assert straight.score == 40
    assert read(build("isq", P12), "Yes").missing == "unreadable"
    assert read(build("simple", P12), reply).missing == "unreadable"


@pytest.mark.parametrize("way", [way for way in WAYS if way[3]], ids=str)
def test_a_reply_in_the_form_asked_for_is_read(way: tuple[str, bool, int, bool]) -> None:
    prompt = asked(way)
    if prompt.kind == "isq":
        form = prompt.user[prompt.user.rindex("{") :]
        reply = form.replace("0 or 1", "1").replace("number", "8").replace("text", "A dog")
    else:
        lines = prompt.user.splitlines()[-2:]
        reply = "\n".join(["no", *(re.sub(r":.*", ": A dog", line) for line in lines)])
    reading = read(prompt, reply)
    assert reading.missing is None
    assert (reading.reason, reading.description) == ("A dog", "A dog")


@pytest.mark.parametrize("strategy", strategies())
def test_prompts_carry_the_hash_of_their_file(strategy: str) -> None:
    sha256 = hashlib.sha256((FOLDER / f"{strategy}.toml").read_bytes()).hexdigest()
    assert hashes(strategy) == {f"{strategy}.toml": sha256}
    assert build(strategy, P12).sha256 == sha256


def test_what_can_not_be_asked_is_refused() -> None:
    for ask in (lambda: build("isqq", P12), lambda: paraphrases("isqq"), lambda: hashes("../x")):
        with pytest.raises(UnknownStrategy, match=r"Type: --strategy plain\|simple\|isq"):
            ask()
    for strategy in ("simple", "isq"):
        with pytest.raises(ValueError, match="needs a persona"):
            build(strategy, None)
    for paraphrase in (-1, paraphrases("simple")):
        with pytest.raises(ValueError, match="wordings 0 to 2"):
            build("simple", P12, paraphrase=paraphrase)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_the_picture_may_come_first_with_the_same_sentences_after_it(
    way: tuple[str, bool, int, bool],
) -> None:
    strategy, mirrored, paraphrase, explain = way
    usual = asked(way)
    other = build(
        strategy,
        P12,
        mirrored=mirrored,
        paraphrase=paraphrase,
        explain=explain,
        order="picture-first",
    )
    said = [sentences(f"{each.system}\n\n{each.user}") for each in (usual, other)]
    assert sorted(said[0]) == sorted(said[1])
    assert other.system == ""
    assert replace(other, system=usual.system, user=usual.user) == usual


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"\n+|(?<=[.?]) ", text) if part]


@pytest.mark.parametrize("paraphrase", range(3))
@pytest.mark.parametrize("strategy", ["simple", "isq"])
def test_where_the_picture_comes_first_what_is_said_to_every_persona_comes_next(
    strategy: str, paraphrase: int
) -> None:
    """So that a model that has read it goes on from there, whoever is asked about."""
    told = [
        build(strategy, who, paraphrase=paraphrase, order="picture-first").user
        for who in all_personas()
    ]
    usual = build(strategy, P12, paraphrase=paraphrase).system
    _, *scene = sentences(usual.rpartition("\n\n")[2])
    assert all(text.startswith(" ".join(scene)) for text in told)

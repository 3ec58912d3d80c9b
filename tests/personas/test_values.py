"""The ten values."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from personas.errors import BadValueSet, UnknownValue, UnknownValueSet
from personas.values import BasicValue, value, value_set, values

CIRCLE = (
    *("self-direction", "stimulation", "hedonism", "achievement", "power"),
    *("security", "conformity", "tradition", "benevolence", "universalism"),
)


def test_they_are_schwartz_s_ten_in_the_order_of_his_circle() -> None:
    assert tuple(value.id for value in values()) == CIRCLE
    assert [value.name.lower() for value in values()] == list(CIRCLE)


@pytest.mark.parametrize("known", values(), ids=lambda known: known.id)
def test_each_is_one_sentence_and_five_keywords_or_more(known: BasicValue) -> None:
    assert known.definition.endswith(".")
    assert known.definition.count(".") == 1
    assert len(set(known.keywords)) == len(known.keywords) >= 5
    assert value(known.id) is known


def test_no_keyword_serves_two_values() -> None:
    keywords = [keyword for known in values() for keyword in known.keywords]
    assert len(keywords) == len(set(keywords))


def test_they_can_not_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        values()[0].name = "Other"  # type: ignore[misc]


def test_an_unknown_one_offers_the_nearest() -> None:
    with pytest.raises(UnknownValue, match=r"'univeralism'.*universalism.*python -m personas"):
        value("univeralism")


@pytest.mark.parametrize(("name", "count"), [("schwartz", 10), ("refined", 19), ("foundations", 6)])
def test_every_set_is_whole(name: str, count: int) -> None:
    found = value_set(name)
    assert found.id == name
    assert len({each.id for each in found.values}) == len(found.values) == count
    assert all(len(set(each.keywords)) == len(each.keywords) >= 5 for each in found.values)
    assert all(each.definition.endswith(".") for each in found.values)


ROW = '[[value]]\nid = "{}"\nname = "Ease"\ndefinition = "Ease."\nkeywords = {}\n'
FIVE = '["hammock", "sofa", "pillow", "slippers", "tea"]'


def test_one_s_own_set_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "My Own.toml"
    path.write_text(ROW.format("ease", FIVE) + ROW.format("calm", FIVE), "utf-8")
    assert value_set(str(path)).id == "my-own"
    assert [each.id for each in value_set(str(path)).values] == ["ease", "calm"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (ROW.format("ease", '["tea"]') + ROW.format("calm", FIVE), "keywords"),
        (ROW.format("ease", FIVE) * 2, "same id"),
        (ROW.format("ease", FIVE), "value: "),
        ("value = [", "TOML|value"),
    ],
)
def test_a_file_that_is_no_set_says_why(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(BadValueSet, match=rf"(?s)own.toml is not a set.*({problem}).*Type|type:"):
        value_set(str(path))


def test_a_set_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownValueSet, match=r"'schwarz'.*Type: --values schwartz\|refined"):
        value_set("schwarz")

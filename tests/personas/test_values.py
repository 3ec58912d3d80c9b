"""The ten values."""

from __future__ import annotations

import dataclasses

import pytest

from personas.errors import UnknownValue
from personas.values import Value, value, values

CIRCLE = (
    *("self-direction", "stimulation", "hedonism", "achievement", "power"),
    *("security", "conformity", "tradition", "benevolence", "universalism"),
)


def test_they_are_schwartz_s_ten_in_the_order_of_his_circle() -> None:
    assert tuple(value.id for value in values()) == CIRCLE
    assert [value.name.lower() for value in values()] == list(CIRCLE)


@pytest.mark.parametrize("known", values(), ids=lambda known: known.id)
def test_each_is_one_sentence_and_five_keywords_or_more(known: Value) -> None:
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

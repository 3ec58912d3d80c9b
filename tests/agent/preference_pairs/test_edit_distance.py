"""What one local error is: edits as models make them, good and bad."""

from __future__ import annotations

import pytest

from agent.preference_pairs.edit_distance import cleaned, compare
from store.results.preference_pairs import ErrorKind

DOG = "A brown dog sleeps on a red sofa beside a tall lamp. Two children play in the kitchen."
GOOD: list[tuple[ErrorKind, str, str]] = [
    ("object", "brown dog", "brown cat"),
    ("object", "a tall lamp", "an armchair"),
    ("attribute", "red sofa", "green sofa"),
    ("attribute", "brown dog", "dark grey dog"),
    ("relation", "beside a", "in front of a"),
    ("relation", "on a red", "under a red"),
    ("count", "Two children", "Five children"),
    ("count", "A brown dog sleeps", "Three brown dogs sleep"),
    ("place", "in the kitchen", "in the garden"),
    ("action", "dog sleeps", "dog barks"),
]


@pytest.mark.parametrize(("error", "old", "new"), GOOD)
def test_one_local_error_passes(error: ErrorKind, old: str, new: str) -> None:
    assert DOG.count(old) == 1
    edit = compare(DOG, DOG.replace(old, new), error)
    assert edit.reason is None
    assert edit.checks.spans == 1
    true, false = edit.statements
    assert true in DOG
    assert false not in DOG
    assert true.replace(old, new) == false


def swapped(*pairs: tuple[str, str]) -> str:
    text = DOG
    for old, new in pairs:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


BAD = {
    "unchanged": [
        ("object", DOG),
        ("count", swapped(("A brown dog sleeps", "The brown dogs sleep")).replace("The", "A")),
    ],
    "length": [
        ("object", swapped(("brown dog", "brown cat that somebody must have left here"))),
        ("place", swapped((" in the kitchen", ""), ("Two children play", "They"))),
    ],
    "style": [
        ("object", swapped(("brown dog", "brown cat")).replace(".", "!")),
        ("object", swapped(("brown dog", "brown cat")).upper()),
        ("attribute", swapped(("red sofa", "red 🛋️"))),
        ("action", swapped(("sleeps on", "sleeps, lazily, on"))),
        ("action", "There is a dog, a sofa of red make, a lamp; and a few kids do play inside."),
        ("place", swapped((". Two children", ", two children"), ("kitchen", "garden"))),
    ],
    "several_errors": [
        ("object", swapped(("brown dog", "brown cat"), ("kitchen", "garden"))),
        ("attribute", swapped(("red sofa", "green sofa"), ("tall lamp", "small lamp"))),
        ("object", swapped(("A brown dog", "Three grey dogs"))),
        ("attribute", swapped(("Two children play", "Five adults play"))),
    ],
    "not_local": [("attribute", swapped(("brown dog sleeps", "large cat waits")))],
    "off_target": [("count", swapped(("red sofa", "green sofa")))],
}


@pytest.mark.parametrize(
    ("reason", "error", "text"),
    [(reason, *case) for reason, cases in BAD.items() for case in cases],
)
def test_a_bad_edit_is_told_by_its_fault(reason: str, error: ErrorKind, text: str) -> None:
    assert compare(DOG, text, error).reason == reason


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("A cat.", "A cat."),
        ("  A cat.\n It sleeps. ", "A cat. It sleeps."),
        ("“A cat.”", "A cat."),
        ("Rewritten text: A cat.", "A cat."),
        ("**A cat.**", "A cat."),
        ("The cat's", "The cat's"),
    ],
)
def test_what_stands_around_a_text_is_no_part_of_it(reply: str, text: str) -> None:
    assert cleaned(reply) == text

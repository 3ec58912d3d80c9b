"""A or B, and free words, read strictly."""

from __future__ import annotations

import pytest

from personas.reply_parser import read_pick, read_text


@pytest.mark.parametrize("reply", ["A", "a.", " **A** ", "Answer: A", "(A)", "A\nReason: No bike."])
def test_a_letter_alone_is_an_answer(reply: str) -> None:
    assert read_pick(reply).answer == "yes"
    assert read_pick(reply, mirrored=True).answer == "no"


@pytest.mark.parametrize(
    ("reply", "missing"),
    [
        ("A or B", "unreadable"),
        ("A\nB", "unreadable"),
        ("A dog is there.", "unreadable"),
        ("Both", "unreadable"),
        ("C", "unreadable"),
        ("", "empty"),
        ("I'm sorry, but I can't assist with that.", "refused"),
    ],
)
def test_anything_else_is_none(reply: str, missing: str) -> None:
    reading = read_pick(reply)
    assert (reading.answer, reading.missing) == (None, missing)


def test_the_reason_is_kept() -> None:
    assert read_pick("B\nReason: A kite flies.").reason == "A kite flies."


def test_free_words_have_no_answer_and_may_be_missing() -> None:
    told = read_text("Two kites fly over a beach.")
    assert (told.answer, told.missing) == (None, None)
    assert read_text("  ").missing == "empty"
    assert read_text("I'm sorry, but I can't view the image.").missing == "refused"
    assert read_text("kite " * 5000).missing == "unreadable"

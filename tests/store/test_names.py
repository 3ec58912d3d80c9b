"""Names in texts: what is found, what is left alone."""

from __future__ import annotations

import pytest

from store.names import Names, plain

NAMES = Names({"bits.by.bea": "B", "@Joe": "J", "Müller Film": "M", "cat": "C", "x": "X"})


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("by @bits.by.bea.", "by @B."),
        ("by BITS.by.Bea's team", "by B's team"),
        ("#teambits.by.beafan", "#teamBfan"),
        ("joe, not joey or banjoe; @joe!", "J, not joey or banjoe; @J!"),
        ("müller film 🌊 MÜLLER FILM", "M 🌊 M"),
        ("a cat in a category, catcat", "a C in a category, catcat"),
        ("x marks @stranger, a@b.example", "x marks @stranger, a@b.example"),
        ("", ""),
    ],
)
def test_known_names_are_replaced(text: str, left: str) -> None:
    assert NAMES.replace(text) == left


def test_the_own_name_is_found_inside_words_when_it_is_shorter() -> None:
    names = Names({"lena": "L"})
    assert names.replace("#lenafan") == "#lenafan"
    assert names.replace("#lenafan @lena", own="@Lena") == "#Lfan @L"


def test_mentions_of_nobody_known() -> None:
    names = Names({"joe": "J"}, lambda handle: f"<{plain(handle)}>")
    told = "@joe and @Jane.Doe_7. and a@b.example @ home @"
    assert names.replace(told) == "@J and @<jane.doe_7>. and a@<b.example> @ home @"


def test_letters_that_grow_in_lower_case_do_not_move_the_rest() -> None:
    assert Names({"istanbul": "I"}).replace("İİİ istanbul") == "İİİ I"

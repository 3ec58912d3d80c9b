"""Names in texts: what is found, what is left alone."""

from __future__ import annotations

import pytest

from store.privacy.person_names import Names, plain

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


JANE = Names({"jane.doe_92": "J", "jane": "j", "Müller_Film": "M", "i_am": "I"}, lambda _: "?")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("#janedoe92 #JaneDoe_92 #teamjanedoe92", "#J #J #teamJ"),
        ("＠jane.doe_92, ＠unknown and ﹫Someone.Else", "@J, @? and @?"),
        ("ｊａｎｅ．ｄｏｅ＿９２", "J"),
        ("Jane Doe 92, jane\u200b.doe\u00ad_92, JANÉ-DOE-92", "J, J, J"),
        ("@jane.smith, @jane-smith, @jane_smith, @jane! @jane.", "@?, @?, @?, @j! @j."),
        ("@jane.doe_92.official and @jane.doe_92", "@? and @J"),
        ("see @jane\u200bdoe92", "see @J"),
        ("#mullerfilm MULLER FILM muller  film", "#M M M"),
        ("in jane, do: e 92 times", "in j, do: e 92 times"),
        ("jane | doe | 92, jane doe | 92", "j | doe | 92, j doe | 92"),
        ("iam what I am, #iam, i_am", "iam what I am, #I, I"),
    ],
)
def test_however_a_name_is_spelled_it_is_found_and_never_half_of_another(
    text: str, left: str
) -> None:
    assert JANE.replace(text) == left


def test_where_two_names_have_the_same_letters_the_one_that_is_spelled_counts() -> None:
    names = Names({"jane_doe92": "1", "jane.doe_92": "2"})
    assert names.replace("@jane_doe92 jane.doe_92") == "@1 2"


def test_part_of_a_mention_of_somebody_else_is_no_short_name() -> None:
    names = Names({"jane": "j", "jane.doe_92": "J"})
    assert names.replace("@jane.smith @smith.jane @jane") == "@jane.smith @smith.jane @j"
    assert names.replace("@jane.doe_92.fans") == "@J.fans"


def test_ids_are_found_wherever_they_stand_unless_they_are_short() -> None:
    names = Names({}, ids={"7312345678901234567": "A", "dQw4w9Wg-cQ": "B", "v12": "C"})
    text = "https://x.example/video/7312345678901234567?a=dQw4w9Wg-cQ, v12"
    assert names.replace(text) == "https://x.example/video/A?a=B, v12"


def test_spans_are_told_in_order() -> None:
    found = JANE.find("a jane.doe_92 and jane")
    assert [(each.start, each.end, each.instead) for each in found] == [(2, 13, "J"), (18, 22, "j")]

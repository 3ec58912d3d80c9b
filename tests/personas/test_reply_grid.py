"""Yes and no are read by the same rules: a grid of replies, each in both forms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

from personas.answer_words import languages
from personas.questionnaire import read_isq
from personas.reading import Reading, read_choice
from tests.personas.reply_grid import (
    DRESSES,
    MadeReply,
    answers,
    imagined,
    no_answers,
    questionnaires,
    rows,
)

EQUAL = 0.02
"""Shares of lost yeses and of lost noes may differ by that much."""


def reading(reply: MadeReply) -> Reading:
    if reply.kind == "isq":
        return read_isq(reply.text)
    return read_choice(reply.text, mirrored=reply.kind == "mirrored")


def word(reply: MadeReply) -> str:
    """Return what was read, as the answer to the question that was put."""
    answer = reading(reply).answer
    if answer is not None and reply.kind == "mirrored":
        return "no" if answer == "yes" else "yes"
    return answer or "none"


def counts(replies: Iterable[MadeReply]) -> Counter[tuple[str, str]]:
    return Counter((reply.means, word(reply)) for reply in replies)


@pytest.mark.parametrize("source", [answers, questionnaires, imagined])
def test_no_reply_is_read_as_its_contrary_and_both_are_lost_alike(source: object) -> None:
    assert callable(source)
    read = counts(source())
    assert read["yes", "no"] == read["no", "yes"] == read["none", "yes"] == read["none", "no"] == 0
    lost = {
        means: read[means, "none"] / (read[means, "none"] + read[means, means])
        for means in ("yes", "no")
    }
    assert abs(lost["yes"] - lost["no"]) <= EQUAL
    assert max(lost.values()) <= 2 * EQUAL, "the common forms are read"


def test_the_grid_is_large_and_holds_both_forms_of_each_reply() -> None:
    grid = list(answers())
    assert len(grid) >= 2_000
    assert Counter(reply.means for reply in grid)["yes"] == len(grid) / 2
    assert len({reply.language for reply in grid}) >= 13
    assert {reply.dress for reply in grid} == set(DRESSES)
    assert len(list(imagined())) >= 300


def test_what_gives_no_answer_is_none_in_either_form() -> None:
    replies = list(no_answers())
    assert len(replies) >= 1_000
    assert [(reply.text, word(reply)) for reply in replies if word(reply) != "none"] == []


def test_who_denies_being_able_to_answer_or_to_see_has_refused() -> None:
    refused = [reply for reply in no_answers() if reply.language == "refused"]
    assert len(refused) >= 300
    assert [reply.text for reply in refused if reading(reply).missing != "refused"] == []


def test_who_declines_to_watch_has_not_refused() -> None:
    """A no is not eaten by what tells refusals: "No, I won't watch the video" is a no."""
    noes = [no for _, _, no in rows("pairs.tsv")]
    assert len(noes) > 200
    assert [no for no in noes if read_choice(no).missing == "refused"] == []


def test_every_language_has_its_words_in_the_grid() -> None:
    known = {language.code for language in languages()}
    assert known == {language for language, *_ in rows("pairs.tsv")}

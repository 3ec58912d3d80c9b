"""A questionnaire is read when it is one whole form with every item in range, and else not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personas.questionnaire import ITEMS, percent, read_isq
from personas.reply_parser import LONGEST, Reading
from tests.personas.test_reply_parser import REFUSALS


def filled(**changes: object) -> str:
    return json.dumps({"v_a": 6, "c_s": 5, "e_e": 4, "v_e": 5, "p_a": 1, "a_d": 0} | changes)


@pytest.mark.parametrize(
    ("grades", "switches", "score", "answer"),
    [
        ((0, 0, 0, 0), (0, 0), 0, "no"),
        ((10, 10, 10, 10), (1, 1), 100, "yes"),
        ((10, 10, 6, 10), (0, 0), 60, "yes"),
        ((4, 4, 4, 4), (1, 1), 60, "yes"),
        ((10, 10, 10, 5.9), (0, 0), 59.833333333, "no"),
        ((5, 5, 5, 5), (1, 0), 50, "no"),
        ((9.1, 9.7, 9.4, 7.8), (0, 0), 60, "yes"),  # which add up to 35.99999999999999
    ],
)
def test_the_score_is_the_paper_s(
    grades: tuple[float, ...], switches: tuple[int, ...], score: float, answer: str
) -> None:
    items = dict(zip(ITEMS, (*grades, *switches), strict=True))
    assert percent(items) == score
    reading = read_isq(json.dumps(items))
    assert (reading.answer, reading.missing, reading.score) == (answer, None, score)
    assert reading.isq == items


@pytest.mark.parametrize(
    "reply",
    [
        filled(),
        f"```json\n{filled()}\n```",
        f"Here are my ratings:\n\n{filled()}\n\nI hope that this helps.",
        f"[{filled()}]",
        filled(p_a=True, a_d=False),
        filled(p_a=1.0, a_d=0.0),
        filled(total=30),
        filled(reason="I can't stand it {sic}.", description="A car."),
        json.dumps(dict(reversed(json.loads(filled()).items()))),
    ],
)
def test_a_filled_in_questionnaire_is_read(reply: str) -> None:
    reading = read_isq(reply)
    assert (reading.answer, reading.missing, reading.score) == ("no", None, 50)


NO_GRADES: list[object] = [-1, 10.5, "five", "4-5", "5/10", "11", "-1", "", True, None, [5]]
NO_SWITCHES: list[object] = [-1, 2, 0.5, "2", "maybe", "", None, [1], {}]


def without(key: str) -> str:
    return json.dumps({name: item for name, item in json.loads(filled()).items() if name != key})


@pytest.mark.parametrize(
    "reply",
    [
        *(without(key) for key in ITEMS),
        *(filled(**{key: item}) for key in ITEMS[:4] for item in NO_GRADES),
        *(filled(**{key: item}) for key in ITEMS[4:] for item in NO_SWITCHES),
        filled(v_a=float("nan")),
        filled(v_a=float("inf")),
        filled().replace("6", "1e999"),
        filled().replace("6", "1" * 5_000),
        filled() + filled(),
        f"{filled()} or {filled(v_a=1)}",
        f"{{}} {filled()}",
        f"{filled()} {{",
        filled()[:-1],
        filled()[:-1] + ', "v_a": 1}',
        filled().replace('"', "'"),
        json.dumps({"answer": json.loads(filled())}),
        filled(reason=5),
        "yes",
        "no",
        "S = 80 %",
        "{" * 10_000,
        '{"a":' * 3_000,
        "[" * 10_000,
        filled() + " " * 10 + "x" * LONGEST,
    ],
    ids=lambda reply: reply[:60],
)
def test_anything_but_one_whole_questionnaire_is_unreadable(reply: str) -> None:
    assert read_isq(reply) == Reading(None, "unreadable")


@given(
    st.tuples(*[st.floats(0, 10)] * 4),
    st.tuples(*[st.sampled_from([0, 1])] * 2),
    st.text("abc \n.", max_size=20),
)
def test_every_questionnaire_in_range_is_read(
    grades: tuple[float, ...], switches: tuple[int, ...], around: str
) -> None:
    items = dict(zip(ITEMS, (*grades, *switches), strict=True))
    reading = read_isq(around + json.dumps(items) + around)
    assert reading.isq == items
    assert reading.score is not None
    assert 0 <= reading.score <= 100
    assert reading.answer == ("yes" if reading.score >= 60 else "no")


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_fills_in_no_form(refusal: str) -> None:
    assert read_isq(refusal) == Reading(None, "refused")
    assert read_isq(f"{refusal}\n{filled()}") == Reading(None, "refused")
    assert read_isq(filled(reason=refusal)) == Reading(None, "refused")

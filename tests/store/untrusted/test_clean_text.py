"""Strangers' text becomes fit to be kept, and fit to be shown."""

from __future__ import annotations

import csv
import io
import json

import pytest

from store.untrusted.clean_text import (
    LONGEST_TEXT,
    clean_json,
    clean_text,
    show_cell,
    show_line,
    show_text,
)
from tests.store.untrusted.hostile import STEERS, captions

NUMBER = 500


@pytest.mark.parametrize(
    "number", [NUMBER, pytest.param(10_000, marks=pytest.mark.drill)], ids=["some", "many"]
)
def test_no_text_steers_what_shows_it(number: int) -> None:
    seen = 0
    for caption in captions(1, number):
        shown, line = show_text(caption), show_line(caption)
        assert not STEERS.search(shown + line), ascii(caption)
        assert "\t" not in line
        assert len(line.splitlines()) <= 1, ascii(caption)
        assert shown.encode("utf-8").decode() == shown
        seen += 1
    assert seen == number


def test_what_is_spelled_out_is_still_the_same_json() -> None:
    seen = 0
    for caption in captions(2, NUMBER):
        whole = "".join(each for each in caption if not "\ud800" <= each <= "\udfff")
        shown = show_text(json.dumps({whole: whole}, ensure_ascii=False))
        assert json.loads(shown) == {whole: whole}, ascii(caption)
        seen += 1
    assert seen == NUMBER


def test_harmless_text_stays_as_it_is() -> None:
    for text in (
        "[official video] 🌊 100 %",
        "e\u0301té",
        "👩‍👩‍👧‍👦",
        "日本語\nzwei\tdrei",
        "שלום",
    ):
        assert show_text(text) == clean_text(text) == text


def test_kept_text_can_be_written_and_ends() -> None:
    assert clean_text("a\ud800b\0c") == "a\ufffdb\ufffdc"
    assert len(clean_text("x" * 10**6)) == LONGEST_TEXT
    assert clean_text("x" * 10**6).endswith("x …")
    seen = 0
    for caption in captions(3, NUMBER):
        clean_text(caption).encode()
        seen += 1
    assert seen == NUMBER


def test_json_is_clean_at_every_depth() -> None:
    deep: object = "\ud800"
    for _ in range(500):
        deep = [deep]
    told = clean_json({"\udfff": ["\0", {"a": ("\ud800", 1, None, 0.5)}], "deep": deep})
    json.dumps(told, ensure_ascii=False).encode()
    assert told["\ufffd"] == ["\ufffd", {"a": ("\ufffd", 1, None, 0.5)}]


@pytest.mark.parametrize(
    "text", ["=1+1", "+A1", "-2+3+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1"]
)
def test_no_cell_is_a_formula(text: str) -> None:
    assert show_cell(text) == f"'{text}"
    out = io.StringIO()
    csv.writer(out).writerow([show_cell(text)])
    assert next(csv.reader(io.StringIO(out.getvalue(), newline="")))[0] == f"'{text}"


@pytest.mark.parametrize(
    "text", ["-4.3 pp", "+5", "-0.30", "= 0.035", "@some.body", "1 = 1", "a-b", "", "#tag", "−4.3"]
)
def test_numbers_and_words_are_no_formulas(text: str) -> None:
    assert show_cell(text) == text

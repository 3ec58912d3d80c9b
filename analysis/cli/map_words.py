"""What is typed after ``--map``: our columns from theirs.

::

    mapping    NAME=SOURCE, separated by commas
    SOURCE     COLUMN | :CONSTANT | # | CONDITION | VALUE if CONDITION [if ...] [else VALUE]
    CONDITION  COLUMN == VALUE, with == != < <= > >=; COLUMN in VALUE|VALUE; COLUMN == {COLUMN}

A bare condition is for ``answer``: yes where it holds, no where it does not. Quotes, double or
single, go around a name or value that holds one of these signs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from analysis.data.column_mapping import (
    EMPTY,
    ColumnMapping,
    ColumnSource,
    Condition,
    ambiguous_comma,
    number_of,
)
from analysis.data.map_proposal import NAMES
from analysis.errors import BadMapping

_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_COMPARES = re.compile(r"==|!=|<=|>=|<|>|\sin\s")
_SIGNS = re.compile(r"[\"'=!<>,|{}]")


def read_mapping(texts: Sequence[str], option: str = "--map") -> ColumnMapping:
    """Read what was typed; raises ``BadMapping``."""
    sources: dict[str, ColumnSource] = {}
    for entry in (entry for text in texts for entry in _split(text, ",")):
        name, sign, source = entry.partition("=")
        name = name.strip()
        if not sign or name not in NAMES:
            why = f"{name!r} is none of our columns" if sign else "it has no ="
            raise BadMapping(option, entry, f"{why}; these are {', '.join(NAMES)}")
        if name in sources:
            raise BadMapping(option, entry, f"{name} is given twice")
        try:
            sources[name] = _source(name, source.strip())
        except ValueError as error:
            raise BadMapping(option, entry, str(error)) from None
    return ColumnMapping(sources, option)


def _split(text: str, pattern: str) -> Iterator[str]:
    """Split a text where a pattern stands outside of quotes."""
    masked = _QUOTED.sub(lambda quoted: "\0" * len(quoted[0]), text)
    start = 0
    for sign in re.finditer(pattern, masked):
        yield text[start : sign.start()]
        start = sign.end()
    yield text[start:]


def _source(name: str, text: str) -> ColumnSource:
    if text == "#":
        if name != "position":
            raise ValueError("# is the order of the file's rows, and for position only")
        return ColumnSource(file_order=True)
    if text.startswith(":"):
        return ColumnSource(constant=_term(text[1:]) if text[1:].strip() else "")
    parts = list(_split(text, r"\s(?:if|else)\s"))
    if len(parts) > 1:
        return _cases(text)
    condition = _condition(text)
    if condition is None:
        return ColumnSource(_term(text))
    if name != "answer":
        raise ValueError(f"a condition alone is for answer; for {name} type VALUE if {text}")
    return ColumnSource(cases=(("yes", condition),), otherwise="no")


def _cases(text: str) -> ColumnSource:
    *first, last = _split(text, r"\selse\s")
    closed = len(list(_split(last, r"\sif\s"))) == 1
    cases = []
    for each in first if closed else [*first, last]:
        parts = list(_split(each, r"\sif\s"))
        condition = _condition(parts[-1].strip())
        if len(parts) != 2 or condition is None:
            raise ValueError(f"{each.strip()!r} is not VALUE if COLUMN==VALUE")
        cases.append((_term(parts[0]), condition))
    return ColumnSource(cases=tuple(cases), otherwise=_term(last) if closed else "")


def _condition(text: str) -> Condition | None:
    masked = _QUOTED.sub(lambda quoted: "\0" * len(quoted[0]), text)
    sign = _COMPARES.search(masked)
    if sign is None:
        return None
    column, how = _term(text[: sign.start()]), sign[0].strip()
    right = text[sign.end() :].strip()
    if right.startswith("{") and right.endswith("}"):
        if how not in ("==", "!="):
            raise ValueError("two columns are compared by == or !=")
        return Condition(column, how, (_term(right[1:-1]),), other=True)
    values = tuple(_term(value) for value in _split(right, r"\|"))
    if len(values) > 1 and how != "in":
        raise ValueError(f"several values go with in: {column} in {right}")
    if empty := [value for value in values if value.lower() in EMPTY]:
        raise ValueError(f"{empty[0]} is an empty cell, and an empty cell gives no answer")
    if how in ("<", "<=", ">", ">="):
        try:
            number_of(values[0], comma=True)
        except ValueError:
            raise ValueError(f"{values[0]!r} is not a number") from None
        if ambiguous_comma(values):
            raise ValueError(f"{values[0]!r} may have a decimal comma or one of thousands")
    return Condition(column, how, values)


def _term(text: str) -> str:
    """Return a name or value, without its quotes."""
    text = text.strip()
    if _QUOTED.fullmatch(text):
        return text[1:-1]
    if not text:
        raise ValueError("something is missing in it")
    if sign := _SIGNS.search(text):
        hint = f": equal is ==, as in {text.replace('=', '==')}" if sign[0] == "=" else ""
        raise ValueError(f"{text!r} holds {sign[0]}{hint or ', so put quotes around it'}")
    return text

"""Which columns of a table made elsewhere stand for ours, and what is read from them.

Values only: the words of ``--map`` are read by ``analysis.cli.map_words``.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from analysis.errors import BadViews
from analysis.statistics.estimate import Ints
from store.untrusted.foreign_tables import ForeignTable, TextColumn, merge_values

EMPTY = frozenset({"", "na", "n/a", "nan", "nat", "null", "none", "<na>"})
"""What R, pandas and databases write into an empty cell, in lower case."""
MOST_NAMED = 12
_OF_STEPS = {"phase": "window", "dwell_s": "dwell"}
"""Columns of an export of steps, and what they are here. A table that has both is one."""
_LONGEST_NUMBER = 40
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+")
_PLAIN_NUMBER = re.compile(r"-?((0|[1-9][0-9]*)([.,][0-9]+)?|[.,][0-9]+)")
_ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
OPERATORS = ("==", "!=", *_ORDERS, "in")


@dataclass(frozen=True)
class Condition:
    """Whether a cell is like one of some values, or like the cell of another column."""

    column: str
    operator: str  # one of ``OPERATORS``
    values: tuple[str, ...]
    other: bool = False
    """Whether ``values`` names another column, whose cell of the same row is meant."""

    def __str__(self) -> str:
        values = "|".join(self.values)
        space = " " if self.operator == "in" else ""
        return f"{self.column}{space}{self.operator}{space}" + (
            f"{{{values}}}" if self.other else values
        )


@dataclass(frozen=True)
class ColumnSource:
    """Where one of our columns comes from: exactly one of these is given."""

    column: str = ""
    constant: str | None = None
    file_order: bool = False
    """The row's place in the file."""
    cases: tuple[tuple[str, Condition], ...] = ()
    """Values, each with the condition under which it holds; the first that holds counts."""
    otherwise: str = ""
    """Value where no case holds."""

    def __str__(self) -> str:
        conditions = ", ".join(str(condition) for _, condition in self.cases)
        return self.column or conditions or self.constant or "#" * self.file_order

    @property
    def columns(self) -> list[str]:
        """Columns of theirs that are read."""
        if not self.cases:
            return [self.column] if self.column else []
        conditions = [condition for _, condition in self.cases]
        others = [condition.values[0] for condition in conditions if condition.other]
        return [*(condition.column for condition in conditions), *others]


@dataclass(frozen=True)
class ColumnMapping:
    """Sources by the names of our columns; a column that is not named is read under its own."""

    sources: Mapping[str, ColumnSource] = field(default_factory=dict)
    option: str = "--map"
    """The option that it is typed with."""

    def source(self, name: str, table: ForeignTable) -> ColumnSource | None:
        own = ColumnSource(name) if name in table.names else None
        if own is None and _OF_STEPS.keys() <= set(table.names):
            own = next((ColumnSource(s) for s, ours in _OF_STEPS.items() if ours == name), None)
        return self.sources.get(name, own)


def read_column(path: str, table: ForeignTable, source: ColumnSource) -> TextColumn:
    """Read one of our columns from a table; raises ``BadViews`` and ``BadTable``."""
    if source.file_order:
        return TextColumn([str(row) for row in range(len(table))], np.arange(len(table)))
    if source.constant is not None:
        return TextColumn([source.constant], np.zeros(len(table), dtype=np.int64))
    if not source.cases:
        return column_with_gaps(table, source.column)
    chosen = np.full(len(table), -1)
    empty = np.zeros(len(table), dtype=bool)
    for at, (_, condition) in enumerate(source.cases):
        holds = _holds(path, table, condition)
        chosen[(chosen < 0) & (holds == 1)] = at
        empty |= holds < 0
    texts = [*(value for value, _ in source.cases), source.otherwise, ""]
    chosen = np.where(chosen >= 0, chosen, np.where(empty, len(texts) - 1, len(texts) - 2))
    return merge_values(texts, chosen)


def column_with_gaps(table: ForeignTable, name: str) -> TextColumn:
    """Return a column in which every way of writing nothing is an empty text."""
    column = table.column(name)
    texts = ["" if text.lower() in EMPTY else text for text in column.values]
    return merge_values(texts, column.codes)


def number_of(text: str, comma: bool) -> float | int:
    """Return a number, whole ones exactly; raises ``ValueError``, also for what is none."""
    if comma:
        text = text.replace(",", ".")
    if len(text) > _LONGEST_NUMBER or "_" in text:
        raise ValueError
    if text.lstrip("+-").isdecimal():
        return int(text)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def ambiguous_comma(texts: Sequence[str]) -> str | None:
    """Return the first number whose comma may be a decimal or a thousands separator.

    ``None`` where another cell settles it, as 3,5 does.
    """
    commas = [text for text in texts if "," in text]
    return commas[0] if commas and all(map(_THOUSANDS.fullmatch, commas)) else None


def _holds(path: str, table: ForeignTable, condition: Condition) -> Ints:
    """Return 1 in the rows where a condition holds, 0 where not, -1 where a cell is empty."""
    column = column_with_gaps(table, condition.column)
    comma = table.decimal_comma
    if condition.other:
        return _equal_cells(
            column, column_with_gaps(table, condition.values[0]), condition.operator, comma
        )
    if condition.operator in _ORDERS:
        held = _compare_numbers(path, table, condition, column)
    else:
        wanted = {_key(value, comma) for value in condition.values}
        agrees = condition.operator != "!="
        held = [
            int((_key(text, comma) in wanted) == agrees) if text else -1 for text in column.values
        ]
    return np.array(held, dtype=np.int64)[column.codes]


def _compare_numbers(
    path: str, table: ForeignTable, condition: Condition, column: TextColumn
) -> list[int]:
    """Compare each different cell with a limit: 1 where it holds, 0 where not, -1 if empty."""
    comma, compare = table.decimal_comma, _ORDERS[condition.operator]
    doubtful = ambiguous_comma(column.values) if comma else None

    def number(text: str) -> float:
        problem = "not a number"
        try:
            if text != doubtful:
                return number_of(text, comma)
            problem = "which may have a decimal comma or one of thousands"
        except ValueError:
            pass
        line = int(table.lines[column.first_row(column.values.index(text))])
        raise BadViews(path, f"{condition.column} is {text[:80]!r}, {problem}.", line) from None

    try:
        limit = number_of(condition.values[0], comma)
    except ValueError:
        raise BadViews(
            path, f"commas separate its cells, so that {condition.values[0]} is no number."
        ) from None
    return [int(compare(number(text), limit)) if text else -1 for text in column.values]


def _equal_cells(one: TextColumn, other: TextColumn, how: str, comma: bool) -> Ints:
    known: dict[object, int] = {}

    def keys(column: TextColumn) -> Ints:
        codes = [
            known.setdefault(_key(text, comma), len(known)) if text else -1
            for text in column.values
        ]
        return np.array(codes, dtype=np.int64)[column.codes]

    left, right = keys(one), keys(other)
    agrees = (left == right) == (how == "==")
    return np.where((left < 0) | (right < 0), -1, agrees)


def _key(text: str, comma: bool) -> Decimal | str:
    """Return what equal values share: 12 and 12.0 are one; 12 and 012 are two, as are names."""
    if len(text) > _LONGEST_NUMBER or not _PLAIN_NUMBER.fullmatch(text):
        return text
    if "," in text and not comma:
        return text
    return Decimal(text.replace(",", "."))


def columns_text(names: Sequence[str]) -> str:
    """Name a dozen columns, and count the rest."""
    shown = ", ".join(name[:60] or "''" for name in names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown

"""Cells of a table made elsewhere, read as numbers, words and answers, with the line at fault."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import TypeVar

import numpy as np

from analysis.data.column_mapping import (
    ColumnMapping,
    ambiguous_comma,
    columns_text,
    number_of,
    read_column,
)
from analysis.data.exposures import NO, NONE, YES
from analysis.data.map_proposal import NAMES, equality_advice, lacking
from analysis.data.reported_uses import read_uses
from analysis.errors import BadViews
from analysis.statistics.estimate import NAN, Floats, Ints
from personas.answer_words import languages
from store.untrusted.foreign_tables import ForeignTable, TextColumn, merge_values

OF_A_RUN = ("persona", "arm", "platform", "strategy", "model", "replicate")
"""Columns that say the same in every row of a run."""
LONGEST_NAME = 200
HELP = "python -m analysis import --help"
MOST_SCORE, MOST_P_YES = 100, 1
_MOST_DIGITS = 15
_ROUNDED = re.compile(r"\d([.,]\d+)?E\+\d+", re.IGNORECASE)
Value = TypeVar("Value")


class UnfitCell(ValueError):
    """A cell that does not hold what its column wants; the message says what that is."""

    def __init__(self, wanted: str, advice: str = HELP) -> None:
        super().__init__(wanted)
        self.advice = advice
        """What to type."""


@cache
def answer_words() -> Mapping[str, int]:
    """Words for yes and no, in lower case: those of spreadsheets, and of many languages."""
    words = {"y": YES, "t": YES, "n": NO, "f": NO}
    words |= dict.fromkeys(("true", "wahr", "vrai", "verdadero", "vero"), YES)
    words |= dict.fromkeys(("false", "falsch", "faux", "falso"), NO)
    for language in languages():
        words |= dict.fromkeys(language.yes, YES)
        words |= dict.fromkeys(language.no, NO)
    return words


@dataclass(frozen=True, eq=False)
class ImportedCells:
    """Columns of text under our names; readers raise ``BadViews`` with the first line at fault."""

    path: str
    lines: Ints
    columns: Mapping[str, TextColumn]
    sources: Mapping[str, str]
    """What was typed for a column, by our name; those that were not mapped are left out."""
    option: str
    """What the mapping is typed with."""
    comma: bool
    ignored: tuple[str, ...]
    """Columns of theirs that nothing is read from."""
    by_use: bool = False
    """Whether the windows are those of a report's own column ``use``."""

    def rows(self, rows: Ints) -> ImportedCells:
        """Return these rows, in this order."""
        fewer = len(rows) < len(self.lines)  # then some values may stand in no row any more
        pick = merge_values if fewer else TextColumn
        columns = {name: pick(each.values, each.codes[rows]) for name, each in self.columns.items()}
        return replace(self, lines=self.lines[rows], columns=columns)

    def texts(self, name: str) -> TextColumn:
        """Return a column of text; where there is none, of empty text."""
        absent = TextColumn([""], np.zeros(len(self.lines), dtype=np.int64))
        return self.columns.get(name, absent)

    def read(self, name: str, reader: Callable[[str], Value]) -> list[Value]:
        """Read each different cell of a column, in the order of ``TextColumn.values``."""
        column, read = self.texts(name), []
        for code, text in enumerate(column.values):
            try:
                read.append(reader(text))
            except UnfitCell as error:
                row = column.first_row(code)
                raise self.fault(name, row, f"not {error}", error.advice) from None
        return read

    def fault(self, name: str, row: int, problem: str, advice: str = HELP) -> BadViews:
        """Make the error that a cell deserves."""
        text = self.texts(name).at([row])[0][:80]
        known = f"{name} ({self.sources[name]})" if name in self.sources else name
        line = int(self.lines[row])
        return BadViews(self.path, f"{known} is {text!r}, {problem}.", line, advice)

    def names(self, name: str) -> TextColumn:
        """Return a column of names that tell things apart."""

        def check(text: str) -> str:
            if len(text) > LONGEST_NAME:
                raise UnfitCell(f"a name of at most {LONGEST_NAME} characters")
            if _ROUNDED.fullmatch(text):
                raise UnfitCell(
                    "a name: a spreadsheet has rounded it, and others may look the same. Export "
                    "it as text, or leave it out",
                    f"{self.option} {name}=:",
                )
            return text

        self.read(name, check)
        return self.texts(name)

    def runs(self) -> Ints:
        """Return the run of each row, counted from 0 in the order in which they appear."""
        column = self.names("run")
        if column.blank.any():
            raise self.fault("run", int(np.argmax(column.blank)), "not a name")
        _, first, codes = np.unique(column.codes, return_index=True, return_inverse=True)
        return np.asarray(np.argsort(np.argsort(first))[codes], dtype=np.int64)

    def wholes(self, name: str, default: int | None = None) -> Ints:
        wanted = f"a whole number from 0 on, of at most {_MOST_DIGITS} digits"

        def whole(text: str) -> int:
            if not text and default is not None:
                return default
            digits = re.sub(r"[.,]0+$", "", text)
            if not (digits.isascii() and digits.isdecimal()) or len(digits) > _MOST_DIGITS:
                raise UnfitCell(wanted)
            return int(digits)

        column = self.texts(name)
        return np.array(self.read(name, whole), dtype=np.int64)[column.codes]

    def numbers(self, name: str, most: float = math.inf) -> Floats:
        """Return a column of numbers; ``most``: the largest, where they go from 0 to it."""
        leave_out = f"{self.option} {name}=:" if "answer" in self.columns else HELP

        def number(text: str) -> float:
            try:
                value = float(number_of(text, self.comma)) if text else NAN
            except (ValueError, OverflowError):
                raise UnfitCell("a finite number") from None
            if most < math.inf and (value < 0 or value > most):
                raise UnfitCell(f"a number from 0 to {most:g}", leave_out)
            return value

        column = self.texts(name)
        self.check_commas(name)
        return np.array(self.read(name, number), dtype=np.float64)[column.codes]

    def check_commas(self, name: str) -> None:
        """Refuse a column in which 1,234 may be a thousand or one and a bit."""
        column = self.texts(name)
        doubtful = ambiguous_comma(column.values) if self.comma else None
        if doubtful is not None:
            row = column.first_row(column.values.index(doubtful))
            raise self.fault(name, row, "which may have a decimal comma or one of thousands")

    def choices(self, name: str, choices: tuple[str, ...], default: str) -> Ints:
        def choice(text: str) -> int:
            if (text.lower() or default) not in choices:
                raise UnfitCell(f"one of {', '.join(filter(None, choices))}")
            return choices.index(text.lower() or default)

        column = self.texts(name)
        return np.array(self.read(name, choice), dtype=np.int64)[column.codes]

    def answers(self, threshold: float) -> Ints:
        """Return the answer of each row: as it is given, else as its score says.

        Where ``answer`` was mapped, a score counts only if it was mapped, too.
        """

        def answer(text: str) -> int:
            words = answer_words()
            if not text or text.lower() in words:
                return words.get(text.lower(), NONE)
            try:
                number = number_of(text, self.comma)
            except ValueError:
                number = NAN
            if number not in (0, 1):
                raise UnfitCell(
                    "yes, no, 1, 0 or empty. Say what a yes is",
                    equality_advice(self.option, self.sources.get("answer", "answer"), [text]),
                )
            return YES if number == 1 else NO

        column, score = self.texts("answer"), self.numbers("score", MOST_SCORE)
        given = np.array(self.read("answer", answer), dtype=np.int64)[column.codes]
        if "answer" in self.sources and "score" not in self.sources:
            return given
        scored = np.where(np.isnan(score), NONE, np.where(score >= threshold, YES, NO))
        return np.where(given == NONE, scored, given)

    def check_runs(self, run: Ints) -> None:
        """One persona, arm and so on per run; rows are sorted by run."""
        starts = np.searchsorted(run, run)
        for name in OF_A_RUN:
            column = self.texts(name)
            differs = column.codes != column.codes[starts]
            if differs.any():
                row = int(np.argmax(differs))
                first = column.at([starts[row]])[0]
                raise self.fault(name, row, f"not {first!r}, as in the run's first row")


def order_in_runs(cells: ImportedCells, run: Ints) -> tuple[Ints, Ints]:
    """Return the order of the rows by run and position, and then the position of each."""
    if "position" in cells.sources:
        place = _ranks(cells)
        order = np.lexsort((place, run))
    else:
        place = cells.wholes("position")
        order = np.lexsort((place, run))
    by_run, by_place = run[order], place[order]
    again = (by_run[1:] == by_run[:-1]) & (by_place[1:] == by_place[:-1])
    if again.any():
        at = int(np.argmax(again))
        first, second = sorted((int(order[at]), int(order[at + 1])))
        raise cells.fault(
            "position",
            second,
            f"as in line {cells.lines[first]}, and a run has each position once",
            f"{cells.option} position=COLUMN with a column that orders its videos, or "
            f"{cells.option} 'position=#' if the file has them in order",
        )
    if "position" in cells.sources:
        by_place = np.arange(len(run)) - np.searchsorted(by_run, by_run)
    return order, by_place


def _ranks(cells: ImportedCells) -> Ints:
    """Return numbers in the order of the cells that positions are made of: numbers or dates."""
    cells.check_commas("position")
    kinds: set[str] = set()

    def key(text: str) -> float:
        found = _order_key(text, cells.comma)
        kinds.add(found[0])
        if len(kinds) > 1:
            raise UnfitCell(
                "of one kind with those before: numbers, dates, or dates with a time zone"
            )
        return found[1]

    keys = cells.read("position", key)
    ranks = {value: rank for rank, value in enumerate(sorted(set(keys)))}
    column = cells.texts("position")
    return np.array([ranks[value] for value in keys], dtype=np.int64)[column.codes]


def _order_key(text: str, comma: bool) -> tuple[str, float]:
    try:
        return "number", number_of(text, comma)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UnfitCell("a number, or a date and time as in 2024-01-31 18:05:00") from None
    if at.tzinfo is None:
        return "date", at.replace(tzinfo=UTC).timestamp()
    return "date with a time zone", at.timestamp()


def read_cells(path: str, table: ForeignTable, mapping: ColumnMapping) -> ImportedCells:
    """Read our columns of a table; raises ``BadViews`` where it lacks one, and ``BadTable``."""
    known = {name: source for name in NAMES if (source := mapping.source(name, table)) is not None}
    if problem := lacking(table, known, mapping):
        raise BadViews(path, problem.text, 1, problem.advice)
    if not len(table):
        raise BadViews(path, "holds no rows.")
    columns = {name: read_column(path, table, source) for name, source in known.items()}
    uses = {} if "window" in mapping.sources else read_uses(table)
    if "excluded" in known:
        uses.pop("excluded", None)
    columns |= uses
    used = {column for source in known.values() for column in source.columns}
    used |= {"use"} if uses else set()
    cells = ImportedCells(
        path=path,
        lines=table.lines,
        columns=columns,
        sources={name: str(source) for name, source in mapping.sources.items()},
        option=mapping.option,
        comma=table.decimal_comma,
        ignored=tuple(name for name in table.names if name and name not in used),
        by_use=bool(uses),
    )
    _check_conditions(cells, table, mapping)
    return cells


def _check_conditions(cells: ImportedCells, table: ForeignTable, mapping: ColumnMapping) -> None:
    """Refuse an answer that is yes nowhere for want of its values, and an arm left open."""
    arm, answer = mapping.sources.get("arm"), mapping.sources.get("answer")
    if arm is not None and arm.cases and (blank := cells.texts("arm").blank).any():
        raise cells.fault("arm", int(np.argmax(blank)), "so that the arm is not known")
    if answer is None or not answer.cases or "yes" in cells.texts("answer").values:
        return
    for _, condition in answer.cases:
        if condition.operator in ("==", "in") and not condition.other:
            values = [text for text in table.column(condition.column).values if text]
            raise BadViews(
                cells.path,
                f"no row has {condition}; {condition.column} holds {columns_text(values)}.",
                advice=equality_advice(cells.option, condition.column, values),
            )

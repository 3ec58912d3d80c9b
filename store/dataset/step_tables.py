"""Steps as tables for spreadsheets: CSV, and Excel with a sheet that says what columns are.

A text that a spreadsheet would work out is inert. In CSV it begins with an apostrophe, as in a
report's tables (OWASP, "CSV Injection"). In Excel each cell says that it is text, so it stays as
it is.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from store.errors import ExportRefused
from store.runs.ledger_lines import RunStarted, Step
from store.runs.step_columns import STEP_COLUMNS
from store.untrusted.clean_text import clean_text, show_cell, show_text
from store.untrusted.excel_sheets import LONGEST_CELL, MOST_ROWS

if TYPE_CHECKING:
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

STEPS = "steps"
_LARGEST = 2**53
"""Whole numbers beyond it are no numbers in a spreadsheet: they would be rounded."""
_UNWRITABLE = re.compile("[\ufffe\uffff]")  # no characters of XML
_ABOUT = ("column", "type", "unit", "meaning")


class ExcelUnavailable(ExportRefused):
    """The package that writes Excel files is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "openpyxl is not installed. Type: pip install 'feedsway[excel]', or --format csv"
        )


class TooLongForExcel(ExportRefused):
    """More steps than a sheet of Excel has rows."""

    def __init__(self) -> None:
        super().__init__(f"A sheet of Excel has {MOST_ROWS:,} rows. Type: --format csv")


def write_csv(folder: Path, steps: Iterable[tuple[RunStarted, Step]]) -> dict[str, int]:
    """Write ``steps.csv`` and, of its columns, ``columns.csv``; return the rows of the first."""
    with (folder / "columns.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([_ABOUT, *_about_columns()])
    rows = 0
    with (folder / f"{STEPS}.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow([column.name for column in STEP_COLUMNS])
        for cells in _rows(steps):
            table.writerow([show_cell(cell) if isinstance(cell, str) else cell for cell in cells])
            rows += 1
    return {f"{STEPS}.csv": rows}


def write_excel(folder: Path, steps: Iterable[tuple[RunStarted, Step]]) -> dict[str, int]:
    """Write ``steps.xlsx``, with a second sheet of what its columns are.

    Raises ``ExcelUnavailable`` and ``TooLongForExcel``.
    """
    try:
        from openpyxl import Workbook
    except ImportError:
        raise ExcelUnavailable from None
    book = Workbook(write_only=True)
    sheet = book.create_sheet(STEPS)
    _add_row(sheet, [column.name for column in STEP_COLUMNS])
    rows = 0
    for cells in _rows(steps):
        rows += 1
        if rows >= MOST_ROWS:  # the first one is the header
            sheet.close()
            raise TooLongForExcel
        _add_row(sheet, cells)
    about = book.create_sheet("columns")
    for row in (_ABOUT, *_about_columns()):
        _add_row(about, row)
    book.save(folder / f"{STEPS}.xlsx")
    return {f"{STEPS}.xlsx": rows}


def _about_columns() -> Iterator[Sequence[str]]:
    return ((column.name, column.kind, column.unit, column.meaning) for column in STEP_COLUMNS)


def _rows(steps: Iterable[tuple[RunStarted, Step]]) -> Iterator[list[str | int | float | None]]:
    for run, step in steps:
        yield [_cell(column.read(run, step)) for column in STEP_COLUMNS]


def _cell(value: Any) -> str | int | float | None:
    """Return what a cell holds; a list is its texts, parted by blanks."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        return show_text(" ".join(value))
    if isinstance(value, int) and abs(value) > _LARGEST:
        return str(value)
    if value is None or isinstance(value, int | float):
        return value
    return show_text(str(value))


def _add_row(sheet: WriteOnlyWorksheet, cells: Sequence[str | int | float | None]) -> None:
    """Add a row whose texts are texts, whatever they begin with."""
    from openpyxl.cell import WriteOnlyCell

    row = []
    for value in cells:
        cell = WriteOnlyCell(sheet)
        if isinstance(value, str):
            cell.value = clean_text(_UNWRITABLE.sub("\ufffd", value), LONGEST_CELL - 1)
            cell.data_type = "s"
            if show_cell(value) != value:
                cell.quotePrefix = True  # text it stays if a person edits it
        else:
            cell.value = value
        row.append(cell)
    sheet.append(row)

"""Strangers' tables as columns of text: CSV as spreadsheets write it, Excel sheets, Parquet.

What a file is, is told by its first bytes, not by its name. The separator is found in the header;
the encoding is UTF-8, UTF-16 with its mark, or else Windows-1252, which holds Latin-1.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from store.untrusted.clean_text import clean_text
from store.untrusted.excel_sheets import BadSheet, read_sheet
from store.untrusted.size_limits import MOST_TABLE_BYTES, ForeignFault, TooManyBytes, open_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_TABLE_ROWS = 20_000_000
MOST_NAMES = 2**14
"""Columns of a table: as many as Excel takes."""
LONGEST_NAME = 200
SEPARATORS = (",", ";", "\t")
_AT_ONCE = 50_000
_ZIP, _PARQUET, _OLD_EXCEL = b"PK\x03\x04", b"PAR1", b"\xd0\xcf\x11\xe0"
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

Rows = Iterator[tuple[int, Sequence[str]]]


class BadTable(ForeignFault):
    """A table that cannot be read."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.line = line
        """Counted from 1; ``None`` where none is at fault."""


@dataclass(frozen=True, eq=False)
class TextColumn:
    """Cells of one column, shape ``(n,)``: ``values[codes]``.

    ``values`` are the different texts, in the order in which they appear.
    """

    values: Sequence[str]
    codes: NDArray[np.int64]

    @property
    def blank(self) -> NDArray[np.bool_]:
        """Rows without any text."""
        return np.array([not text for text in self.values])[self.codes]

    def at(self, rows: Sequence[int] | NDArray[np.int64]) -> list[str]:
        """Return the text of some rows."""
        return [self.values[code] for code in self.codes[rows]]

    def first_row(self, code: int) -> int:
        """Return the index of the first row that holds a value."""
        return int(np.argmax(self.codes == code))


@dataclass(frozen=True, eq=False)
class ForeignTable:
    """Columns of text under the names of the header."""

    names: tuple[str, ...]
    lines: NDArray[np.int64]
    """Line of the file that each row ends in; row of a sheet."""
    cells: Mapping[str, Any]
    """By name: a chunked Arrow array, of any type that can be written as text. Columns of lists or
    structures have a name only."""
    decimal_comma: bool = False
    """Whether a comma may stand in numbers, as where semicolons or tabs separate cells."""
    remarks: tuple[str, ...] = ()
    """What a reader of the file should know."""

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str) -> TextColumn:
        """Return a column, blanks around its cells removed; raises ``BadTable``."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.names.count(name) > 1:
            raise BadTable(f"has two columns called {name!r}.", 1)
        if name not in self.cells:
            raise BadTable(
                f"holds lists or structures in the column {name!r}, not text or numbers."
            )
        try:
            cells = self.cells[name].combine_chunks()
            encoded = cells if pa.types.is_dictionary(cells.type) else cells.dictionary_encode()
            texts = pc.utf8_trim_whitespace(encoded.dictionary.cast(pa.string()))
        except pa.ArrowException as error:
            raise BadTable(f"holds no text or numbers in the column {name!r} ({error}).") from None
        different = pc.fill_null(texts, "").to_numpy(zero_copy_only=False).tolist()
        codes = pc.fill_null(encoded.indices.cast(pa.int64()), len(different)).to_numpy()
        return merge_values([*different, ""], codes)


def merge_values(texts: Sequence[str], codes: NDArray[np.int64]) -> TextColumn:
    """Make a column of texts that may be alike, or that no row holds."""
    known: dict[str, int] = {}
    new = np.array([known.setdefault(text, len(known)) for text in texts], dtype=np.int64)
    merged = new[codes]
    used = np.zeros(len(known), dtype=bool)
    used[merged] = True
    place = np.cumsum(used) - 1
    return TextColumn([text for text, at in known.items() if used[at]], place[merged])


def read_table(path: Path, sheet: str = "") -> ForeignTable:
    """Read a CSV file, the first or the named sheet of an Excel file, or a Parquet file.

    Raises
    ------
    BadTable
        It cannot be read, or is longer or wider than what is taken.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head == _OLD_EXCEL:
            raise BadTable("is an Excel file of before 2007. Save it as .xlsx or CSV.")
        if head == _PARQUET:
            return _read_parquet(path)
        if head == _ZIP:
            return _collect(read_sheet(path, sheet))
        return _read_csv(path)
    except (OSError, UnicodeError, TooManyBytes, BadSheet, csv.Error) as error:
        raise BadTable(f"cannot be read ({error}).") from None


def _read_csv(path: Path) -> ForeignTable:
    encoding = _encoding(path)
    remarks = ("It is no UTF-8, and was read as Windows-1252.",) * (encoding == "cp1252")
    with open_table(path, encoding) as file:
        first = file.readline(MOST_TABLE_BYTES >> 10)
        if "\0" in first:
            raise BadTable("is no text. Save it as CSV in UTF-8.", 1)
        told = first.rstrip("\r\n").removeprefix("sep=")
        skipped = int(first.startswith("sep=") and told in SEPARATORS)  # Excel's own line
        separator = told if skipped else _separator(first)
        file.seek(0)
        rows = csv.reader(file, delimiter=separator)
        numbered = ((rows.line_num, row) for row in rows if any(row))
        return _collect(islice(numbered, skipped, None), separator != ",", remarks)


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4)
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    try:
        with open_table(path) as text:
            while text.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _separator(header: str) -> str:
    """Return the separator that makes the most columns of a header."""
    widths = {each: len(next(csv.reader([header], delimiter=each), [])) for each in SEPARATORS}
    return max(widths, key=lambda each: widths[each])


def _collect(
    rows: Rows, decimal_comma: bool = False, remarks: tuple[str, ...] = ()
) -> ForeignTable:
    """Gather rows in columns, some at a time: as Arrow's they take a tenth of the memory."""
    import pyarrow as pa

    top, header = next(rows, (1, ()))
    if not header:
        raise BadTable("is empty: it has no header and no rows.")
    names = tuple(clean_text(name.strip(), LONGEST_NAME) for name in header)
    if len(names) > MOST_NAMES:
        raise BadTable(f"has {len(names):,} columns, more than the {MOST_NAMES:,} taken.", top)
    chunks: list[list[Any]] = [[] for _ in names]
    lines: list[int] = []
    while some := list(islice(rows, _AT_ONCE)):
        lines += [line for line, _ in some]
        if len(lines) > MOST_TABLE_ROWS:
            raise BadTable(f"has more than the {MOST_TABLE_ROWS:,} rows taken.")
        fitted = (_fit(line, cells, len(names)) for line, cells in some)
        for chunk, column in zip(chunks, zip(*fitted, strict=True), strict=True):
            chunk.append(pa.array(column, pa.string()))
    cells = {
        name: pa.chunked_array(chunk, pa.string())
        for name, chunk in zip(names, chunks, strict=True)
    }
    return ForeignTable(names, np.array(lines, dtype=np.int64), cells, decimal_comma, remarks)


def _fit(line: int, cells: Sequence[str], width: int) -> Sequence[str]:
    """Return a row of the header's width; cells that are missing at its end are empty."""
    if len(cells) == width:
        return cells
    if any(cells[width:]):
        raise BadTable(
            f"has {len(cells)} cells, and the header {width}. Put quotes around text that holds "
            "the separator.",
            line,
        )
    return [*cells[:width], *[""] * (width - len(cells))]


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _read_parquet(path: Path) -> ForeignTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
        names = tuple(schema.names)
        flat = [field.name for field in schema if not pa.types.is_nested(field.type)]
        texts = [field.name for field in schema if _is_text(field.type)]
        # a text that stands in many rows is kept once: a small file cannot grow by it
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            about = file.metadata
            groups = [about.row_group(at).total_byte_size for at in range(about.num_row_groups)]
            if about.num_rows > MOST_TABLE_ROWS or sum(groups) > MOST_TABLE_BYTES:
                raise BadTable(
                    f"has more than {MOST_TABLE_ROWS:,} rows or {MOST_TABLE_BYTES:,} bytes."
                )
            table = file.read(columns=flat)
    except BadTable:
        raise
    except (pa.ArrowException, LookupError, ValueError, TypeError) as error:
        raise BadTable(f"is no Parquet file that can be read ({error}).") from None
    cells = dict(zip(table.column_names, table.columns, strict=True))
    return ForeignTable(names, np.arange(1, table.num_rows + 1, dtype=np.int64), cells)

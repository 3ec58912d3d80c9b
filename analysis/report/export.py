"""Tables as files: CSV for people and spreadsheets, Parquet for programs.

A number that does not exist is an empty cell, never 0. In CSV, text that a spreadsheet would take
for a formula begins with an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.foreign.text import show_cell
from store.jsonl.atomic import write_whole

Cell = str | int | float | bool | None


@dataclass(frozen=True)
class ReportTable:
    """Rows under named columns."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]


def write_tables(tables: Sequence[ReportTable], folder: Path) -> list[Path]:
    """Write each table as ``<name>.csv`` and ``<name>.parquet``, whole or not at all."""
    written = []
    for table in tables:
        for suffix, content in (("csv", _csv(table)), ("parquet", _parquet(table))):
            path = folder / f"{table.name}.{suffix}"
            write_whole(path, content, sync=False)
            written.append(path)
    return written


def _csv(table: ReportTable) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(table.columns)
    for row in table.rows:
        cells = (show_cell(cell) if isinstance(cell, str) else cell for cell in row)
        writer.writerow(_known(cells))
    return text.getvalue().encode()


def _parquet(table: ReportTable) -> bytes:
    import pyarrow as pa  # a quarter of a second
    import pyarrow.parquet

    columns: list[list[Any]] = [_known(column) for column in zip(*table.rows, strict=True)] or [
        [] for _ in table.columns
    ]
    arrow = pa.table(dict(zip(table.columns, columns, strict=True)))
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(arrow, sink, compression="zstd")
    return bytes(sink.getvalue())


def _known(cells: Iterable[Cell]) -> list[Cell]:
    """Cells with nothing where a number does not exist (a nan differs from itself)."""
    return [cell if cell == cell else None for cell in cells]

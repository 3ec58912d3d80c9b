"""The tables of a report as text, row by row: cells as they are, never as numbers."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from pathlib import Path

from store.untrusted.foreign_tables import BadTable
from store.untrusted.size_limits import open_table

SHOWN_BY_NAME = {"views": ("video", "author"), "runs": ("account",)}
"""Columns of tables that hold what pseudonyms stand for in the ledgers of a bundle."""


def read_rows(path: Path) -> Iterator[list[str]]:
    """Give the rows of a table, its header first; raises ``BadTable`` and ``OSError``."""
    with open_table(path, "utf-8") as file:
        reader = csv.reader(file, strict=True)
        try:
            yield from reader
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadTable(f"it cannot be read ({error})", reader.line_num) from None


def write_without(path: Path, columns: Collection[str], target: Path) -> tuple[str, ...]:
    """Copy a table without some columns; returns those that it had."""
    rows = read_rows(path)
    header = next(rows, [])
    kept = [at for at, name in enumerate(header) if name not in columns]
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([header[at] for at in kept])
        writer.writerows([row[at] for at in kept] for row in rows)
    return tuple(name for name in header if name in columns)

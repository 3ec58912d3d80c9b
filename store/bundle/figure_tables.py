"""The tables of a report as text, row by row: cells as they are, never as numbers."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from store.terminal.printing import count_of
from store.untrusted.foreign_tables import BadTable
from store.untrusted.size_limits import open_table

SHOWN_BY_NAME = {"views": ("video", "author"), "runs": ("account",)}
"""Columns of tables that hold what pseudonyms stand for in the ledgers of a bundle."""

PAGE_NUMBERS = "numbers"
"""The table of every number of the page."""
_OF_FRAMES = "analysis.report.example_frames.sheets"
"""What makes the numbers of the page that need frames."""


def read_rows(path: Path) -> Iterator[list[str]]:
    """Give the rows of a table, its header first; raises ``BadTable`` and ``OSError``."""
    with open_table(path, "utf-8") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader, [])
            yield header
            for row in reader:
                if len(row) != len(header):
                    problem = f"{count_of(len(row), 'cell')}, where its header has {len(header)}"
                    raise BadTable(problem, reader.line_num)
                yield row
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadTable(f"it cannot be read ({error})", reader.line_num) from None


def write_without(path: Path, columns: Collection[str], target: Path) -> tuple[str, ...]:
    """Copy a table without some columns; returns those that it had."""
    rows = read_rows(path)
    header = next(rows, [])
    kept = [at for at, name in enumerate(header) if name not in columns]
    _write(target, ([row[at] for at in kept] for row in itertools.chain([header], rows)))
    return tuple(name for name in header if name in columns)


def write_frameless(path: Path, target: Path) -> int:
    """Copy the numbers of a page without those of contact sheets; returns how many these are."""
    rows = list(read_rows(path))
    kept = [row for row in rows if _OF_FRAMES not in row]
    _write(target, kept)
    return len(rows) - len(kept)


def _write(target: Path, rows: Iterable[Sequence[str]]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)

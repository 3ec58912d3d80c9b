"""What every page is written with: its templates, its tables as files, and its folder.

Every number that a template prints goes through ``trace.Traces.shown``. In tables, a number that
does not exist is an empty cell, never 0; in CSV, text that a spreadsheet would take for a formula
begins with an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from analysis.report.number_sources import TracedNumber, Traces
from store.errors import DataUnwritable
from store.jsonl.atomic import write_whole
from store.untrusted.clean_text import show_cell

if TYPE_CHECKING:
    from jinja2 import Environment

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
"""What a browser lets a page do: show its own text, styles and pictures; nothing runs or loads."""
TEMPLATES = Path(__file__).with_name("templates")

PAGE, TABLES = "index.html", "tables"
BLOCK = 50_000  # rows that are held as Python's values at once
Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Rendered:
    """The page as text, with every number that is in it, in its order and as often."""

    html: str
    numbers: tuple[tuple[int, TracedNumber], ...]


def page_environment(traces: Traces, *folders: Path) -> Environment:
    """What renders templates, those of other folders first: no number passes without a source."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # a fifth of a second

    environment = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=traces.shown,
    )
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    environment.globals.update(
        style=Markup(style),
        policy=Markup(POLICY),
        note=traces.note,
        dense=traces.dense,
        traces=traces,
        place_id=lambda place: Markup("from-{}").format(place),
        quoted=lambda text: Markup("{}").format(text),
        one=1,
    )
    return environment


def time_stamp(now: datetime) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(
        now.isoformat(timespec="minutes"), f"{now:%Y-%m-%d %H:%M %Z}"
    )


@dataclass(frozen=True)
class ReportTable:
    """Rows under named columns."""

    name: str
    columns: tuple[str, ...]
    rows: Iterable[tuple[Cell, ...]] = ()
    """Gone through once for each file that is written."""
    blocks: Iterable[Sequence[Sequence[Cell]]] | None = None
    """Columns of many rows at a time, in the rows' place."""


def write_tables(tables: Sequence[ReportTable], folder: Path) -> list[Path]:
    """Write each table as ``<name>.csv`` and ``<name>.parquet``, whole or not at all."""
    written = []
    for table in tables:
        for suffix, encode in (("csv", _csv), ("parquet", _parquet)):  # never both at once
            path = folder / f"{table.name}.{suffix}"
            write_whole(path, encode(table), sync=False)
            written.append(path)
    return written


def write_folder(
    folder: Path, files: Mapping[str, bytes], tables: Sequence[ReportTable], place: str = ""
) -> list[Path]:
    """Write tables (into a folder below, if named), then files; returns the tables' paths.

    Raises ``DataUnwritable``.
    """
    try:
        written = write_tables(tables, folder / place)
        for name, content in files.items():
            write_whole(folder / name, content, sync=False)
    except OSError as error:
        raise DataUnwritable(folder, error.strerror or str(error)) from None
    return written


def _csv(table: ReportTable) -> bytes:
    shown = _Shown()
    written = io.BytesIO(_csv_lines([table.columns]))  # which gives its bytes without a copy
    written.seek(0, io.SEEK_END)
    for columns in _blocks(table):
        cells = (_shown_cells(column, shown) for column in columns)
        written.write(_csv_lines(zip(*cells, strict=True)))
    return written.getvalue()


def _shown_cells(column: Sequence[Cell], shown: _Shown) -> Sequence[Cell]:
    kinds = set(map(type, column))
    if kinds == {str}:
        return list(map(shown.__getitem__, column))  # type: ignore[arg-type]
    if str in kinds:
        return [shown[cell] if isinstance(cell, str) else cell for cell in column]
    return column


def _csv_lines(rows: Iterable[Iterable[Cell]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


class _Shown(dict[str, str]):
    """Texts as cells of a spreadsheet; most come often."""

    def __missing__(self, text: str) -> str:
        if len(self) >= BLOCK:
            self.clear()
        self[text] = cell = show_cell(text)
        return cell


def _parquet(table: ReportTable) -> bytes:
    import pyarrow as pa  # a quarter of a second
    import pyarrow.parquet

    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(make_arrow(table), sink, compression="zstd")
    return bytes(sink.getvalue())


def make_arrow(table: ReportTable) -> Any:
    """Return a table as a ``pyarrow.Table``, with nothing where a number does not exist."""
    import pyarrow as pa

    parts: list[list[Any]] = [[] for _ in table.columns]
    for columns in _blocks(table):
        for part, column in zip(parts, columns, strict=True):
            part.append(pa.array(column))
    arrays = [_joined(part) if part else pa.array([]) for part in parts]
    return pa.table(dict(zip(table.columns, arrays, strict=True)))


def _joined(parts: list[Any]) -> Any:
    """Put the parts of a column together; one without a value has no type of its own."""
    import pyarrow as pa

    kind = next((part.type for part in parts if not pa.types.is_null(part.type)), pa.null())
    if any(part.type not in (kind, pa.null()) for part in parts):  # whole numbers and others
        return pa.array([cell for part in parts for cell in part.to_pylist()])
    return pa.chunked_array([part.cast(kind) for part in parts], kind)


def _blocks(table: ReportTable) -> Iterator[list[Sequence[Cell]]]:
    """The columns of a table, many rows at a time, with nothing where a number does not exist."""
    if table.blocks is not None:
        yield from ([_known(column) for column in block] for block in table.blocks)
        return
    rows = iter(table.rows)
    while block := list(islice(rows, BLOCK)):
        yield [_known(column) for column in zip(*block, strict=True)]


def _known(cells: Sequence[Cell]) -> Sequence[Cell]:
    """Cells with nothing where a number does not exist (a nan differs from itself)."""
    if float not in set(map(type, cells)):
        return cells
    return [cell if cell == cell else None for cell in cells]

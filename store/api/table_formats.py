"""The table that is made of declared columns, in the format asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

from store.errors import StoreError
from store.runs.step_columns import TableColumn
from store.untrusted.clean_text import show_text

TableFormat = Literal["pandas", "polars", "arrow"]


class FormatUnavailable(StoreError):
    """A table in a format that this machine or this program does not have."""

    def __init__(self, name: str, *, known: bool) -> None:
        fix = "Type: pip install 'feedsway[notebook]', or format=\"arrow\""
        formats = ", ".join(f'"{each}"' for each in get_args(TableFormat))
        super().__init__(
            f"{name} is not installed. {fix}"
            if known
            else f"There is no format {name[:40]!r}. Type one of: {formats}"
        )


def make_table(
    columns: Sequence[TableColumn], rows: Iterable[Sequence[Any]], form: TableFormat
) -> Any:
    """Return rows as a ``pandas.DataFrame``, ``polars.DataFrame`` or ``pyarrow.Table``.

    A value that is not known is missing (``NA``, ``null``), never 0, ``False`` or empty text. What
    could steer a terminal that shows a text is spelled out (``show_text``). Raises
    ``FormatUnavailable``.
    """
    import pyarrow as pa

    types = {
        "text": pa.string(),
        "texts": pa.list_(pa.string()),
        "whole": pa.int64(),
        "number": pa.float64(),
        "flag": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
    }
    gathered: list[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(columns)
    schema = pa.schema([(column.name, types[column.kind]) for column in columns])
    arrays = [
        pa.array(list(map(make_showable, values)), field.type)
        for values, field in zip(gathered, schema, strict=True)
    ]
    return convert_table(pa.Table.from_arrays(arrays, schema=schema), form)


def check_format(form: str) -> None:
    """Refuse a format that cannot be had before anything is read; raises ``FormatUnavailable``."""
    from importlib.util import find_spec

    if form not in get_args(TableFormat):
        raise FormatUnavailable(form, known=False)
    if form != "arrow" and find_spec(form) is None:
        raise FormatUnavailable(form, known=True)


def make_showable(value: Any) -> Any:
    """Return a cell whose texts steer nothing that shows them; other values as they are."""
    if isinstance(value, list):
        return [show_text(text) for text in value]
    return show_text(value) if isinstance(value, str) else value


def convert_table(table: Any, form: TableFormat) -> Any:
    """Return an Arrow table in the format asked for; raises ``FormatUnavailable``."""
    check_format(form)
    if form == "arrow":
        return table
    if form == "polars":
        import polars as pl

        return pl.from_arrow(table)
    import pandas as pd  # half a second, and not everybody has it

    names: list[str] = table.column_names
    return pd.DataFrame({name: _make_series(table.column(name)) for name in names})


def _make_series(values: Any) -> Any:
    """Make a column of pandas; its plain integers and flags have no way to be missing."""
    import pandas as pd
    import pyarrow as pa

    if pa.types.is_list(values.type):  # as lists: pandas would make arrays, which do not compare
        return pd.Series(values.to_pylist(), dtype=object)
    if values.null_count and pa.types.is_integer(values.type):
        return pd.Series(values.to_pylist(), dtype="Int64")
    if values.null_count and pa.types.is_boolean(values.type):
        return pd.Series(values.to_pylist(), dtype="boolean")
    return values.to_pandas()

"""Compact ledgers: the rows of many runs as Parquet, a cache beside the ledgers.

A file holds the rows of up to ``CHUNK`` runs. It answers only for ledgers whose bytes have the very
SHA-256 that it was made of, and for the code that made it, so deleting it changes no number. It
holds texts of the feed: forgetting deletes the whole folder after it has rewritten the ledgers.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from analysis.data.content_labels import LABELS
from analysis.data.exposures import COLUMNS, Views, column_dtype, label_runs
from analysis.report.ledger_rows import (
    DETAILS,
    LedgerRows,
    RowDetails,
    RunNotes,
    join_rows,
    read_rows,
)
from store.errors import DataUnreadable, StoreError
from store.jsonl.atomic import write_whole
from store.runs.data_folder import DataFolder

Progress = Callable[[Sequence[Path]], Iterable[Path]]

LEAST = 50
"""Runs from which on compact ledgers are read and written."""
CHUNK = 256
"""Runs of a file: one more run has at most so many read anew."""
_KEY, _NOTES = b"feedsway.ledgers", b"feedsway.notes"
_MANY_NOTES = TypeAdapter(tuple[RunNotes, ...])


def read_ledgers(data: DataFolder, paths: Sequence[Path], progress: Progress = iter) -> LedgerRows:
    """Read the rows of runs, of many from compact ledgers; raises as ``ledger.read``.

    What is not compact yet is read by two processes, and kept for the next time where the data
    folder can be written.
    """
    if len(paths) < LEAST:
        return read_rows(progress(paths))
    chunks = [_Chunk(data, paths[start : start + CHUNK]) for start in range(0, len(paths), CHUNK)]
    ticks = iter(progress(paths))
    parts = []
    with _helper(data, [chunk for chunk in chunks if not chunk.is_compact()]):
        for chunk in chunks:
            parts.append(chunk.read())
            list(islice(ticks, len(chunk.paths)))
    list(ticks)
    return join_rows(parts)


class _Chunk:
    """Some ledgers, and their file in the data folder."""

    def __init__(self, data: DataFolder, paths: Sequence[Path]) -> None:
        self.paths = paths
        self._place = data.compact_dir / f"{paths[0].parent.name}.parquet"
        self._key = hash_ledgers(paths)

    def is_compact(self) -> bool:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            metadata = pq.read_schema(self._place).metadata or {}
        except (OSError, pa.ArrowException):
            return False
        return metadata.get(_KEY) == self._key

    def read(self) -> LedgerRows:
        """Read the file, or the ledgers where it does not answer for them; keeps the file then."""
        try:
            rows = decode(self._place.read_bytes(), self._key)
        except OSError:
            rows = None
        return rows or self.compact()

    def compact(self) -> LedgerRows:
        rows = read_rows(self.paths)
        self._keep(encode(rows, self._key))
        return rows

    def _keep(self, content: bytes) -> None:
        """Write the file, unless the ledgers have changed; a folder that takes none has none.

        They are compared once more after it was written: a request to forget deletes the folder
        when all ledgers are rewritten, and this file may have come just after.
        """
        try:
            if hash_ledgers(self.paths) != self._key:
                return
            write_whole(self._place, content, sync=False)
            if hash_ledgers(self.paths) != self._key:
                self._place.unlink(missing_ok=True)
        except DataUnreadable:  # a ledger has gone
            self._place.unlink(missing_ok=True)
        except OSError:
            return


@contextmanager
def _helper(data: DataFolder, chunks: Sequence[_Chunk]) -> Iterator[None]:
    """Have a second process compact ledgers from the last on, while this one begins at the first.

    It only writes files, so that nothing is lost where it cannot run or dies.
    """
    if len(chunks) < 2 or not sys.executable:
        yield
        return
    order = [[str(path.absolute()) for path in chunk.paths] for chunk in reversed(chunks)]
    told = json.dumps({"root": str(data.root.absolute()), "chunks": order})
    code = f"import sys; from {__name__} import compact_all; compact_all(sys.stdin.read())"
    with tempfile.TemporaryFile("w+") as asked:
        asked.write(told)
        asked.seek(0)
        helper = subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdin=asked,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    try:
        yield
    finally:
        helper.kill()
        helper.wait()


def compact_all(told: str) -> None:
    """Compact what a second process was asked for, as far as it can be read."""
    asked = json.loads(told)
    data = DataFolder(Path(asked["root"]))
    for names in asked["chunks"]:
        with suppress(StoreError):  # who asked meets the error itself, and can tell it
            chunk = _Chunk(data, [Path(name) for name in names])
            if not chunk.is_compact():
                chunk.compact()


def hash_ledgers(paths: Sequence[Path]) -> bytes:
    """Return what tells ledgers, their order, and the code that reads them from all others.

    Raises ``DataUnreadable``.
    """
    told = hashlib.sha256(hash_code())
    for path in paths:
        try:
            with path.open("rb") as file:
                told.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise DataUnreadable(path, error.strerror or str(error)) from None
    return told.hexdigest().encode()


@cache
def hash_code() -> bytes:
    """Return the SHA-256 of all code that could have a say in what is read from a ledger."""
    told = hashlib.sha256()
    root = Path(__file__).parents[2]
    for package in ("analysis", "store"):
        for path in sorted((root / package).rglob("*.py")):
            told.update(path.read_bytes())
    return told.digest()


def encode(rows: LedgerRows, key: bytes) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {name: getattr(rows.views, name) for name in COLUMNS}
    columns |= {name: pa.array(getattr(rows.seen, name), pa.string()) for name in DETAILS}
    columns |= {name: rows.labels[:, at] for at, name in enumerate(LABELS)}
    columns["video"] = pa.array(rows.views.video.tolist(), pa.string())
    notes = _MANY_NOTES.dump_json(rows.notes, by_alias=True)
    table = pa.table(columns).replace_schema_metadata({_KEY: key, _NOTES: notes})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue())


def decode(content: bytes, key: bytes) -> LedgerRows | None:
    """Return the rows of a file; ``None`` where it is torn, or was made of something else."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # not read_table, which imports pandas
        file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        table = file.read(use_threads=False)
        metadata = table.schema.metadata
        if metadata[_KEY] != key:
            return None
        notes = _MANY_NOTES.validate_json(metadata[_NOTES])
        columns = {
            name: table.column(name).to_numpy().astype(column_dtype(name), copy=False)
            for name in COLUMNS
        }
        details = [_texts(table.column(name)) for name in DETAILS]
        labels = np.stack([table.column(name).to_numpy() for name in LABELS], axis=1)
    except (OSError, KeyError, pa.ArrowException, ValidationError):
        return None
    views = Views(tuple(label_runs([note.info for note in notes])), **columns)
    return LedgerRows(views, RowDetails(*details), labels, notes)


def _texts(column: Any) -> Any:
    """Texts as objects, each of which is held once however often it comes."""
    coded = column.combine_chunks().dictionary_encode()
    words = np.array([*coded.dictionary.to_pylist(), None], dtype=object)
    return words[coded.indices.fill_null(-1).to_numpy()]

"""How rows and pictures are written: Parquet, JSONL, an image folder, tar files.

Each format is one function, which takes the rows of one split in order.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

from store.dataset.rows import FIELDS, Row

Item = tuple[Row, bytes]
Writer = Callable[[Path, str, Iterable[Item]], None]
"""Writes one split: the export's folder, the split's name, what is in it."""

_FILE_ROWS = 1_000
_GROUP_ROWS = 200
_TAR_ROWS = 1_000


def parquet(folder: Path, split: str, items: Iterable[Item]) -> None:
    """``data/<split>-00000.parquet``: the pictures are inside, as Hugging Face keeps them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(pa)
    (folder / "data").mkdir(exist_ok=True)
    for number, batch in enumerate(_batches(items, _FILE_ROWS)):
        with pq.ParquetWriter(folder / "data" / f"{split}-{number:05}.parquet", schema) as writer:
            for group in _batches(batch, _GROUP_ROWS):
                writer.write_table(_table(pa, schema, group))


def _columns(pa: Any) -> list[tuple[str, Any]]:
    special = {"list": pa.list_(pa.string()), "bool": pa.bool_()}
    return [(name, special.get(kind) or getattr(pa, kind)()) for name, kind in FIELDS.items()]


def _schema(pa: Any) -> Any:
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = [("image", picture), *_columns(pa)]
    told: dict[str, Any] = {"image": {"_type": "Image"}}
    for name, kind in FIELDS.items():
        value = {"dtype": "string" if kind == "list" else kind, "_type": "Value"}
        told[name] = {"feature": value, "_type": "List"} if kind == "list" else value
    return pa.schema(columns, metadata={"huggingface": json.dumps({"info": {"features": told}})})


def _table(pa: Any, schema: Any, group: list[Item]) -> Any:
    rows = [{"image": {"bytes": jpeg, "path": f"{_name(row)}.jpg"}} | row for row, jpeg in group]
    return pa.Table.from_pylist(rows, schema=schema)


def jsonl(folder: Path, split: str, items: Iterable[Item]) -> None:
    """``<split>.jsonl``, one row a line, and each picture once: ``images/ab/<sha256>.jpg``."""
    with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as file:
        for row, jpeg in items:
            path = Path("images", row["sha256"][:2], f"{row['sha256']}.jpg")
            _put(folder / path, jpeg)
            _line(file, {"image": path.as_posix()} | row)


def image_folder(folder: Path, split: str, items: Iterable[Item]) -> None:
    """``<split>/<run>/<step>-<frame>.jpg`` and ``<split>/metadata.parquet``: an ImageFolder."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder / split).mkdir()
    columns = [("file_name", pa.string()), *_columns(pa)]
    with pq.ParquetWriter(folder / split / "metadata.parquet", pa.schema(columns)) as writer:
        for group in _batches(items, _GROUP_ROWS):
            for row, jpeg in group:
                _put(folder / split / f"{_name(row)}.jpg", jpeg)
            rows = [{"file_name": f"{_name(row)}.jpg"} | row for row, _ in group]
            writer.write_table(pa.Table.from_pylist(rows, schema=writer.schema))


def tars(folder: Path, split: str, items: Iterable[Item]) -> None:
    """``<split>-000000.tar`` with ``<key>.jpg`` and ``<key>.json`` in turn: WebDataset."""
    done = 0
    for number, batch in enumerate(_batches(items, _TAR_ROWS)):
        with tarfile.open(folder / f"{split}-{number:06}.tar", "w") as tar:
            for row, jpeg in batch:
                key = f"{split}-{done:08}"
                _member(tar, f"{key}.jpg", jpeg)
                _member(tar, f"{key}.json", json.dumps(row, ensure_ascii=False).encode())
                done += 1


FORMATS: dict[str, Writer] = {
    "parquet": parquet,
    "jsonl": jsonl,
    "datasets": image_folder,
    "webdataset": tars,
}

FILES = {
    "parquet": "data/{split}-*.parquet",
    "jsonl": "{split}.jsonl",
    "datasets": "{split}/**",
    "webdataset": "{split}-*.tar",
}
"""Which files of an export hold a split."""


def _member(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)  # no owner and no time: the same rows make the same file
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def _name(row: Row) -> str:
    run, position, number = row["id"].rsplit("/", 2)
    return f"{run}/{int(position):06}-{number}"


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _line(file: IO[str], row: Row) -> None:
    file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch

"""Files of JSON lines that hold one record for each question, below a header that says who answers.

A later sitting writes its own header first and goes on; a torn end is dropped. Refuses to know
what is asked (``preference_pairs``, ``hallucination_probes``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from store.errors import DamagedLedger, DataUnreadable, DataUnwritable
from store.foreign.text import DEEPEST
from store.jsonl.append_only import committed
from store.jsonl.atomic import write_whole
from store.jsonl.locked_writer import LineWriter
from store.jsonl.locks import NamedLock
from store.jsonl.paths import path_within
from store.jsonl.record import Record, tell_fault

H = TypeVar("H", bound=Record)
L = TypeVar("L", bound=Record)


def read_keyed(path: Path, header: type[H], line: TypeAdapter[L]) -> tuple[H, tuple[L, ...]]:
    """Read a file: its first header, and every record.

    Raises
    ------
    DamagedLedger
        A committed line is no record; names the line, counted from 1.
    DataUnreadable
        The file cannot be read.
    """
    try:
        raw, _ = committed(path.read_bytes())
    except OSError as error:
        raise DataUnreadable(path, error.strerror or str(error)) from None
    first: H | None = None
    found: list[L] = []
    for number, text in enumerate(raw, 1):
        try:
            record = line.validate_json(text)
        except ValidationError as error:
            raise DamagedLedger(path, number, f"{tell_fault(error)}.") from None
        if not isinstance(record, header):
            found.append(record)
        elif first is None:
            first = record
    if first is None:
        raise DamagedLedger(path, 1, "it does not start with who answers.")
    return first, tuple(found)


class KeyedWriter(LineWriter, Generic[L]):
    """Appends records to one file, batch by batch, and keeps a second writer out.

    Parameters
    ----------
    path
        Made, with its folder, if it is not there.
    header
        Of this sitting; written with the first records.
    line
        How a line is read back.

    Raises
    ------
    RunLocked
        Another writer has this file open.
    DataUnwritable
        The file or its folder cannot be written.
    """

    kept: tuple[L, ...]
    """What earlier sittings were told."""

    def __init__(self, path: Path, header: Record, line: TypeAdapter[L]) -> None:
        super().__init__(path, NamedLock(path.with_suffix(".lock")), path.stem)
        self._header: Record | None = header
        try:
            there = committed(path.read_bytes())[0]
            self.kept = read_keyed(path, type(header), line)[1] if there else ()
        except BaseException:
            self.close()
            raise

    def append(self, records: Sequence[L]) -> None:
        """Commit a batch: all of it or none.

        Raises
        ------
        DataUnwritable
            The disk refused. Nothing of the batch stays.
        """
        if not records:
            return
        lines: list[Record] = [*([] if self._header is None else [self._header]), *records]
        self._commit(
            b"".join(record.model_dump_json(by_alias=True).encode() + b"\n" for record in lines)
        )
        self._header = None


@dataclass(frozen=True)
class ForgottenKeys:
    """What is to be forgotten."""

    frames: Collection[str]
    videos: Collection[str]

    def hits(self, line: dict[str, Any]) -> bool:
        """Whether a record is about any of it."""
        source = line.get("source", line)
        if not isinstance(source, dict) or any(
            not isinstance(source.get(name, ""), str) for name in ("frame", "video")
        ):
            return self.names(json.dumps(line, ensure_ascii=False))
        return source.get("frame") in self.frames or source.get("video") in self.videos

    def names(self, text: str) -> bool:
        """Whether a line that is no record names any of it."""
        return any(name and name in text for name in (*self.frames, *self.videos))


def said(folder: Path, gone: ForgottenKeys) -> set[str]:
    """Every text in records about what is to be forgotten."""
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in _plain(path)]
    found = [line for line in lines if isinstance(line, dict) and gone.hits(line)]
    return {text for line in found for text in _texts(line)}


def forget(folder: Path, gone: ForgottenKeys, change: Callable[[str], str]) -> None:
    """Drop every record about what is to be forgotten, and change the texts of the others.

    Each file is written whole, beside its place, and renamed. A line that cannot be read stays as
    it stands, unless it names any of it.

    Raises
    ------
    RunLocked
        Somebody writes one of the files.
    DataUnwritable
        The disk refused. The file is as it was.
    """
    for path in sorted(folder.glob("*.jsonl")):
        path_within(folder, path)
        with LineWriter(path, NamedLock(path.with_suffix(".lock")), path.stem):
            try:
                kept = [_without(line, gone, change) for line in _plain(path)]
                write_whole(path, b"".join(line + b"\n" for line in kept if line is not None))
            except OSError as error:
                raise DataUnwritable(path, error.strerror or str(error)) from None


def _plain(path: Path) -> list[dict[str, Any] | bytes]:
    """The lines as they stand; one that is no record as its bytes."""
    return [_record(line) for line in committed(path.read_bytes())[0]]


def _record(line: bytes) -> dict[str, Any] | bytes:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return line
    return told if isinstance(told, dict) and not _is_deep(told) else line


def _is_deep(value: Any, levels: int = DEEPEST) -> bool:
    """Whether lists and objects lie deeper within each other than in any record."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return not levels or any(_is_deep(each, levels - 1) for each in inner)


def _without(
    line: dict[str, Any] | bytes, gone: ForgottenKeys, change: Callable[[str], str]
) -> bytes | None:
    """A line as it is kept; ``None`` where it goes."""
    if isinstance(line, dict):
        return None if gone.hits(line) else json.dumps(_changed(line, change)).encode()
    text = line.decode(errors="replace")
    return None if gone.names(text) or change(text) != text else line


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {name: _changed(each, change) for name, each in value.items()}
    if isinstance(value, list):
        return [_changed(each, change) for each in value]
    return change(value) if isinstance(value, str) else value

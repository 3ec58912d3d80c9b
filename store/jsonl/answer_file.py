"""Files of JSON lines that hold an answer to each question, below a header that says who answers.

A sitting writes its header with its first answers; a later one writes its own header, and goes on.
Answers are committed in batches, and a torn end is dropped. A question that no reply came to is an
attempt: its line stands, and it is due again, up to a number that the caller declares. What was
answered is never asked again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from store.errors import DamagedLedger, DataUnreadable
from store.jsonl.append_only import LineWriter, committed, divide
from store.jsonl.base_record import Record, tell_fault
from store.jsonl.hash_chain import GONE, ChainWalk
from store.jsonl.locks import NamedLock

UNANSWERED: frozenset[str] = frozenset({"timed_out", "rate_limited", "failed"})
"""Readings that are attempts: no reply came, and the question is due again. Others are answers."""


class KeyedRecord(Protocol):
    """One question, and what came of it, as a line of its own."""

    @property
    def key(self) -> Hashable: ...

    @property
    def missing(self) -> str | None:
        """Why there is no answer; ``None`` where there is one."""
        ...

    def model_dump_json(self, *, by_alias: bool | None = None) -> str: ...


_Header = TypeVar("_Header", bound=Record)
_Line = TypeVar("_Line", bound=KeyedRecord)
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class KeyedFormat(Generic[_Header, _Line]):
    """What the lines of a file are: headers, and records of answers."""

    header: type[_Header]
    line: TypeAdapter[Any]
    """Of either."""

    def read(self, path: Path) -> tuple[_Header, tuple[_Line, ...]]:
        """Read the first header, and every record.

        Raises
        ------
        DamagedLedger
            A committed line is no record or not as it was written, or there is no header; names
            the line, counted from 1.
        DataUnreadable
            The file cannot be read.
        """
        records, _ = read_records(path, self.line)
        headers = [record for record in records if isinstance(record, self.header)]
        if not headers:
            raise DamagedLedger(path, 1, "it does not start with who answers.")
        return headers[0], tuple(one for one in records if not isinstance(one, self.header))


def read_records(path: Path, line: TypeAdapter[_Item]) -> tuple[list[_Item], int]:
    """Read every line as it stands, and the bytes of a torn last one; raises as ``KeyedFormat``."""
    content = _read(path)
    found = [record for _, record in parse_lines(path, content, line)]
    return found, divide(content)[1]


def parse_lines(
    path: Path, content: bytes, line: TypeAdapter[_Item]
) -> Iterator[tuple[bytes, _Item]]:
    """Yield the lines of a file's content, each without its seal, and as a record.

    Raises ``DamagedLedger``.
    """
    walk = ChainWalk()
    for text in divide(content)[0]:
        body, fault = walk.take(text)
        if body != GONE:
            record = _record(path, walk.lines, body, line)
            if fault is None:
                yield body, record
        if fault is not None:
            raise DamagedLedger(path, walk.lines, fault)


def read_with_damage(
    path: Path, line: TypeAdapter[_Item]
) -> Iterator[tuple[_Item | None, DamagedLedger | None]]:
    """Yield each line as far as it is a record, and what is damaged of it.

    Raises ``DataUnreadable``.
    """
    walk = ChainWalk()
    for text in divide(_read(path))[0]:
        body, fault = walk.take(text)
        damage = None if fault is None else DamagedLedger(path, walk.lines, fault)
        try:
            yield None if body == GONE else _record(path, walk.lines, body, line), damage
        except DamagedLedger as error:
            yield None, error


def read_known_records(path: Path, line: TypeAdapter[_Item]) -> list[_Item | bytes]:
    """Read what can be read; a line that cannot stands as its bytes. Raises ``DataUnreadable``."""
    found: list[_Item | bytes] = []
    for number, text in enumerate(committed(_read(path))[0], 1):
        try:
            found.append(_record(path, number, text, line))
        except DamagedLedger:
            found.append(text)
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataUnreadable(path, error.strerror or str(error)) from None


def _record(path: Path, number: int, text: bytes, line: TypeAdapter[_Item]) -> _Item:
    try:
        return line.validate_json(text)
    except ValidationError as error:
        raise DamagedLedger(path, number, f"{tell_fault(error)}.") from None


class KeyedWriter(LineWriter, Generic[_Header, _Line]):
    """Appends answers to one file, batch by batch, and keeps a second writer out.

    Parameters
    ----------
    header
        Of this sitting; written with the first answers.
    read
        Reads what earlier sittings left; raises where this one cannot go on with it.
    lock
        By default a file of its own beside the answers.
    run_id
        Named where another writer has the lock; by default the file's name.

    Raises
    ------
    RunLocked
        Another writer has this file open.
    DataUnwritable
        The file or its folder cannot be written.
    """

    begun: _Header | None = None
    """Header of the first sitting, which this one goes on with."""
    kept: tuple[_Line, ...] = ()
    """What earlier sittings were told, attempts without a reply included."""
    asked: set[Hashable]
    """Keys of questions that were answered, and are never asked again."""

    def __init__(
        self,
        path: Path,
        header: _Header,
        read: Callable[[Path], tuple[_Header, tuple[_Line, ...]]],
        lock: NamedLock | None = None,
        run_id: str | None = None,
    ) -> None:
        held = lock or NamedLock(path.with_suffix(".lock"))
        super().__init__(path, held, run_id or path.stem, kept_open=False)
        self._header: _Header | None = header
        try:
            if committed(path.read_bytes())[0]:
                self.begun, self.kept = read(path)
        except BaseException:
            self.close()
            raise
        self.asked = set()
        self._attempts: Counter[Hashable] = Counter()
        self._count(self.kept)

    def due(self, key: Hashable, attempts: int) -> bool:
        """Tell whether a question is to be asked, where each is asked so often at most."""
        return key not in self.asked and self._attempts[key] < attempts

    def attempts(self, key: Hashable) -> int:
        return self._attempts[key]

    def append(self, records: Sequence[_Line]) -> None:
        """Commit a batch: all of it or, with ``DataUnwritable``, none; an empty one writes none."""
        if not records:
            return
        head = [] if self._header is None else [self._encode(self._header)]
        self._commit(b"".join([*head, *(self._encode(record) for record in records)]))
        self._header = None
        self._count(records)

    def _encode(self, record: _Header | _Line) -> bytes:
        return record.model_dump_json(by_alias=True).encode() + b"\n"

    def _count(self, records: Sequence[_Line]) -> None:
        self.asked.update(line.key for line in records if line.missing not in UNANSWERED)
        self._attempts.update(line.key for line in records)

"""Takes records about forgotten frames out of files of answers (pairs, probes)."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from store.errors import DataUnwritable
from store.jsonl.append_only import LineWriter, committed, divide
from store.jsonl.atomic import write_whole
from store.jsonl.hash_chain import GONE, body_of, rewrite_lines
from store.jsonl.locks import NamedLock
from store.jsonl.paths import path_within
from store.untrusted.clean_text import DEEPEST


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


def texts_about(folder: Path, gone: ForgottenKeys) -> set[str]:
    """Collect every text in records about what is to be forgotten."""
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in _plain(path)]
    found = [line for line in lines if isinstance(line, dict) and gone.hits(line)]
    return {text for line in found for text in _texts(line)}


def forget_answers(folder: Path, gone: ForgottenKeys, change: Callable[[str], str]) -> None:
    """Drop every record about what is to be forgotten, and change the texts of the others.

    A file that changes is written whole, beside its place, and renamed. A line that cannot be read
    stays as it stands, unless it names any of it.

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
                lines, _ = divide(path.read_bytes())
                old = list(map(body_of, lines))
                bodies = [_without(body, gone, change) for body in old]
                if bodies != old:
                    write_whole(path, rewrite_lines(lines, bodies, f"{datetime.now(UTC):%Y-%m-%d}"))
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


def _without(body: bytes, gone: ForgottenKeys, change: Callable[[str], str]) -> bytes:
    """A line as it is kept; ``GONE`` where it goes."""
    line = _record(body)
    if isinstance(line, bytes):
        text = line.decode(errors="replace")
        return GONE if gone.names(text) or change(text) != text else line
    if gone.hits(line):
        return GONE
    changed = _changed(line, change)
    return body if changed == line else json.dumps(changed).encode()


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

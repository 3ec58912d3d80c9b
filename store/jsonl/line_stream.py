"""The committed lines of an open file, one after the other, without the whole of it in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from store.jsonl.append_only import is_json


class CommittedLines:
    """The lines of a file that only grows, by the rules of ``append_only.committed``."""

    torn = 0
    """Bytes of an unfinished last line, known once all lines were given."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        """Give each line without its newline; raises ``OSError``."""
        last: bytes | None = None  # whether it is torn is known when the next one is there
        for line in self._file:
            if not line.endswith(b"\n"):
                self.torn = len(line)
                break
            if last is not None:
                yield last
            last = line[:-1]
        if last is None:
            return
        if self.torn or is_json(last):
            yield last
        else:
            self.torn = len(last) + 1

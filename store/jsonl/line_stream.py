"""The committed lines of an open file, one after the other, without the whole of it in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import IO

from store.jsonl.append_only import divide

_HELD = 3
"""Lines that are held back: what is torn at a file's end is told by the two before it."""


class CommittedLines:
    """The lines of a file as they stand, divided as ``append_only.divide`` divides the whole."""

    torn = 0
    """Bytes of an unfinished last line, known once all lines were given."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        """Give each line without its newline; raises ``OSError``."""
        held: deque[bytes] = deque()
        for line in self._file:
            if len(held) == _HELD:
                yield held.popleft()[:-1]
            held.append(line)
        rest, self.torn = divide(b"".join(held))
        yield from rest

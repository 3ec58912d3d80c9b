"""Strangers' gzip files of JSON lines, unpacked piece by piece within limits.

One file without any name in it: nothing that it holds leads to a place on the disk.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from store.untrusted.size_limits import ForeignFault, TooManyBytes


class BadLines(ForeignFault):
    """Bytes that are no packed lines of JSON."""


def read_packed_lines(
    path: Path, most_bytes: int, most_lines: int, most_line_bytes: int
) -> Iterator[Any]:
    """Give the JSON value of each line.

    Raises ``OSError``; ``TooManyBytes`` once the file or what it unpacks to has more than
    ``most_bytes``; ``BadLines`` where it is damaged, has more lines, or has a line of more than
    ``most_line_bytes``.
    """
    if path.stat().st_size > most_bytes:
        raise TooManyBytes(most_bytes)
    left = most_bytes
    with gzip.open(path, "rb") as file:
        for number in range(1, most_lines + 2):
            try:
                line = file.readline(min(left, most_line_bytes) + 1)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise BadLines(f"it is no whole gzip file ({error})") from None
            left -= len(line)
            if left < 0:
                raise TooManyBytes(most_bytes)
            if len(line) > most_line_bytes:
                raise BadLines(f"its line {number} has more than {most_line_bytes:,} bytes")
            if not line:
                return
            if number > most_lines:
                raise BadLines(f"it has more than {most_lines:,} lines")
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                raise BadLines(f"its line {number} is no JSON") from None

"""Strangers' gzip files of JSON lines, unpacked piece by piece within limits.

One file without any name in it: nothing that it holds leads to a place on the disk.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from store.untrusted.json_files import BadLines, read_json_lines
from store.untrusted.size_limits import TooManyBytes


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
    with gzip.open(path, "rb") as file:
        try:
            yield from read_json_lines(
                cast("IO[bytes]", file), most_bytes, most_lines, most_line_bytes
            )
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise BadLines(f"it is no whole gzip file ({error})") from None

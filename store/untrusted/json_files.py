"""Strangers' JSON: a whole file, and files of one value a line, within limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

from store.untrusted.size_limits import ForeignFault, TooManyBytes


class BadJson(ForeignFault):
    """Bytes that are no JSON, or more of it than is read."""


class BadLines(ForeignFault):
    """Bytes that are no lines of JSON."""


def parse_json(content: bytes) -> Any:
    """Read the bytes of a file of JSON, in UTF-8, 16 or 32; raises ``BadJson``."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):  # a number of thousands of digits among them
        raise BadJson("it is no JSON") from None


def read_json_lines(
    file: IO[bytes], most_bytes: int, most_lines: int, most_line_bytes: int
) -> Iterator[Any]:
    """Give the JSON value of each line; one of white space holds none.

    Raises ``TooManyBytes`` beyond ``most_bytes``; ``BadLines`` beyond ``most_lines``, and where a
    line is no JSON or has more than ``most_line_bytes``.
    """
    left = most_bytes
    for number in range(1, most_lines + 2):
        line = file.readline(min(left, most_line_bytes) + 1)
        left -= len(line)
        if left < 0:
            raise TooManyBytes(most_bytes)
        if len(line) > most_line_bytes:
            raise BadLines(f"its line {number} has more than {most_line_bytes:,} bytes")
        if not line:
            return
        if number > most_lines:
            raise BadLines(f"it has more than {most_lines:,} lines")
        if line.isspace():
            continue
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            raise BadLines(f"its line {number} is no JSON") from None

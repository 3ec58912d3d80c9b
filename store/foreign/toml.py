"""Strangers' TOML, within a limit: whatever is wrong with it is one fault, with its line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from store.foreign.limits import ForeignFault, TooManyBytes, read_file

MOST_TOML_BYTES = 2**20
"""Of a file that people write; the longest study file has some kilobytes."""
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


class BadToml(ForeignFault):
    """Bytes that are no TOML, or more of it than is read."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.line = line
        """Counted from 1; ``None`` where none is at fault."""


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file of TOML.

    Raises
    ------
    BadToml
        It is none, is not UTF-8, is longer than ``MOST_TOML_BYTES``, or holds a number or lists
        within lists beyond what is read.
    OSError
        It cannot be read.
    """
    try:
        return tomllib.loads(read_file(path, MOST_TOML_BYTES).decode())
    except TooManyBytes as error:
        raise BadToml(str(error)) from None
    except UnicodeDecodeError:
        raise BadToml("it is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        # before Python 3.14 the parser tells the line in its message only
        place = _PLACE.search(str(error))
        line = int(place[1]) if place and place[1] else None
        raise BadToml(str(error), line) from None
    except RecursionError:
        raise BadToml("its lists lie too deep within each other") from None
    except ValueError:  # of Python, over a number of thousands of digits
        raise BadToml("a number or a date in it is none that can be read") from None

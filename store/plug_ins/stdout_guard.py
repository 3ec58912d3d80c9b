"""Keeps what a stranger's code prints out of results: it goes to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO, cast

_GUARDED = ContextVar("_GUARDED", default=False)


class _Switch:
    """Standard output, which is stderr to whatever runs under the guard.

    It is told by context and not for the whole process: other threads go on to print results.
    """

    def __init__(self, beneath: TextIO) -> None:
        self._beneath = beneath

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr if _GUARDED.get() else self._beneath, name)


@contextmanager
def print_to_stderr() -> Iterator[None]:
    """Send what is printed within to stderr, in this thread and tasks, and nowhere else."""
    if not isinstance(sys.stdout, _Switch):
        sys.stdout = cast("TextIO", _Switch(sys.stdout))
    token = _GUARDED.set(True)
    try:
        yield
    finally:
        _GUARDED.reset(token)

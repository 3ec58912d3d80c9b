"""Who conducts a study and who runs a cell: one process at a time, by its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.errors import UserError
from store.jsonl.locks import LockHeld, NamedLock

LAST_WORDS_S = 60.0
"""How long the child of a killed conductor may take to end."""


class StudyHeld(UserError):
    """Somebody conducts the study, or is the cell."""

    def __init__(self, what: str, holder: str) -> None:
        super().__init__(
            f"{what} is in the hands of {holder}. End that first, or wait for it; then type the "
            "same command again."
        )


@contextmanager
def held_study(folder: Path) -> Iterator[None]:
    """Hold a study, so that nobody else draws for it or conducts it; raises ``StudyHeld``."""
    with _held(folder / ".lock", f"Study {folder.name}", 0.0):
        yield


@contextmanager
def held_cell(folder: Path, key: str) -> Iterator[None]:
    """Hold a cell, so that it is run once, also where a killed conductor's child still lives.

    Raises ``StudyHeld`` where another process still does after a minute.
    """
    lock = folder / "cells" / f"{key.replace('/', '_')}.lock"
    with _held(lock, f"Cell {key} of study {folder.name}", LAST_WORDS_S):
        yield


@contextmanager
def _held(path: Path, what: str, patience_s: float) -> Iterator[None]:
    lock = NamedLock(path)
    try:
        lock.acquire(patience_s)
    except LockHeld as error:
        raise StudyHeld(what, str(error)) from None
    try:
        yield
    finally:
        lock.release()

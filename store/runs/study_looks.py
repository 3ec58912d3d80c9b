"""Looks that were taken at a study, one after each of its replicates.

A look closes its replicate: none of its runs is made, resumed or judged again after it.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from store.errors import DamagedLedger
from store.jsonl.atomic import write_whole
from store.jsonl.base_record import Record, tell_fault

LOOKS = "looks.json"


class StudyLook(Record):
    """One look: what the test said after so many replicates.

    ``p``, ``spent``: the p-value over the looks so far, and the error spent up to this one; both
    between 0 and 1. ``found``: whether that ended the study.
    """

    number: int
    of: int
    at: AwareDatetime
    runs: tuple[str, ...]
    """Treatment runs of the replicate that ended with it."""
    statistic: float
    """Mean specific sway of the replicates so far, in pp."""
    p: float
    spent: float
    found: bool


_LOOKS = TypeAdapter(tuple[StudyLook, ...])


def read_looks(folder: Path) -> tuple[StudyLook, ...]:
    """Return the looks of the study in a folder; raises ``DamagedLedger``."""
    path = folder / LOOKS
    if not path.exists():
        return ()
    try:
        return _LOOKS.validate_json(path.read_bytes())
    except ValidationError as error:
        raise DamagedLedger(path, 1, tell_fault(error)) from None


def keep_look(folder: Path, look: StudyLook) -> None:
    """Add a look to those of a study, on the disk when this returns."""
    write_whole(folder / LOOKS, _LOOKS.dump_json((*read_looks(folder), look), indent=1))

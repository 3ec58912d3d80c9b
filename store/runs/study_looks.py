"""When the declared test of a study was read: at its looks, or once it was over.

A look closes its replicate: none of its runs is made, resumed or judged again after it. A study
without looks is tested once: whoever reads the test, extends it and tests again has two tries.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from store.errors import DamagedLedger
from store.jsonl.base_record import Record, tell_fault
from store.jsonl.file_seal import CHANGED, check_seal, write_sealed

Read = TypeVar("Read", bound=Record)
SITTING_SEED = 1_983
"""Seed of the sittings that looks are taken by, so that nobody else's questions are among them."""
LOOKS, TESTED = "looks.json", "tested.json"


class StudyLook(Record):
    """One look: what the test said after so many replicates.

    ``p``, ``spent``: the p-value over the looks so far, and the error spent up to this one; both
    between 0 and 1. ``found``: whether the test has found something by now. ``stands``: whether
    its headline stands, too, which ended the study.
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
    stands: bool


class TestedSize(Record):
    """A size at which a study was over and its declared test was read."""

    at: AwareDatetime
    cells: int
    """Runs that were drawn by then."""


_LOOKS = TypeAdapter(tuple[StudyLook, ...])
_TESTED = TypeAdapter(tuple[TestedSize, ...])


def read_looks(folder: Path) -> tuple[StudyLook, ...]:
    """Return the looks of the study in a folder; raises ``DamagedLedger``."""
    return _read(folder / LOOKS, _LOOKS)


def read_tested(folder: Path) -> tuple[TestedSize, ...]:
    """Return the sizes at which a study was tested, smallest first; raises ``DamagedLedger``."""
    return _read(folder / TESTED, _TESTED)


def keep_tested(folder: Path, tested: TestedSize) -> None:
    """Note that a study was tested at a size, once for each size."""
    known = read_tested(folder)
    if tested.cells not in {one.cells for one in known}:
        write_sealed(folder / TESTED, _TESTED.dump_json((*known, tested), indent=1))


def _read(path: Path, kind: TypeAdapter[tuple[Read, ...]]) -> tuple[Read, ...]:
    if not path.exists():
        return ()
    content = path.read_bytes()
    if check_seal(content) == "changed":
        raise DamagedLedger(path, 1, CHANGED)
    try:
        return kind.validate_json(content)
    except ValidationError as error:
        raise DamagedLedger(path, 1, tell_fault(error)) from None


def keep_look(folder: Path, look: StudyLook) -> None:
    """Add a look to those of a study, on the disk when this returns."""
    write_sealed(folder / LOOKS, _LOOKS.dump_json((*read_looks(folder), look), indent=1))

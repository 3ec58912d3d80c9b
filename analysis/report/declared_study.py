"""A study as it was declared and drawn: its file, its test, its cells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from analysis.errors import BadStudyFolder
from store.jsonl.file_seal import CHANGED, check_seal
from store.runs.study_looks import read_looks
from store.untrusted.size_limits import BadToml, read_toml

FILE, DRAWS = "study.toml", "draws.json"


@dataclass(frozen=True)
class PrimaryTest:
    """What is tested, and how."""

    primary: str = "controlled"
    """``controlled`` (treatment minus control), ``matrix``, ``paired`` (after minus before alone)
    or ``borrowed``."""
    sides: str = "two"  # ``two``, or ``one`` for a sway towards the persona
    alpha: float = 0.05
    declared: bool = True  # whether it was declared before anything was run
    looks: int = 0
    """Looks that were declared, one after each replicate; 0 where it is made once, at the end."""


@dataclass(frozen=True)
class Planned:
    """One cell of a study: a run that was drawn, whether or not it was made."""

    platform: str
    strategy: str
    model: str
    replicate: int
    persona: str
    arm: str
    slot: int | None = None  # place in the start order, and number of the account
    block: int = 0
    turn: int = 0  # place of the arm within its slot

    @property
    def group(self) -> str:
        """What a draw is made within."""
        return f"{self.platform}/{self.strategy}/{self.model}/{self.replicate}"

    @property
    def key(self) -> str:
        """Name of the cell, as the ledgers of its runs carry it."""
        return f"{self.group}/{self.persona}/{self.arm}"


@dataclass(frozen=True)
class StudyFile:
    """A study as it was declared."""

    name: str
    data: Mapping[str, Any]
    """The file's own content; what it leaves out has the defaults that the ledgers hold."""
    test: PrimaryTest
    planned: tuple[Planned, ...]  # every run that was drawn

    @property
    def seed(self) -> int:
        return int(self.data.get("seed", 1))


def read_study_file(folder: Path) -> StudyFile:
    """Read ``study.toml`` and ``draws.json`` of a study's folder, or raise ``BadStudyFolder``."""
    data = _toml(folder / FILE)
    test = data.get("test", {})
    return StudyFile(
        name=str(data.get("name", folder.name)),
        data=data,
        test=PrimaryTest(
            primary=str(test.get("primary", PrimaryTest.primary)),
            sides=str(test.get("sides", PrimaryTest.sides)),
            alpha=float(test.get("alpha", PrimaryTest.alpha)),
            looks=_declared_looks(data),
        ),
        planned=_planned(folder / DRAWS),
    )


def _declared_looks(data: Mapping[str, Any]) -> int:
    if data.get("test", {}).get("looks") != "replicates":
        return 0
    return int(data.get("matrix", {}).get("replicates", 1))


def _toml(path: Path) -> Mapping[str, Any]:
    try:
        told = read_toml(path)
        if check_seal(path.read_bytes()) == "changed":
            raise BadToml(CHANGED)
        test = told.get("test", {})
        if not isinstance(test, dict) or isinstance(test.get("alpha", 0.05), str | list | dict):
            raise BadToml("its test is none")
        return told
    except (OSError, BadToml) as error:
        raise BadStudyFolder(path, f"it cannot be read ({error}).") from None


def _planned(path: Path) -> tuple[Planned, ...]:
    """Every cell that was drawn; none where nothing was drawn yet."""
    if not path.exists():
        return ()
    names = ("platform", "strategy", "model", "replicate", "persona", "arm")
    try:
        content = path.read_bytes()
        if check_seal(content) == "changed":
            raise ValueError(CHANGED)
        cells = json.loads(content)
        return tuple(
            Planned(
                **{name: cell[name] for name in names},
                slot=int(cell["slot"]) if "slot" in cell else None,
                block=int(cell.get("block", 0)),
                turn=int(cell.get("turn", 0)),
            )
            for cell in cells
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadStudyFolder(path, f"it cannot be read ({error!r}).") from None


def read_looked_at(folder: Path, upto: int | None = None) -> StudyFile:
    """Read a study as it was declared; with looks, the cells of the replicates looked at alone.

    ``upto``: replicates that a look is taken at; those that were looked at, if it is not given.
    """
    study = read_study_file(folder)
    if not study.test.looks:
        return study
    last = len(read_looks(folder)) if upto is None else upto
    cells = tuple(cell for cell in study.planned if cell.replicate <= last)
    return replace(study, planned=cells)

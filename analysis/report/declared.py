"""What a study declared before it was run: its file and its draws, read as plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import BadStudyFolder
from store.foreign.toml import BadToml, read_toml

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


@dataclass(frozen=True)
class Planned:
    """One cell of a study: a run that was drawn, whether or not it was made."""

    platform: str
    strategy: str
    model: str
    replicate: int
    persona: str
    arm: str

    @property
    def key(self) -> str:
        """Name of the cell, as the ledgers of its runs carry it."""
        return (
            f"{self.platform}/{self.strategy}/{self.model}/{self.replicate}/"
            f"{self.persona}/{self.arm}"
        )


@dataclass(frozen=True)
class StudyFile:
    """A study as it was declared."""

    name: str
    data: Mapping[str, Any]
    """The file's own content; what it leaves out has the defaults that the ledgers hold."""
    test: PrimaryTest
    planned: tuple[Planned, ...]  # every run that was drawn


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
        ),
        planned=_planned(folder / DRAWS),
    )


def _toml(path: Path) -> Mapping[str, Any]:
    try:
        told = read_toml(path)
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
        cells = json.loads(path.read_bytes())
        return tuple(Planned(**{name: cell[name] for name in names}) for cell in cells)
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadStudyFolder(path, f"it cannot be read ({error!r}).") from None

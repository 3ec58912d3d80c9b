"""How far each study is, and its running share of yes by position, arm by arm.

The share starts anew with each window and is of all answers that the arm's runs gave in it so far.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.daemon.journal.run_tally import MISSING, YES, RunTally
from agent.errors import BadConfig
from agent.run_config import FrozenValue
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import Phase, Windows

FEWEST = 5
"""Answers without which no share is shown."""
PHASES: tuple[Phase, ...] = ("before", "adapt", "after")


class ArmProgress(FrozenValue):
    """One arm; a point is a share from 0 to 1, ``None`` where there are too few answers."""

    arm: str
    runs: int
    points: tuple[float | None, ...]


class StudyStatus(FrozenValue):
    """One study."""

    name: str
    cells: int
    complete: int
    videos: int
    total: int
    """Videos that count when all of it is done."""
    windows: Windows
    curves: tuple[ArmProgress, ...]


def list_studies(data: DataFolder, runs: Sequence[RunTally]) -> tuple[StudyStatus, ...]:
    """Return the studies that have begun, the latest first."""
    by_study: dict[str, dict[str, RunTally]] = {}
    for run in runs:  # by start, so that the newest of a cell stays
        name = run.begun.config.study
        if name:
            cells = by_study.pop(name, {})
            cells[str(run.begun.config.cell)] = run
            by_study[name] = cells
    return tuple(_study(data, name, cells) for name, cells in reversed(by_study.items()))


def _study(data: DataFolder, name: str, cells: dict[str, RunTally]) -> StudyStatus:
    members = list(cells.values())
    windows = members[-1].begun.windows
    drawn = max(count_drawn(data.study_dir(name) / "draws.json"), len(members))
    arms = sorted({run.begun.arm for run in members}, key=_ARMS.index)
    return StudyStatus(
        name=name,
        cells=drawn,
        complete=sum(run.finished for run in members),
        videos=sum(run.eligible for run in members),
        total=drawn * windows.total,
        windows=windows,
        curves=tuple(_curve(arm, members, windows) for arm in arms),
    )


_ARMS = ("treatment", "yoked", "passive")


def count_drawn(path: Path) -> int:
    """Return how many cells a file of draws has; 0 where it cannot be read."""
    from agent.study.matrix import read_draws

    try:
        return len(read_draws(path))
    except (OSError, BadConfig):
        return 0


def _curve(arm: str, members: Sequence[RunTally], windows: Windows) -> ArmProgress:
    runs = [run for run in members if run.begun.arm == arm]
    points: list[float | None] = []
    for phase in PHASES:
        answers = [run.answers[phase] for run in runs if phase in run.answers]
        yes = known = 0
        reached = max(map(len, answers), default=0)
        length = getattr(windows, phase)
        for place in range(min(length, reached)):
            here = [one[place] for one in answers if place < len(one)]
            yes += here.count(YES)
            known += len(here) - here.count(MISSING)
            points.append(round(yes / known, 4) if known >= FEWEST else None)
        points += [None] * (length - reached)
    return ArmProgress(arm=arm, runs=len(runs), points=tuple(points))

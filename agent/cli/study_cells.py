"""Conducts cells of a study and tells how far it is, and what could not be done."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from store.terminal.command_words import spell_commands
from store.terminal.printing import count_of, echo

if TYPE_CHECKING:
    from agent.study.cell_process import CellLost, CellPlace
    from agent.study.conductor import Remainder, Study
    from agent.study.matrix import StudyCell
    from store.runs.shards import Shard


class StudyNarrator:
    """Tells a study's progress in lines, only when something changed."""

    def __init__(self, study: Study) -> None:
        self._cells = len(study.cells)
        self._videos = self._cells * study.declared.windows.total
        self._last = ""

    def stood(self, done: int, videos: int, running: Sequence[str]) -> None:
        names = ", ".join(key.split("/", 4)[-1] for key in running) or "nothing"
        share = 100 * videos // max(self._videos, 1)
        runs = f"{done} of {count_of(self._cells, 'run')}"
        line = f"{runs}, {videos} of {self._videos} videos ({share} %), running: {names}"
        if line != self._last:
            echo(line, err=True)
            self._last = line

    def ended(self, cell: StudyCell, code: int) -> None:
        if code:
            echo(f"{cell.key} ended with exit code {code}", err=True)

    def lost(self, cell: StudyCell, why: CellLost, *, again: bool) -> None:
        then = "it goes on elsewhere" if again else "it is left for now"
        echo(f"{cell.key} lost its node ({why}); {then}", err=True)

    def rests(self, until: datetime) -> None:
        line = f"Resting until {until:%Y-%m-%d %H:%M}: daily caps or quiet hours hold. Ctrl-C ends."
        if line != self._last:
            echo(line, err=True)
            self._last = line


def conduct_shard(study: Study, file: Path, shard: Shard, *, tethered: bool) -> None:
    """Run this shard's cells: of a study with looks, those of the replicate that is looked at next.

    It neither judges again nor looks, and says of the study only what this machine did.
    """
    from agent.study.matrix import shard_cells
    from store.runs.study_looks import read_looks

    name, cells = study.declared.name, shard_cells(study.cells, shard)
    what, again = f"Shard {shard} of study {name}", ""
    if study.declared.test.looks == "replicates":
        looks, of = read_looks(study.folder), study.declared.matrix.replicates
        if len(looks) == of or (looks and looks[-1].stands):
            echo(f"Study {name} is over: its last look was taken. Nothing is left for a shard.")
            return
        number = len(looks) + 1
        cells = tuple(cell for cell in cells if cell.replicate == number)
        what += f", replicate {number} of {of},"
        again = f"\nTo look at it then, type: python -m agent study {shlex.quote(str(file))}"
    left = conduct_cells(replace(study, cells=cells), file, tethered=tethered)
    if left.failed or left.resting:
        sys.exit(1)
    echo(f"{what} is done: {len(cells)} of the study's {count_of(len(study.cells), 'run')}.")
    echo(spell_commands(f"Once all {shard.of} are, type: python -m store merge FOLDER...{again}"))


def conduct_cells(study: Study, file: Path, *, tethered: bool) -> Remainder:
    """Run the cells that are not complete; say what is left of them, and how to go on."""
    from agent.cli.signals import interruptible
    from agent.study.conductor import Conductor

    with _opened_place(study) as place:
        conductor = Conductor(study, StudyNarrator(study), place=place, patient=not tethered)
        left = interruptible(conductor.conduct(), tethered=tethered)
    for what, cells in (("could not be completed", left.failed), ("rest", left.resting)):
        if cells:
            echo(f"{len(cells)} of {count_of(len(study.cells), 'run')} {what}:", err=True)
            for cell in cells:
                echo(f"  {cell.key}", err=True)
    if left.until is not None:
        echo(
            f"Daily caps or quiet hours hold until {left.until:%Y-%m-%d %H:%M}. "
            f"Then type: python -m agent study {shlex.quote(str(file))}",
            err=True,
        )
    if left.spent:
        echo(left.spent, err=True)
    elif left.failed:
        echo(f"Their logs: {study.folder / 'logs'}. The same command tries again.", err=True)
    return left


@contextmanager
def _opened_place(study: Study) -> Iterator[CellPlace | None]:
    """Join the cluster that runs a study's cells; ``None``: this machine does."""
    if study.on is None:
        yield None
        return
    from agent.study.cluster_cells import ClusterCells
    from store.cluster.ray_cluster import Cluster

    with Cluster.connect(study.on) as cluster:
        cells = ClusterCells(cluster, study)
        cells.check()
        yield cells

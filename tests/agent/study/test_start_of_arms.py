"""The arms of a slot start in the same moment where the study wants that, and not before."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import pytest

from agent.study.cell_process import CellLost
from agent.study.conductor import Conductor, Study
from agent.study.frozen_inputs import FrozenStudy, freeze_study
from agent.study.matrix import StudyCell, draw, start_order
from agent.study.study_file import EXAMPLE, BadStudy, load_study
from store.runs.data_folder import DataFolder

TWO_ARMS = EXAMPLE.replace('arms = ["treatment"]', 'arms = ["treatment", "passive"]')


class Narrator:
    """Says nothing."""

    def stood(self, done: int, videos: int, running: object) -> None:
        """How far it is."""

    def ended(self, cell: StudyCell, code: int) -> None:
        """A child ended."""

    def lost(self, cell: StudyCell, why: CellLost, *, again: bool) -> None:
        """Its machine is gone."""

    def rests(self, until: datetime) -> None:
        """Nothing may be watched."""


class Endless(Conductor):
    """Its children never end by themselves."""

    async def _child(self, cell: StudyCell, yoke: str | None) -> int:
        await asyncio.Event().wait()
        return 0


@pytest.mark.parametrize(("together", "parallel", "started"), [(True, 3, 2), (False, 3, 3)])
def test_arms_that_start_together(
    tmp_path: Path, together: bool, parallel: int, started: int
) -> None:
    pace = f"parallel = {parallel}\ntogether = {str(together).lower()}"
    file = tmp_path / "study.toml"
    file.write_text(TWO_ARMS.replace("parallel = 1", pace), encoding="utf-8")
    declared = load_study(file)
    frozen = freeze_study(declared, FrozenStudy(), file)
    study = Study(declared, tuple(draw(declared, [])), DataFolder(tmp_path), frozen)

    async def go() -> list[str]:
        conductor = Endless(study, Narrator())
        conductor._start_due(start_order(study.cells), {})
        running = list(conductor._state.running)
        await conductor._end_all()
        return running

    running = asyncio.run(go())
    assert len(running) == started
    slots = {cell.key: cell.slot for cell in study.cells}
    assert len({slots[key] for key in running}) == (1 if together else 2)


def test_arms_that_start_together_need_room(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    text = TWO_ARMS.replace("parallel = 1", "parallel = 1\ntogether = true")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadStudy, match="as many as the arms"):
        load_study(file)


def test_more_replicates_are_more_cells(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(EXAMPLE, encoding="utf-8")
    one = load_study(file)
    assert len(draw(one.with_replicates(3), [])) == 3 * len(draw(one, []))
    assert one.with_replicates(None) is one

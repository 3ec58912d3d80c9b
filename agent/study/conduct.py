"""Conducts a study: every run a child process, several at a time, resumed where it stopped.

What is done is told by the ledgers alone, so that a killed study goes on as if it had never ended.
Refuses to run anything itself and to judge the runs.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agent.config import Pace, RunConfig
from agent.errors import is_wall
from agent.platforms import load as load_platform
from agent.study.declared import Declared
from agent.study.matrix import Cell, source_of, start_order
from store.data import DataFolder
from store.ledger import RunSummary, read

INTERRUPTED = 130
LOOK_EVERY_S = 1.0


class Onlooker(Protocol):
    """Someone who watches a study."""

    def stood(self, done: int, videos: int, running: Sequence[str]) -> None:
        """How far it is: cells done, videos recorded, cells running now."""
        ...

    def ended(self, cell: Cell, code: int) -> None:
        """A child ended."""
        ...


@dataclass(frozen=True)
class Study:
    """A declared study with its draws."""

    declared: Declared
    cells: tuple[Cell, ...]
    data: DataFolder
    browser: str | None = None
    indexed: bool = True
    """Whether the runs index what they see."""
    index_url: str | None = None

    @property
    def folder(self) -> Path:
        """Where the study's own files lie."""
        return self.data.studies_dir / self.declared.name

    def runs(self) -> dict[str, RunSummary]:
        """Return the newest run of each cell, by the cell's key."""
        found: dict[str, RunSummary] = {}
        for run in self.data.runs():
            asked = run.started.config if run.started else {}
            if asked.get("study") == self.declared.name:
                found[str(asked["cell"])] = run
        return found


@dataclass
class _State:
    running: dict[str, asyncio.Task[int]] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)


def config_of(declared: Declared, cell: Cell, find_persona: Callable[[str], object]) -> RunConfig:
    """Return the configuration of a cell's run."""
    live = load_platform(cell.platform).live
    return RunConfig.model_validate(
        {
            "persona": find_persona(cell.persona), "platform": cell.platform,
            "strategy": cell.strategy, "model": cell.model, "arm": cell.arm,
            "account": f"{declared.name}-{cell.account}", "windows": declared.windows,
            "seed": declared.seed,
            "like": declared.like, "dwell": declared.dwell,
            "frames": declared.frames, "site": None if live else declared.site,
            "pace": Pace(floor_s=declared.live.floor_s) if live else None,
            "study": declared.name, "cell": cell.key, "replicate": cell.replicate,
        }
    )  # fmt: skip


class Conductor:
    """Starts what is due, up to the limit, until nothing is left."""

    def __init__(self, study: Study, onlooker: Onlooker) -> None:
        self._study = study
        self._onlooker = onlooker
        self._state = _State()

    async def conduct(self) -> list[Cell]:
        """Run the study to its end; return the cells that failed for good."""
        order = start_order(self._study.cells)
        try:
            while True:
                runs = self._study.runs()
                self._tell(runs)
                failed = self._start_due(order, runs)
                if not self._state.running:
                    return failed
                await asyncio.wait(
                    self._state.running.values(),
                    timeout=LOOK_EVERY_S,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                self._collect(order)
        finally:
            await self._end_all()

    def _start_due(self, order: Sequence[Cell], runs: dict[str, RunSummary]) -> list[Cell]:
        """Start what may start now; return what cannot be had any more."""
        pace = self._study.declared.pace
        failed: list[Cell] = []
        for cell in order:
            run = runs.get(cell.key)
            if (run and run.status == "complete") or cell.key in self._state.running:
                continue
            source = source_of(cell, order)
            source_run = runs.get(source.key) if source else None
            spent = self._state.attempts.get(cell.key, 0) >= pace.attempts
            if spent or (source in failed):
                failed.append(cell)
            elif source and (source_run is None or source_run.status != "complete"):
                continue  # its turn comes when the treatment that it is yoked to is complete
            elif len(self._state.running) + self._partners(cell, order, runs) < pace.parallel:
                self._state.attempts[cell.key] = self._state.attempts.get(cell.key, 0) + 1
                yoke = source_run.run_id if source_run else None
                self._state.running[cell.key] = asyncio.create_task(self._child(cell, yoke))
        return failed

    def _partners(self, cell: Cell, order: Sequence[Cell], runs: dict[str, RunSummary]) -> int:
        """Count the arms that must start in the same moment as this one."""
        if not self._study.declared.pace.together:
            return 0
        return sum(
            (other.group, other.slot) == (cell.group, cell.slot)
            and not (other == cell or other.key in runs or other.key in self._state.running)
            for other in order
        )

    async def _child(self, cell: Cell, yoke: str | None) -> int:
        """Run one child; it ends with this process, since its stdin is our pipe."""
        log = self._study.folder / "logs" / f"{cell.key.replace('/', '_')}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable, "-m", "agent", "run", "--data", str(self._study.data.root),
            "--study", str(self._study.folder), "--cell", cell.key, "--tethered",
        ]  # fmt: skip
        if not self._study.indexed:
            command.append("--no-index")
        if yoke is not None:
            command += ["--yoke", yoke]
        if self._study.browser is not None:
            command += ["--browser", self._study.browser]
        if self._study.index_url is not None:
            command += ["--index", self._study.index_url]
        with log.open("ab") as stream:
            child = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=stream, stderr=stream,
                start_new_session=True,
            )  # fmt: skip
        try:
            return await child.wait()
        finally:
            if child.returncode is None and child.stdin is not None:
                child.stdin.close()
                await child.wait()

    def _collect(self, order: Sequence[Cell]) -> None:
        for cell in order:
            task = self._state.running.get(cell.key)
            if task is not None and task.done():
                del self._state.running[cell.key]
                self._onlooker.ended(cell, task.result())
                if task.result() and self._walled(cell):
                    self._state.attempts[cell.key] = self._study.declared.pace.attempts

    def _walled(self, cell: Cell) -> bool:
        """Whether the cell's run ended at a wall, which another attempt would only meet again."""
        run = self._study.runs().get(cell.key)
        faults = read(run.path).faults if run and run.status == "interrupted" else ()
        return bool(faults) and not faults[-1].recovered and is_wall(faults[-1].fault)

    def _tell(self, runs: dict[str, RunSummary]) -> None:
        keys = {cell.key for cell in self._study.cells}
        mine = [run for key, run in runs.items() if key in keys]
        done = sum(run.status == "complete" for run in mine)
        videos = sum(run.steps for run in mine)
        self._onlooker.stood(done, videos, list(self._state.running))

    async def _end_all(self) -> None:
        for task in self._state.running.values():
            task.cancel()
        await asyncio.gather(*self._state.running.values(), return_exceptions=True)

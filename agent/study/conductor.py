"""Conducts a study: every run a child process, several at a time, resumed where it stopped.

What is done is told by the ledgers alone, so that a killed study goes on as if it had never ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path
from typing import Protocol

from agent.errors import BudgetSpent, LayoutChanged, PaceReached, is_wall
from agent.model_settings import ModelSettings
from agent.platforms import load_platform
from agent.run.pacing import Hours, PaceLimits, zone_of
from agent.run_config import HandPace, RunConfig
from agent.study.cell_process import CellLost, CellPlace, CellProcess, ThisMachine
from agent.study.frozen_inputs import FrozenStudy
from agent.study.matrix import StudyCell, find_source, log_path, start_order
from agent.study.study_file import StudyDeclaration
from store.cluster.cluster_address import ClusterAddress
from store.runs.data_folder import DataFolder
from store.runs.ledger import RunSummary, read_each

INTERRUPTED = 130
LOOK_EVERY_S = 1.0
REST_S = 20.0
"""Wait between two looks at whether caps and quiet hours are over."""
LOSSES = 10
"""Machines that one cell may lose before it is given up for this time."""
MIDNIGHT = time()


class StudyWatcher(Protocol):
    """Someone who watches a study."""

    def stood(self, done: int, videos: int, running: Sequence[str]) -> None:
        """How far it is: cells done, videos of their windows recorded, cells running now."""
        ...

    def ended(self, cell: StudyCell, code: int) -> None: ...

    def lost(self, cell: StudyCell, why: CellLost, *, again: bool) -> None:
        """A cell's machine was lost; ``again``: it is started on another."""
        ...

    def rests(self, until: datetime) -> None: ...


@dataclass(frozen=True)
class Study:
    """A declared study with its draws."""

    declared: StudyDeclaration
    cells: tuple[StudyCell, ...]
    data: DataFolder
    frozen: FrozenStudy
    browser: str | None = None
    indexed: bool = True
    index_url: str | None = None
    timezone: str | None = None
    """Whose days and hours count where the study declares none; ``None``: the machine's."""
    shards: int = 1
    """Machines that share the cells, and the budget."""
    on: ClusterAddress | None = None
    """Cluster whose nodes run the cells."""

    @property
    def limits(self) -> PaceLimits:
        live = self.declared.live
        zone = live.timezone or self.timezone
        hours = Hours.parse(live.quiet_hours) if live.quiet_hours else None
        return PaceLimits(live.per_day or None, hours, zone_of(zone) if zone else None)

    @property
    def folder(self) -> Path:
        return self.data.study_dir(self.declared.name)

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
    losses: dict[str, int] = field(default_factory=dict)
    """Machines that were lost under cells."""
    resting: dict[str, datetime] = field(default_factory=dict)
    """Until when the accounts of cells may not watch."""
    changed: set[str] = field(default_factory=set)
    """Platforms whose site has changed: no cell of theirs is started any more."""
    spent: str = ""
    """What the run said that found the study's budget spent: no cell is started any more."""


def configure_cell(study: Study, cell: StudyCell) -> RunConfig:
    """Return the configuration of a cell's run, with the persona as it was frozen."""
    declared = study.declared
    platform = load_platform(cell.platform, declared.adapters.get(cell.platform))
    live = platform.live
    return RunConfig.model_validate(
        {
            "persona": study.frozen.personas[cell.persona],
            "platform": cell.platform,
            "strategy": cell.strategy,
            "model": cell.model,
            "settings": declared.model_settings.get(cell.model, ModelSettings()),
            "arm": cell.arm,
            "account": f"{declared.name}-{cell.account}",
            "windows": declared.windows,
            "seed": declared.seed,
            "like": declared.like,
            "photos": declared.photos,
            "order": declared.order,
            "dwell": declared.dwell,
            "frames": declared.frames,
            "site": None if live else declared.site,
            "pace": HandPace(floor_s=declared.live.floor_s) if live else None,
            "study": declared.name,
            "cell": cell.key,
            "replicate": cell.replicate,
            "block": cell.block,
            "adapter": platform.adapter,
        }
    )


def command_of(study: Study, cell: StudyCell, yoke: str | None) -> tuple[str, ...]:
    """Return the words after Python's own by which a cell's child is started, wherever it is."""
    words = ["-P", "-m", "agent", "run", "--data", str(study.data.root)]
    words += ["--study", str(study.folder), "--cell", cell.key, "--tethered"]
    if not study.indexed:
        words.append("--no-index")
    if study.shards > 1:
        words += ["--shards", str(study.shards)]
    options = {
        "--yoke": yoke,
        "--browser": study.browser,
        "--index": study.index_url,
        "--timezone": study.timezone,
    }
    for option, value in options.items():
        if value is not None:
            words += [option, value]
    return tuple(words)


@dataclass(frozen=True)
class Remainder:
    """What a conductor left undone.

    ``failed``: cells that failed for good; ``resting``: those whose account may not watch now, by
    its daily cap or quiet hours; ``until``: when the first of these may go on.
    """

    failed: tuple[StudyCell, ...] = ()
    resting: tuple[StudyCell, ...] = ()
    until: datetime | None = None
    spent: str = ""
    """What the run said that found the study's budget spent."""


class Conductor:
    """Starts what is due, up to the limit, until nothing is left.

    One that is ``patient`` waits out daily caps and quiet hours. Otherwise it ends when nothing but
    what they hold back is left.
    """

    def __init__(
        self,
        study: Study,
        onlooker: StudyWatcher,
        *,
        place: CellPlace | None = None,
        patient: bool = True,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._study = study
        self._onlooker = onlooker
        self._place = place or ThisMachine()
        self._patient = patient
        self._now = now or study.limits.clock
        self._state = _State()

    async def conduct(self) -> Remainder:
        order = start_order(self._study.cells)
        try:
            while True:
                runs = self._study.runs()
                self._tell(runs)
                left = self._start_due(order, runs)
                if self._state.running:
                    await asyncio.wait(
                        self._state.running.values(),
                        timeout=LOOK_EVERY_S,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    self._collect(order)
                elif left.until is not None and self._patient:
                    self._onlooker.rests(left.until)
                    await asyncio.sleep(REST_S)
                else:
                    return left
        finally:
            await self._end_all()

    def _start_due(self, order: Sequence[StudyCell], runs: dict[str, RunSummary]) -> Remainder:
        """Start what may start now; return what cannot be had any more, and what must rest."""
        failed: list[StudyCell] = []
        resting: list[StudyCell] = []
        ends: list[datetime] = []
        for unit in self._units(order, runs):
            ready: dict[StudyCell, str | None] = {}
            for cell in unit:
                source = find_source(cell, order)
                run = runs.get(source.key) if source else None
                spent = self._state.attempts.get(cell.key, 0) >= self._study.declared.pace.attempts
                gone = self._state.spent or cell.platform in self._state.changed
                if spent or gone or source in failed:
                    failed.append(cell)
                elif (until := self._rests_until(cell)) is not None:
                    resting.append(cell)
                    ends.append(until)
                    break
                elif source and (run is None or run.status != "complete"):
                    break  # its turn comes when the treatment that it is yoked to is complete
                else:
                    ready[cell] = run.run_id if run else None
            else:
                if len(self._state.running) + len(ready) <= self._study.declared.pace.parallel:
                    self._start(ready)
        until = min(ends, default=None)
        return Remainder(tuple(failed), tuple(resting), until, self._state.spent)

    def _units(
        self, order: Sequence[StudyCell], runs: dict[str, RunSummary]
    ) -> Iterator[tuple[StudyCell, ...]]:
        """Cells that are not done and start in one moment: arms of a slot, or each by itself."""
        due = [
            cell
            for cell in order
            if cell.key not in self._state.running
            and not ((run := runs.get(cell.key)) and run.status == "complete")
        ]
        slots: dict[tuple[str, ...], list[StudyCell]] = {}
        for cell in due:
            fresh = cell.key not in runs and cell.key not in self._state.attempts
            together = self._study.declared.pace.together and fresh
            place = (cell.group, str(cell.slot)) if together else (cell.key,)
            slots.setdefault(place, []).append(cell)
        yield from map(tuple, slots.values())

    def _start(self, ready: Mapping[StudyCell, str | None]) -> None:
        for cell, yoke in ready.items():
            self._state.attempts[cell.key] = self._state.attempts.get(cell.key, 0) + 1
            self._state.running[cell.key] = asyncio.create_task(self._child(cell, yoke))

    def _rests_until(self, cell: StudyCell) -> datetime | None:
        """Until when the cell's account may not watch; ``None`` where it may.

        Who does not wait lets one run find out, so that its ledger says why nothing went on.
        """
        now, until = self._now(), self._state.resting.get(cell.key)
        if until is not None and now < until:
            return until
        hours = self._study.limits.quiet
        if hours is None or not load_platform(cell.platform).live:
            return None
        known = self._patient or self._state.resting
        return hours.end_after(now) if known and hours.hold(now.time()) else None

    async def _child(self, cell: StudyCell, yoke: str | None) -> int:
        log = log_path(self._study.folder, cell.key)
        return await self._place.run(cell, CellProcess(command_of(self._study, cell, yoke), log))

    def _collect(self, order: Sequence[StudyCell]) -> None:
        for cell in order:
            task = self._state.running.get(cell.key)
            if task is not None and task.done():
                del self._state.running[cell.key]
                if isinstance(lost := task.exception(), CellLost):
                    self._consider_loss(cell, lost)
                    continue
                self._onlooker.ended(cell, task.result())
                if task.result():
                    self._consider(cell, *self._last_fault(cell))

    def _consider_loss(self, cell: StudyCell, lost: CellLost) -> None:
        """Start a cell again whose machine was lost, which is no failure of the cell."""
        losses = self._state.losses[cell.key] = self._state.losses.get(cell.key, 0) + 1
        again = lost.again and losses < LOSSES
        self._onlooker.lost(cell, lost, again=again)
        if again:
            self._state.attempts[cell.key] -= 1
        else:
            self._state.attempts[cell.key] = self._study.declared.pace.attempts

    def _consider(self, cell: StudyCell, fault: str, message: str) -> None:
        if fault == BudgetSpent.__name__:
            self._state.spent = message
        elif (
            fault == LayoutChanged.__name__
        ):  # the next run would start to count anew, and see less
            self._state.changed.add(cell.platform)
        elif is_wall(fault):  # another attempt would only meet it again
            self._state.attempts[cell.key] = self._study.declared.pace.attempts
        elif fault == PaceReached.__name__:  # no failure
            del self._state.attempts[cell.key]
            now, hours = self._now(), self._study.limits.quiet
            if hours is None or not hours.hold(now.time()):
                hours = Hours(MIDNIGHT, MIDNIGHT)
            self._state.resting[cell.key] = hours.end_after(now)

    def _last_fault(self, cell: StudyCell) -> tuple[str, str]:
        """Return class and words of the fault that ended the cell's run; "" where none did."""
        run = self._study.runs().get(cell.key)
        if run is None or run.status != "interrupted":
            return "", ""
        damaged: list[str] = []  # its child has said so, and the other cells go on
        faults = [fault for ledger in read_each([run.path], damaged) for fault in ledger.faults]
        if not faults or faults[-1].recovered:
            return "", ""
        return faults[-1].fault, faults[-1].message

    def _tell(self, runs: dict[str, RunSummary]) -> None:
        keys = {cell.key for cell in self._study.cells}
        mine = [run for key, run in runs.items() if key in keys]
        done = sum(run.status == "complete" for run in mine)
        total = self._study.declared.windows.total  # ads and the like are steps too
        videos = sum(total if run.status == "complete" else min(run.steps, total) for run in mine)
        self._onlooker.stood(done, videos, list(self._state.running))

    async def _end_all(self) -> None:
        for task in self._state.running.values():
            task.cancel()
        await asyncio.gather(*self._state.running.values(), return_exceptions=True)

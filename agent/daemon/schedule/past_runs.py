"""What the ledgers say about occurrences: their runs, their ends, what was watched and paid."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.daemon.config.jobs import Job
from agent.daemon.config.watch_file import DailyCap
from agent.daemon.journal.run_tally import RunTally
from agent.daemon.journal.tail import CalendarDay, Ledgers
from agent.errors import BadConfig, LayoutChanged, UnknownName, waits_for_person
from agent.platforms import load_platform
from agent.study.matrix import read_draws
from agent.study.preparation import DRAWS, read_occurrences
from store.plug_ins.entry_points import PlugInFault
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import Fault
from store.runs.payment_book import PaymentBook

_MICRO = 1e6


@dataclass(frozen=True)
class WallMet:
    """A wall at which a run has ended, or the change of its site."""

    platform: str
    account: str
    wall: str
    run_id: str
    found: str = ""
    """What in particular, where the fault says more than its name."""


class PastRuns:
    """Reads the ledgers as they grow."""

    def __init__(self, data: DataFolder) -> None:
        self._data = data
        self._ledgers = Ledgers(data)
        self._book: PaymentBook | None = None

    def find_runs(self, job: Job, due: datetime) -> list[RunTally]:
        """Return the runs of an occurrence: of a study, all of its runs."""
        if job.declared is not None:
            name = job.declared.name
            return [run for run in self._ledgers.now() if run.begun.config.study == name]
        mark = job.occurrence_name(due)
        return [
            run
            for run in self._ledgers.now()
            if run.begun.config.cell == mark and run.begun.config.study is None
        ]

    def complete(self, job: Job, due: datetime) -> bool:
        """Whether nothing of an occurrence is left to do.

        Where a study's draws are damaged nobody knows: its child is started, and says so.
        """
        try:
            return self._complete(job, due)
        except BadConfig:
            return False

    def _complete(self, job: Job, due: datetime) -> bool:
        runs = self.find_runs(job, due)
        if job.declared is None:
            return any(run.finished for run in runs)
        home = self._data.study_dir(job.declared.name)
        replicates = job.declared.matrix.replicates
        if job.entry.adds_replicate:
            known = read_occurrences(home).get(job.occurrence_name(due))
            if known is None:  # its replicate is not drawn yet
                return False
            replicates = known
        cells = [cell for cell in read_draws(home / DRAWS) if cell.replicate <= replicates]
        matrix = job.declared.matrix
        drawn = {cell.key.rsplit("/", 1)[0] for cell in cells}
        groups = len(matrix.platforms) * len(matrix.strategies) * len(matrix.models)
        whole = len(drawn) >= groups * len(matrix.personas) * replicates
        finished = {run.begun.config.cell for run in runs if run.finished}
        return whole and {cell.key for cell in cells} <= finished

    def changed(self, job: Job, due: datetime) -> bool:
        """Whether an occurrence was begun with another configuration than its entry has now."""
        digest = job.digest(due)
        if digest is None:
            return False
        return any(run.begun.config_hash != digest for run in self.find_runs(job, due))

    def faults(self, runs: Sequence[RunTally]) -> list[tuple[Fault, WallMet | None]]:
        """Return what has just ended unfinished runs, the newest last, with the walls among it."""
        found: list[tuple[Fault, WallMet | None]] = []
        for run in (run for run in runs if not run.finished):
            fault, head = run.fault, run.begun
            if fault is not None and not fault.recovered:
                of_site = fault.fault == LayoutChanged.__name__
                told = fault.message if of_site else ""
                met = WallMet(head.platform, head.account, fault.fault, run.run_id, told)
                holds = waits_for_person(fault.fault) and (not of_site or _is_live(head.platform))
                found.append((fault, met if holds else None))
        return found

    def watched(self, cap: DailyCap, day: CalendarDay) -> int:
        """Count videos of a day against a cap; a run that nobody can place counts for every cap."""
        mine = [
            run
            for run in self._ledgers.now()
            if cap.platform in (None, run.begun.platform)
            and cap.persona in (None, run.begun.persona.id)
        ]
        return sum(day.count(run.watched) for run in (*mine, *self._ledgers.nameless))

    def spent(self, job: Job, names: Container[str]) -> float:
        """Return the US dollars that an entry's runs have cost, by the book of payments.

        Runs of an entry of another name that did the same are its own, unless that name is among
        ``names``, those of all entries: one that was renamed goes on with its account.

        Calls that a kill cut off are in it, at the most that they may cost. A run that is older
        than the book counts by its ledger, and one of which nobody can tell whose it is for every
        entry.
        """
        if job.declared is not None:
            name = job.declared.name
            mine = [run for run in self._ledgers.now() if run.begun.config.study == name]
        else:
            mine = [
                run
                for run in self._ledgers.now()
                if run.begun.config.study is None
                and job.owns(run.begun.config.cell, run.begun.config_hash, names)
            ]
        mine += self._ledgers.nameless
        if self._book is None:
            self._book = PaymentBook(self._data.payments)
        booked = [self._book.balance([f"run/{run.run_id}"]).cost_usd for run in mine]
        return sum(
            max(paid, sum(run.cost.values()) / _MICRO)
            for paid, run in zip(booked, mine, strict=True)
        )


def _is_live(platform: str) -> bool:
    try:
        return load_platform(platform).live
    except UnknownName:  # of a later version, or an imported one
        return False
    except PlugInFault:  # packages add live sites alone
        return True

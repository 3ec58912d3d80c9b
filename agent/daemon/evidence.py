"""What the ledgers say about occurrences: which runs are theirs, how they ended, what was watched.

Refuses to know what is due and what is running.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.daemon.following import Day, Ledgers, Tally
from agent.daemon.jobs import Job
from agent.daemon.watch import Cap
from agent.errors import is_wall
from agent.study.matrix import read_draws
from agent.study.preparation import DRAWS, read_occurrences
from store.data import DataFolder
from store.errors import StoreError
from store.ledger import Ledger, read
from store.payments import PaymentBook
from store.records import Fault

_MICRO = 1e6


@dataclass(frozen=True)
class WallMet:
    """A wall at which a run has ended."""

    platform: str
    account: str
    wall: str
    run_id: str


class Evidence:
    """Reads the ledgers as they grow."""

    def __init__(self, data: DataFolder) -> None:
        self._data = data
        self._ledgers = Ledgers(data)
        self._book: PaymentBook | None = None

    def of(self, job: Job, due: datetime) -> list[Tally]:
        """Return the runs of an occurrence: of a study, all of its runs."""
        if job.declared is not None:
            name = job.declared.name
            return [run for run in self._ledgers.now() if run.started["study"] == name]
        mark = job.mark(due)
        return [
            run
            for run in self._ledgers.now()
            if run.started["cell"] == mark and run.started["study"] is None
        ]

    def complete(self, job: Job, due: datetime) -> bool:
        """Whether nothing of an occurrence is left to do."""
        runs = self.of(job, due)
        if job.declared is None:
            return any(run.finished for run in runs)
        home = self._data.study_dir(job.declared.name)
        replicates = job.declared.matrix.replicates
        if job.entry.adds_replicate:
            known = read_occurrences(home).get(job.mark(due))
            if known is None:  # its replicate is not drawn yet
                return False
            replicates = known
        cells = [cell for cell in read_draws(home / DRAWS) if cell.replicate <= replicates]
        matrix = job.declared.matrix
        drawn = {cell.key.rsplit("/", 1)[0] for cell in cells}
        groups = len(matrix.platforms) * len(matrix.strategies) * len(matrix.models)
        whole = len(drawn) >= groups * len(matrix.personas) * replicates
        finished = {run.started["cell"] for run in runs if run.finished}
        return whole and {cell.key for cell in cells} <= finished

    def changed(self, job: Job, due: datetime) -> bool:
        """Whether an occurrence was begun with another configuration than its entry has now."""
        digest = job.digest(due)
        if digest is None:
            return False
        begun = [self._read(run) for run in self.of(job, due)]
        return any(ledger.started.config_hash != digest for ledger in begun if ledger is not None)

    def faults(self, runs: Sequence[Tally]) -> list[tuple[Fault, WallMet | None]]:
        """Return what has just ended unfinished runs, the newest last, with the walls among it."""
        found: list[tuple[Fault, WallMet | None]] = []
        for run in (run for run in runs if not run.finished):
            if (ledger := self._read(run)) is None:
                continue
            fault = ledger.faults[-1] if ledger.faults else None
            resumed = ledger.resumes[-1].at if ledger.resumes else ledger.started.at
            if fault is not None and not fault.recovered and fault.at >= resumed:
                told = run.started
                met = WallMet(told["platform"], told["account"], fault.fault, run.run_id)
                found.append((fault, met if is_wall(fault.fault) else None))
        return found

    def _read(self, run: Tally) -> Ledger | None:
        """Return a whole ledger; a damaged one says nothing here, and ``verify`` names it."""
        try:
            return read(self._data.ledger_path(run.run_id))
        except StoreError:
            return None

    def watched(self, cap: Cap, day: Day) -> int:
        """Count the videos of a day that a cap counts."""
        return sum(
            day.count(run.watched)
            for run in self._ledgers.now()
            if cap.platform in (None, run.started["platform"])
            and cap.persona in (None, run.started["persona"].id)
        )

    def spent(self, job: Job, names: Container[str]) -> float:
        """US dollars that an entry's runs have cost, by the book of payments.

        Runs of an entry of another name that did the same are its own, unless that name is among
        ``names``, those of all entries: one that was renamed goes on with its account.

        Calls that a kill cut off are in it, at the most that they may cost. A run that is older
        than the book counts by its ledger.
        """
        if job.declared is not None:
            name = job.declared.name
            mine = [run for run in self._ledgers.now() if run.started["study"] == name]
        else:
            mine = [
                run
                for run in self._ledgers.now()
                if run.started["study"] is None
                and job.owns(run.started["cell"], run.started["config_hash"], names)
            ]
        if self._book is None:
            self._book = PaymentBook(self._data.payments)
        booked = [self._book.balance([f"run/{run.run_id}"]).cost_usd for run in mine]
        return sum(
            max(paid, sum(run.cost.values()) / _MICRO)
            for paid, run in zip(booked, mine, strict=True)
        )

"""Deletes a donation or a capture whole, its times too, and what shows it.

A run of feedsway's own keeps its measurement when something of it is forgotten. When a person
takes a donation back, nothing of it is a measurement of ours, and nothing stays.
"""

from __future__ import annotations

from store.errors import CopiesElsewhere, CopiesRemain, ForgetRefused, RunLocked, RunNotFound
from store.jsonl.locks import holder
from store.privacy import derived_files
from store.privacy.derived_files import DerivedEntry
from store.runs.data_folder import DataFolder
from store.runs.ledger import LOCK, RunSummary, summarise


class NoDonation(ForgetRefused):
    """A run that feedsway has made itself, which is not deleted whole."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"{run_id} is no donation and no capture. Type: python -m store forget --help"
        )


def find_donation(data: DataFolder, name: str) -> RunSummary:
    """Return the run that a donation is kept as; raises ``RunNotFound`` and ``NoDonation``."""
    run = summarise(data.find_run(name))
    if run is None:
        raise RunNotFound(name, [])
    if run.started is None or not run.started.from_elsewhere:
        raise NoDonation(run.run_id)
    return run


def find_made(data: DataFolder, run: RunSummary) -> list[DerivedEntry]:
    """Return what was made of a donation, or may be, and still is there."""
    concerned = derived_files.concerned(data, (), {run.run_id})
    return [entry for entry in concerned if entry.is_there(data)]


def forget_donation(
    data: DataFolder, run: RunSummary, *, remove_copies: bool
) -> list[DerivedEntry]:
    """Delete a donation; returns what was made of it, and went as well.

    Entries of what is gone already go too, since they name the run.

    Raises ``CopiesElsewhere``, ``CopiesRemain``, ``RunLocked`` and ``OutsideFolder``.
    """
    folder = run.path.parent
    if who := holder(folder / LOCK):
        raise RunLocked(run.run_id, who)
    made = find_made(data, run)
    if elsewhere := [e.place(data) for e in made if not e.is_ours(data)]:
        raise CopiesElsewhere(elsewhere)
    copies = [e.place(data) for e in made if e.kind in derived_files.APART]
    if copies and not remove_copies:
        raise CopiesRemain(copies)
    for entry in derived_files.concerned(data, (), {run.run_id}):
        derived_files.remove(data, entry)
    data.remove(folder)
    data.remove(data.compact_dir)
    return made

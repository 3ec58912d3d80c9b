"""Checks that the runs are those of the draw: personas, accounts and the order of starts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from analysis.report.declared_study import Planned
from analysis.report.gate_check import BLIND, GateCheck, GatedGroup
from store.runs.ledger_lines import RunStarted
from store.terminal.printing import count_of

AT_ONCE = timedelta(hours=1)
"""Runs that start within this time count as started at once."""
_ORDERED = ("treatment", "passive")  # a yoked run waits for the one that it is yoked to


def assignment_check(group: GatedGroup) -> GateCheck:
    """Whether each run has the persona and account of its draw, on which permutations rest."""
    name = "assignment at random"
    if not group.material.drawn:
        nobody = "nobody drew personas for these accounts"
        return GateCheck(name, "fails" if group.told.design in BLIND else "open", nobody)
    other = _others(list(_drawn_runs(group)))
    if other:
        words = f"{count_of(other, 'run')} had another persona, account or block than was drawn"
        return GateCheck(name, "fails", words)
    return GateCheck(name, "holds", "a draw gave the accounts their personas and arms")


def _others(drawn: Sequence[tuple[RunStarted, Planned]]) -> int:
    """Runs whose persona, arm, account or block is not that of the cell that they name."""
    ids = {first.persona.id for first, _ in drawn}
    of_name: dict[str, set[str]] = defaultdict(set)
    for first, cell in drawn:
        of_name[cell.persona].add(first.persona.identity)
    return sum(
        first.arm != cell.arm
        or (cell.persona in ids and first.persona.id != cell.persona)
        or len(of_name[cell.persona]) > 1
        or not _of_slot(first, cell)
        for first, cell in drawn
    )


def _of_slot(first: RunStarted, cell: Planned) -> bool:
    """Whether account and block are those of the drawn slot, as far as the draw tells."""
    if cell.slot is None:
        return True
    block = first.config.get("block", cell.block)
    return f"slot{cell.slot:03d}-{cell.arm}-r{cell.replicate}" in first.account and (
        block == cell.block
    )


def start_check(group: GatedGroup) -> GateCheck:
    """Whether the runs started in the order that was drawn.

    A persona that starts at an hour of its own is shown another feed without any reaction. What
    counts is the first run of each cell.
    """
    name = "start order"
    starts = list(_starts(group))
    if group.told.design == "paired":
        return GateCheck(name, "holds", "no account is compared with another")
    if not starts:
        return GateCheck(name, "open", "no draw says in which order the runs had to start")
    late = 0
    for draw in {draw for draw, *_ in starts}:
        latest: datetime | None = None
        for _, _, _, at in sorted(one for one in starts if one[0] == draw):
            late += latest is not None and at < latest - AT_ONCE
            latest = at if latest is None else max(at, latest)
    if late:
        words = f"{count_of(late, 'run')} started before others that were drawn for earlier"
        return GateCheck(name, "fails", words)
    return GateCheck(name, "holds", "the runs started in the order that was drawn")


def _starts(group: GatedGroup) -> Iterator[tuple[str, int, int, datetime]]:
    """Group, slot, turn and first start of each cell."""
    earlier: dict[str, datetime] = {}
    for former in group.material.former:
        earlier[former.cell] = min(former.at, earlier.get(former.cell, former.at))
    for first, cell in _drawn_runs(group):
        if cell.slot is not None and cell.arm in _ORDERED:
            at = min(first.at, earlier.get(cell.key, first.at))
            yield cell.group, cell.slot, cell.turn, at


def size_check(group: GatedGroup) -> GateCheck:
    """Whether the study was tested once, at its declared size.

    Who looks at a part of the runs and stops where p is small has as many tries as looks, and so
    has who extends a study that was tested. Cells are run in their drawn order: a study is over
    when the last ones have begun.
    """
    name, study = "tested once", group.material.study
    if study is None:
        of = {str(first.config.get("study") or "") for first in group.material.started} - {""}
        if of:
            words = f"the runs were picked from the study {min(of)}, which is tested as a whole"
            return GateCheck(name, "fails", words)
        return GateCheck(name, "open", "no study declared beforehand how many runs there are")
    if study.test.looks:
        return GateCheck(name, "holds", "its looks were declared, and share one error")
    runs = group.material.views.runs
    names = {f"{runs[at].platform}/{runs[at].strategy}/{runs[at].model}/" for at in group.members}
    cells = [cell for cell in study.planned if cell.group.startswith(tuple(names))]
    if left := runs_to_begin(cells, group.material.started):
        words = f"the study is not over: {left} of {count_of(len(cells), 'run')} have not begun"
        return GateCheck(name, "fails", words)
    former = [size for size in group.material.tested if size < len(study.planned)]
    if former:
        words = f"it was tested with {count_of(former[-1], 'run')} before, and extended since"
        return GateCheck(name, "fails", words)
    return GateCheck(name, "holds", "it is over, and was not tested at a smaller size")


def runs_to_begin(cells: Sequence[Planned], started: Sequence[RunStarted]) -> int:
    """Count the runs that have not begun; 0 once the last cells in their order have."""
    begun = {str(first.config.get("cell")) for first in started}
    last: dict[str, Planned] = {}
    for cell in sorted(cells, key=lambda cell: (cell.replicate, cell.slot or 0, cell.turn)):
        last[f"{cell.platform}/{cell.strategy}/{cell.model}"] = cell
    if all(cell.key in begun for cell in last.values()):
        return 0
    return sum(cell.key not in begun for cell in cells)


def account_check(group: GatedGroup) -> GateCheck:
    """Whether every account was new to its persona and arm."""
    name, material = "accounts of their own", group.material
    if not material.started:
        return GateCheck(name, "open", "an imported table does not tell accounts apart")
    mine = {material.views.runs[index].account for index in group.compared}
    if used := mine & material.used_before:
        words = f"{count_of(len(used), 'account')} had served another run before"
        return GateCheck(name, "fails", words)
    if material.study is None:
        return GateCheck(name, "open", "runs that no study started tell nothing of their accounts")
    return GateCheck(name, "holds", "no account had served another persona or arm before")


def _drawn_runs(group: GatedGroup) -> Iterator[tuple[RunStarted, Planned]]:
    """Each compared run with the cell of the draw that it names."""
    study, started = group.material.study, group.material.started
    planned = {cell.key: cell for cell in study.planned} if study else {}
    for index in group.compared if started else ():
        cell = planned.get(str(started[index].config.get("cell")))
        if cell is not None:
            yield started[index], cell

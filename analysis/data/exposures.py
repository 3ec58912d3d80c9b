"""Views: ledgers as columns, one row per video that was shown.

A table holds the steps of one or of many runs, sorted by run and position. Windows are the ledger's
own phases, which count eligible steps by position (``store.runs.ledger_lines.Windows``). Nothing
here ever moves a window or drops a row because of an answer. Rows that do not count are marked with
a reason, never removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.estimate import Floats, Ints, Mask
from store.runs.ledger import Ledger
from store.runs.ledger_lines import (
    Exclusion,
    Missing,
    Phase,
    Repeat,
    RunStarted,
    Step,
    Windows,
    label_personas,
)
from store.runs.run_outline import RunOutline

PHASES: tuple[str, ...] = get_args(Phase)
BEFORE, ADAPT, AFTER = range(3)
MISSING: tuple[str, ...] = ("", *get_args(Missing))
EXCLUDED: tuple[str, ...] = ("", *get_args(Exclusion))
REPEAT: tuple[str, ...] = ("", *get_args(Repeat))
NO, YES, NONE = 0, 1, -1
UNKNOWN = -1  # batch or request position that the platform did not tell

GRADES = {"score": 1.0, "p_yes": 100.0}
"""Graded answers in order of preference, and what makes points of 100 of them."""

_AT_ONCE = 4096
"""Rows that are held as objects before they become columns."""
ASSUMED_BATCH = 12  # videos per batch where the platform tells none: the median of audited feeds


@dataclass(frozen=True)
class RunInfo:
    """What a run was, apart from its steps."""

    run_id: str
    persona: str
    """Its id; with part of the hash of its traits where two personas of a table share the id."""
    platform: str = ""
    strategy: str = ""
    model: str = ""
    arm: str = "treatment"
    account: str = ""
    replicate: int = 1
    """Pairs treatment and control runs of one persona; the study numbers them from 1."""
    windows: Windows = field(default_factory=Windows)
    status: str = "complete"  # ``complete``, ``interrupted``, or why the run ended early
    block: int = 0  # draw of its study that it comes from; tests exchange runs within a draw only
    identity: str = ""
    """The persona's id and the hash of its traits; empty where the traits are not known."""

    @property
    def judge(self) -> str:
        return f"{self.strategy} x {self.model}"


@dataclass(frozen=True, eq=False)
class Views:
    """Columns of equal length.

    ``batch``, ``requested_at``: response of the feed that brought the video, and the latest
    position reacted to when it was requested; -1 where unknown.
    ``p_yes``, ``score``: the judge's probability of yes (0 to 1) and ISQ's S% (0 to 100); nan where
    there is none.
    ``dwell``, ``duration``, ``latency``: seconds: delivered dwell, length of the video, time the
    judge took; nan where unknown.
    """

    runs: tuple[RunInfo, ...]  # the runs that the rows belong to
    run: Ints  # row's index into ``runs``
    position: Ints  # counted from 0 over all videos of the run
    batch: Ints
    requested_at: Ints
    phase: Ints  # index into ``PHASES``
    answer: Ints  # 1 yes, 0 no, -1 missing; ``missing`` is then an index into ``MISSING``
    missing: Ints
    excluded: Ints  # index into ``EXCLUDED``; 0 means that the row counts
    p_yes: Floats
    score: Floats
    dwell: Floats
    duration: Floats
    latency: Floats
    video: NDArray[np.str_]  # the platform's id
    repeat: Ints
    """Index into ``REPEAT``: where the video was shown before; 0 for one that is new. A repeat
    counts like any other, save in ledgers that excluded it."""

    def __len__(self) -> int:
        return len(self.run)

    @cached_property
    def eligible(self) -> Mask:
        rows: Mask = self.excluded == 0
        return rows

    @cached_property
    def judged(self) -> Mask:
        """Eligible rows with an answer."""
        rows: Mask = self.eligible & (self.answer != NONE)
        return rows

    def select(self, rows: Mask) -> Views:
        """The rows where the mask holds; the runs stay."""
        columns = {name: getattr(self, name)[rows] for name in COLUMNS}
        return Views(self.runs, **columns)

    def of_runs(self, members: Sequence[int]) -> Views:
        """The rows of some runs, as a table of their own; the columns are copies."""
        kept = sorted(members)
        part = self.select(np.isin(self.run, kept))
        runs = tuple(self.runs[index] for index in kept)
        return replace(part, runs=runs, run=np.searchsorted(kept, part.run))

    def one(self, index: int) -> Views:
        """The rows of one run, as a table of its own."""
        return self._each[index]

    @cached_property
    def _each(self) -> tuple[Views, ...]:
        """Every run's own table; the columns are shared, and each is looked at many times."""
        ends = np.searchsorted(self.run, np.arange(len(self.runs) + 1)).tolist()
        return tuple(
            self._part(run, slice(start, stop))
            for run, (start, stop) in zip(self.runs, pairwise(ends), strict=True)
        )

    def _part(self, run: RunInfo, rows: slice) -> Views:
        columns = {name: getattr(self, name)[rows] for name in COLUMNS}
        columns["run"] = np.zeros(rows.stop - rows.start, dtype=np.int64)
        return Views((run,), **columns)

    def rows_of(self, index: int) -> slice:
        """Where the rows of one run stand."""
        start, stop = np.searchsorted(self.run, [index, index + 1])
        return slice(int(start), int(stop))

    def exclusions(self) -> dict[str, int]:
        return _tally(self.excluded, EXCLUDED)


def without_repeats(views: Views) -> Views:
    """Return the same rows with repeats excluded: a second reading, shown beside the first."""
    dropped = (views.repeat > 0) & views.eligible
    return replace(views, excluded=np.where(dropped, EXCLUDED.index("repeat"), views.excluded))


_INTEGERS = (
    "run",
    "position",
    "batch",
    "requested_at",
    "phase",
    "answer",
    "missing",
    "excluded",
    "repeat",
)
COLUMNS = tuple(column.name for column in fields(Views) if column.name != "runs")


def table(runs: Sequence[RunInfo], rows: Iterable[Sequence[Any]]) -> Views:
    """Build a table from rows whose items follow the columns of ``Views``."""
    made = ViewColumns()
    for row in rows:
        made.add(row)
    return made.close(runs)


class ViewColumns:
    """A table that grows by rows: what is added becomes columns, a number of rows at a time."""

    def __init__(self) -> None:
        self._rows: list[Sequence[Any]] = []
        self._parts: list[dict[str, NDArray[Any]]] = []

    def add(self, row: Sequence[Any]) -> None:
        """Add a row, whose items follow the columns of ``Views``."""
        self._rows.append(row)
        if len(self._rows) == _AT_ONCE:
            self._pack()

    def close(self, runs: Sequence[RunInfo]) -> Views:
        """Return the table, sorted by run and position."""
        if self._rows or not self._parts:
            self._pack()
        columns = {name: np.concatenate([part[name] for part in self._parts]) for name in COLUMNS}
        order = np.lexsort((columns["position"], columns["run"]))
        return Views(tuple(runs), **{name: column[order] for name, column in columns.items()})

    def _pack(self) -> None:
        gathered: list[tuple[Any, ...]] = list(zip(*self._rows, strict=True)) or [()] * len(COLUMNS)
        self._parts.append(
            {
                name: np.array(items, dtype=column_dtype(name))
                for name, items in zip(COLUMNS, gathered, strict=True)
            }
        )
        self._rows.clear()


def from_ledgers(ledgers: Iterable[Ledger]) -> Views:
    runs: list[RunInfo] = []
    made = ViewColumns()
    for index, ledger in enumerate(ledgers):
        runs.append(run_info(ledger))
        for step in ledger.steps:
            made.add(row_of(index, step))
    return made.close(label_runs(runs))


def label_runs(runs: Sequence[RunInfo]) -> list[RunInfo]:
    """Name the personas of runs that stand in one table, so that no two share a name."""
    labels = label_personas(run.identity for run in runs)
    return [replace(run, persona=labels[run.identity]) for run in runs]


def run_info(ledger: Ledger | RunOutline) -> RunInfo:
    status = ledger.finished.reason if ledger.finished else ledger.status
    return info_of(ledger.started, status)


def info_of(started: RunStarted, status: str) -> RunInfo:
    """Return what a run was, from its first line and its ``RunInfo.status``."""
    return RunInfo(
        run_id=started.run_id,
        persona=started.persona.id,
        platform=started.platform,
        strategy=started.strategy,
        model=started.model,
        arm=started.arm,
        account=started.account,
        replicate=_whole(started.config.get("replicate"), 1),
        windows=started.windows,
        status=status,
        block=_whole(started.config.get("block"), 0),
        identity=started.persona.identity,
    )


def _whole(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def row_of(run: int, step: Step) -> tuple[Any, ...]:
    """Return the row of a step; ``run`` is the place of its run."""
    video, judgement = step.video, step.judgement
    return (
        run,
        step.position,
        UNKNOWN if video.batch is None else video.batch,
        UNKNOWN if video.batch_requested_at is None else video.batch_requested_at,
        PHASES.index(step.phase),
        {"yes": YES, "no": NO, None: NONE}[judgement.answer],
        MISSING.index(judgement.missing or ""),
        EXCLUDED.index(step.excluded or ""),
        judgement.p_yes,
        judgement.score,
        step.reaction.dwell_s,
        video.duration_s,
        judgement.latency_s if judgement.attempts else None,
        video.id,
        REPEAT.index(step.repeat or ""),
    )


def column_dtype(name: str) -> type:
    if name == "video":
        return np.str_
    return np.int64 if name in _INTEGERS else np.float64


def _tally(codes: Ints, names: tuple[str, ...]) -> dict[str, int]:
    """Count codes by name; code 0 stands for none."""
    counts = np.bincount(codes, minlength=len(names))
    return {name: int(count) for name, count in zip(names, counts, strict=True) if name and count}

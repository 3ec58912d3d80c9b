"""Runs in which nothing happened, cut to the windows of the runs that they are held against.

Passive arms of one's own, or control runs of other people's audits. They take the place of a model
of chance: what they do between the windows is what feeds do by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.data.before_after_windows import compared, run_counts
from analysis.data.exposures import PHASES, RunInfo, Views
from analysis.errors import NothingToCompare
from analysis.statistics.window_counts import WindowCounts
from store.runs.ledger_lines import Windows
from store.terminal.printing import count_of

LEAST = 20
"""Fewer would tell too little of how far a feed goes by itself."""


@dataclass(frozen=True, eq=False)
class NullRuns:
    """What is drawn from, and where it comes from."""

    counts: tuple[WindowCounts, ...] = ()
    origin: str = ""  # as it was typed
    too_short: int = 0  # runs that have fewer videos than the windows

    @property
    def told(self) -> str:
        """In words that a report can print."""
        short = f"; {count_of(self.too_short, 'run')} too short" if self.too_short else ""
        return f"{count_of(len(self.counts), 'run')} of {self.origin}{short}"


def cut(views: Views, windows: Windows) -> list[WindowCounts]:
    """Count the first videos of each run in these windows; shorter runs are left out.

    The windows go by position whatever the runs' own were, since nothing happened in any of them.
    """
    counted = []
    names = [windows.phase(place) for place in range(windows.total)]
    phases = np.array([PHASES.index(name) for name in names])
    for index in range(len(views.runs)):
        whole = views.one(index)
        kept = np.flatnonzero(whole.eligible)[: windows.total]
        if len(kept) < windows.total:
            continue
        run = whole.select(np.isin(np.arange(len(whole)), kept))
        info = replace(run.runs[0], windows=windows)
        run = replace(run, runs=(info,), phase=phases)
        counted.append(run_counts(run, compared(run)))
    return counted


def null_runs(tables: Sequence[Views], of: Sequence[RunInfo], origin: str) -> NullRuns:
    """Cut null runs to the windows of other runs, or raise ``NothingToCompare``.

    ``of``: the runs that they are held against; their own control runs among the null runs are left
    out, since a run cannot be drawn twice.
    """
    windows = {run.windows for run in of}
    judged = {(run.platform, run.strategy, run.model) for run in of}
    if len(windows) > 1 or len(judged) > 1:
        raise NothingToCompare(
            "A null from control runs needs runs of one platform, strategy, model and windows. "
            "Type: python -m analysis iavg RUN... with such runs only"
        )
    mine = {run.run_id for run in of}
    others = [
        views.one(index)
        for views in tables
        for index, run in enumerate(views.runs)
        if run.run_id not in mine
    ]
    counted = [counts for run in others for counts in cut(run, next(iter(windows)))]
    counted = [counts for counts in counted if counts.n.sum(1).all()]
    if len(counted) < LEAST:
        raise NothingToCompare(
            f"{origin} has {count_of(len(counted), 'run')} that fill these windows and are not "
            f"among those shown, and a null needs {LEAST}. Type the command without --null-from"
        )
    return NullRuns(tuple(counted), origin, len(others) - len(counted))

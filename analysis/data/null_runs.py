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

LEAST, LEAST_OF_ONE = 20, 39
"""Fewer tell too little of how far a feed goes by itself; one run alone is ranked among them, and
needs 39 to lie in the outer 5 %."""
_NOT_TOLD = ("elsewhere", "imported")


@dataclass(frozen=True, eq=False)
class NullRuns:
    """What is drawn from, and where it comes from."""

    counts: tuple[WindowCounts, ...] = ()
    origin: str = ""  # in words that a report can print
    left_out: int = 0  # runs that do not fill the windows, or have no answer in one
    names: tuple[str, ...] = ()  # of the files, studies and runs that hold them
    mapping: tuple[str, ...] = ()  # what was typed after --null-map

    @property
    def words(self) -> list[str]:
        """What to type for them."""
        words = [word for name in self.names for word in ("--null-from", name)]
        return words + [word for text in self.mapping for word in ("--null-map", text)]

    @property
    def told(self) -> str:
        """In words that a report can print."""
        short = f"; {count_of(self.left_out, 'run')} too short or without an answer left out"
        return f"{count_of(len(self.counts), 'run')} of {self.origin}{short * bool(self.left_out)}"


def cut(views: Views, windows: Windows) -> list[WindowCounts]:
    """Count the first videos of each run in these windows; shorter runs are left out.

    The windows go by position whatever the runs' own were, since nothing happened in any of them.
    """
    counted = []
    names = [windows.phase(place) for place in range(windows.total)]
    phases = np.array([PHASES.index(name) for name in names], dtype=np.int64)
    for index in range(len(views.runs)):
        whole = views.one(index)
        kept = np.flatnonzero(whole.eligible)[: windows.total]
        if len(kept) < windows.total:
            continue
        run = whole.select(np.isin(np.arange(len(whole)), kept))
        info = replace(run.runs[0], windows=windows)
        run = replace(run, runs=(info,), phase=phases)
        counted.append(run_counts(run, compared(run)))
    return [counts for counts in counted if counts.n.sum(1).all()]


def null_runs(tables: Sequence[Views], of: Sequence[RunInfo], origin: str) -> NullRuns:
    """Cut null runs to the windows of the runs that they are held against.

    Raises
    ------
    NothingToCompare
        The runs differ in windows, site or judge, from each other or from the null runs; in a null
        run the feed could react; or there are too few.
    """
    windows = {run.windows for run in of}
    judged = {_judged(run) for run in of}
    if len(windows) > 1 or len(judged) > 1:
        raise NothingToCompare(
            "A null from other runs is for runs of one platform, strategy, model and windows, and "
            "these differ. Type the command without --null-from, or with such runs only"
        )
    for run in (run for views in tables for run in views.runs):
        _check(run, next(iter(judged)))
    total = sum(len(views.runs) for views in tables)
    counted = [counts for views in tables for counts in cut(views, next(iter(windows)))]
    least = LEAST_OF_ONE if len(of) == 1 else LEAST
    if len(counted) < least:
        raise NothingToCompare(
            f"{origin} has {count_of(len(counted), 'run')} that can be held against these, and a "
            f"null needs {least}: each of {next(iter(windows)).total} videos with answers in both "
            "windows, and none of those that are shown. Type the command without --null-from"
        )
    return NullRuns(tuple(counted), origin, total - len(counted))


def _judged(run: RunInfo) -> tuple[str, str, str]:
    return run.platform, run.strategy, run.model


def _check(run: RunInfo, own: tuple[str, str, str]) -> None:
    if run.arm != "passive":
        raise NothingToCompare(
            f"{run.run_id} is no null run: its arm is {run.arm}, where the feed could react. Type "
            "--null-from with runs of the passive arm, or a CSV that names no other arm"
        )
    names = ("platform", "strategy", "model")
    for name, theirs, mine in zip(names, _judged(run), own, strict=True):
        if theirs != mine and not {theirs, mine} & set(_NOT_TOLD):
            raise NothingToCompare(
                f"{run.run_id} is no null run for these: its {name} is {theirs}, theirs {mine}. "
                f"Type --null-from with runs of {mine}"
            )

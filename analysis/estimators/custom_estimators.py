"""Estimators of other people's packages: computed of the same rows as ours, and named as theirs.

A package names a function as an entry point of the group ``feedsway.estimators``. It takes the rows
of one platform, strategy and model and a random generator, and returns estimates by their names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from numbers import Real

import numpy as np

from analysis.data.exposures import AFTER, BEFORE, NONE, RunInfo, Views, table
from analysis.statistics.estimate import Estimate
from store.plug_ins.entry_points import ESTIMATORS, RAISED, PlugIn, PlugInFault, PlugInKind
from store.plug_ins.stdout_guard import print_to_stderr
from store.runs.ledger_lines import Windows
from store.runs.run_provenance import PlugInMark
from store.terminal.printing import count_of
from store.untrusted.clean_text import show_line

__all__ = ["CustomEstimates", "CustomEstimator", "Estimate", "Views", "estimate_by_plug_ins"]

CustomEstimator = Callable[[Views, np.random.Generator], Mapping[str, Estimate]]
"""What a package gives: a function of rows and of what draws."""
PLUG_INS = PlugInKind(ESTIMATORS, ())
LONGEST_NAME = 120
LONGEST_LINE = 500
MOST = 200
"""Estimates of one package that a report shows."""


@dataclass(frozen=True)
class CustomEstimates:
    """What one package's estimator found, or why it found nothing."""

    made_by: PlugInMark
    target: str
    """Module and function, as the entry point names them."""
    estimates: Mapping[str, Estimate]
    problem: str = ""


def estimate_by_plug_ins(
    views: Views, members: Sequence[int], seed: int
) -> tuple[CustomEstimates, ...]:
    """Compute what every package's estimator says of these runs; its fault is its own result.

    Parameters
    ----------
    members
        Indices of the runs; the rows of others are left out.
    seed
        Of what an estimator draws. Each has a generator of its own.
    """
    installed = PLUG_INS.all()
    if not installed:
        return ()
    return tuple(_estimate(plug_in, _copy(views, members), seed) for plug_in in installed)


def _copy(views: Views, members: Sequence[int]) -> Views:
    """Return the rows of some runs, which nothing of ours shares."""
    part = views.of_runs(members)
    runs = (replace(run, windows=run.windows.model_copy()) for run in part.runs)
    return replace(part, runs=tuple(runs))


def try_estimator(plug_in: PlugIn) -> str:
    """Let an estimator see made-up rows, and none at all; raises ``PlugInBroken``.

    Returns what it gave, in words.
    """
    rng = np.random.default_rng(0)
    names: list[str] = []
    for runs in (0, 1, 4):
        function = plug_in.load()
        if not callable(function):
            raise plug_in.refuse("it is no function")
        names = list(_check(plug_in, function(_make_rows(runs, rng), rng)))
    return f"{count_of(len(names), 'number')}: {', '.join(names)}"


def _make_rows(runs: int, rng: np.random.Generator) -> Views:
    """Make up the rows of some runs, every fifth without an answer."""
    infos = [RunInfo(f"made-up-{run}", f"p{run:02}", windows=Windows()) for run in range(runs)]
    rows = []
    for run, position in product(range(runs), range(100)):
        missing = position % 5 == 4
        answer = NONE if missing else int(rng.integers(2))
        phase = BEFORE if position < 50 else AFTER
        batch = position // 12
        times = (np.nan, np.nan, 2.0, 8.0, 0.1)
        place = (run, position, batch, batch, phase, answer, int(missing), 0)
        rows.append((*place, *times, f"v{run}-{position}", 0))
    return table(infos, rows)


def _estimate(plug_in: PlugIn, views: Views, seed: int) -> CustomEstimates:
    made_by, target = PlugInMark.of(plug_in), plug_in.target.value
    name = hashlib.sha256(plug_in.name.encode()).digest()[:8]
    rng = np.random.default_rng([seed, int.from_bytes(name)])
    try:
        PLUG_INS.find(plug_in.name)
        function = plug_in.load()
        if not callable(function):
            raise plug_in.refuse("it is no function")
        with print_to_stderr():
            estimates = function(views, rng)
        return CustomEstimates(made_by, target, _check(plug_in, estimates))
    except PlugInFault as error:
        return CustomEstimates(made_by, target, {}, str(error))
    except RAISED as error:
        return CustomEstimates(made_by, target, {}, f"It failed with {plug_in.tell_error(error)}.")


def _check(plug_in: PlugIn, estimates: object) -> Mapping[str, Estimate]:
    """Refuse what is no mapping of names to estimates; raises ``PlugInBroken``."""
    if not isinstance(estimates, Mapping):
        raise plug_in.refuse(f"it returned a {type(estimates).__name__}, and no mapping")
    if len(estimates) > MOST:
        raise plug_in.refuse(f"it returned {len(estimates)} estimates, and {MOST} are shown")
    checked = {}
    for name, each in estimates.items():
        if not (isinstance(name, str) and isinstance(each, Estimate)):
            raise plug_in.refuse(
                f"it returned {type(each).__name__} for {name!a:.80}, and no Estimate by its name"
            )
        try:
            checked[show_line(name)[:LONGEST_NAME]] = _check_estimate(each)
        except ValueError as error:
            raise plug_in.refuse(f"its estimate {name!a:.80} is wrong: {error}") from error
    return checked


def _check_estimate(each: Estimate) -> Estimate:
    """Return an estimate with plain numbers and lines; raises ``ValueError`` where one is none."""
    made = Estimate(
        value=_read_number("value", each.value),
        low=_read_number("low", each.low),
        high=_read_number("high", each.high),
        unit=_read_line("unit", each.unit),
        method=_read_line("method", each.method),
        clusters=int(_read_number("clusters", each.clusters)),
        df=_read_number("df", each.df),
        se=_read_number("se", each.se),
        p=_read_number("p", each.p),
        level=_read_number("level", each.level),
        reason=_read_line("reason", each.reason),
    )
    if made.low > made.value or made.value > made.high or made.low > made.high:
        raise ValueError(f"{made.value} is not within its interval, {made.low} to {made.high}")
    if not made.exists and not made.reason:
        raise ValueError("its value is nan, and no reason says why")
    return made


def _read_number(field: str, number: object) -> float:
    if isinstance(number, bool) or not isinstance(number, Real):
        raise ValueError(f"{field} is {number!a:.60}, and no number")
    return float(number)


def _read_line(field: str, line: object) -> str:
    if not isinstance(line, str):
        raise ValueError(f"{field} is {line!a:.60}, and no str")
    return show_line(line)[:LONGEST_LINE]

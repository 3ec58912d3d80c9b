"""The paper's I per persona and I_avg, always beside the sway and the null.

Runs are grouped by platform, strategy, model and arm; I_avg is a mean over the personas of a
group. A persona with several runs has their counts pooled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.data.before_after_windows import counts_by_run
from analysis.data.exposures import RunInfo, Views
from analysis.errors import NothingToCompare
from analysis.statistics.estimate import NAN, Estimate
from analysis.statistics.intervals import difference_over_batches, t_interval
from analysis.statistics.null_models import NullOfI, null_of_i
from analysis.statistics.window_counts import WindowCounts, mean_change, pooled


@dataclass(frozen=True)
class PersonaChange:
    """One persona: shares in %, sway in pp, and I in % (nan with a reason where undefined)."""

    persona: str
    runs: int
    judged_before: int
    judged_after: int
    before: float
    after: float
    sway: float
    change: float
    reason: str = ""


@dataclass(frozen=True)
class Group:
    """One platform, judge and arm."""

    platform: str
    strategy: str
    model: str
    arm: str
    personas: tuple[PersonaChange, ...]
    i_avg: float  # mean of I over the personas where it is defined, in %
    undefined: int  # personas where it is not, because nothing was yes before or a window is empty
    null: NullOfI  # where I_avg lies when nothing happens
    sway: Estimate
    """Mean sway over runs in pp; Student's t over runs, or over batches for one run alone."""


def iavg(
    views: Views, rng: np.random.Generator, null_runs: Sequence[WindowCounts] = ()
) -> tuple[Group, ...]:
    """I per persona, I_avg, sway and null by group; raises ``NothingToCompare`` without a run.

    ``null_runs``: runs in which nothing happened, from which the null is drawn.
    """
    if not views.runs:
        raise NothingToCompare("No run was given. Type: python -m analysis iavg RUN")
    return group_changes(views.runs, counts_by_run(views), rng, null_runs)


def group_changes(
    runs: Sequence[RunInfo],
    counts: Sequence[WindowCounts],
    rng: np.random.Generator,
    null_runs: Sequence[WindowCounts] = (),
) -> tuple[Group, ...]:
    """The same from counts that were made before, one entry per run."""
    groups: dict[tuple[str, str, str, str], list[int]] = {}
    for index, run in enumerate(runs):
        groups.setdefault((run.platform, run.strategy, run.model, run.arm), []).append(index)
    return tuple(
        _group([runs[i] for i in members], [counts[i] for i in members], rng, null_runs)
        for members in groups.values()
    )


def _group(
    runs: Sequence[RunInfo],
    counts: Sequence[WindowCounts],
    rng: np.random.Generator,
    null_runs: Sequence[WindowCounts],
) -> Group:
    by_persona: dict[str, list[WindowCounts]] = {}
    for run, count in zip(runs, counts, strict=True):
        by_persona.setdefault(run.persona, []).append(count)
    units = {persona: pooled(parts) for persona, parts in by_persona.items()}
    average, undefined = mean_change(list(units.values()))
    first = runs[0]
    return Group(
        platform=first.platform,
        strategy=first.strategy,
        model=first.model,
        arm=first.arm,
        personas=tuple(
            _persona(persona, len(by_persona[persona]), unit) for persona, unit in units.items()
        ),
        i_avg=average,
        undefined=undefined,
        null=null_of_i(list(by_persona.values()), rng, null_runs=null_runs),
        sway=_sway(counts),
    )


def _sway(counts: Sequence[WindowCounts]) -> Estimate:
    if len(counts) == 1:
        return difference_over_batches(counts[0].in_points).within(-100, 100)
    sways = np.array([100 * (c.share[1] - c.share[0]) for c in counts])
    return t_interval(sways).within(-100, 100)


def _persona(persona: str, runs: int, unit: WindowCounts) -> PersonaChange:
    before, after = 100 * unit.share
    judged_before, judged_after = (int(size) for size in unit.n.sum(1))
    reason = ""
    if not (judged_before and judged_after):
        reason = "a window has no judged video"
    elif before == 0:
        reason = "nothing was yes before"
    return PersonaChange(
        persona=persona,
        runs=runs,
        judged_before=judged_before,
        judged_after=judged_after,
        before=float(before),
        after=float(after),
        sway=float(after - before),
        change=NAN if reason else unit.change,
        reason=reason,
    )

"""The sway of each persona, with an interval over the batches of its own runs.

Such an interval describes these accounts alone; what holds for personas in general is the estimate
over runs below it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.data.exposures import RunInfo
from analysis.estimators.contrasts import pair_up
from analysis.statistics.estimate import NAN, Estimate
from analysis.statistics.intervals import difference_over_batches, t_p_value, t_quantile
from analysis.statistics.null_models import WindowCounts


@dataclass(frozen=True)
class PersonaSway:
    """One persona: shares of yes in %, and its sway in pp.

    ``treatment``, ``control``: share of yes before and after, means over its runs of these arms;
    ``control`` is nan where there is none. Runs without a sway, or with a control without a partner
    that has one, are left out where others have one.
    """

    persona: str
    runs: int  # its treatment runs
    treatment: tuple[float, float]
    control: tuple[float, float]
    estimate: Estimate  # treatment minus control where there is a control, else after minus before


def by_persona(
    runs: Sequence[RunInfo], counts: Sequence[WindowCounts], control: str | None
) -> tuple[PersonaSway, ...]:
    """Sway of each persona, in the order of their ids, from one entry per run.

    ``control``: arm to subtract within pairs; ``None`` to take the treatment alone.
    """
    over = [difference_over_batches(unit.n, 100 * unit.yes) for unit in counts]
    whole = {at for at, unit in enumerate(counts) if unit.n.sum(1).all()}
    partners: Mapping[int, int] = dict(pair_up(runs, control)) if control else {}
    pairs = {t: c for t, c in partners.items() if {t, c} <= whole}
    told = []
    for persona in sorted({run.persona for run in runs}):
        mine = [i for i, run in enumerate(runs) if (run.persona, run.arm) == (persona, "treatment")]
        if not mine:
            continue
        used = [i for i in mine if i in (pairs if control else whole)]
        parts = [_less(over[i], over[pairs[i]]) if control else over[i] for i in used]
        lonely = bool(control) and not set(mine) & set(partners)
        told.append(
            PersonaSway(
                persona=persona,
                runs=len(mine),
                treatment=_means([counts[i] for i in used or mine]),
                control=_means([counts[pairs[i]] for i in used] if control else []),
                estimate=_mean(parts, lonely).within(*((-200, 200) if control else (-100, 100))),
            )
        )
    return tuple(told)


def _means(runs: Sequence[WindowCounts]) -> tuple[float, float]:
    """Mean share of yes of some runs, before and after, in %."""
    if not runs:
        return NAN, NAN
    before, after = np.mean([100 * run.share for run in runs], axis=0)
    return float(before), float(after)


def _less(one: Estimate, other: Estimate) -> Estimate:
    value = one.value - other.value
    if not (one.bounded and other.bounded):
        return Estimate(value, reason=one.reason or other.reason)
    return _combined(value, (one, other), 1.0)


def _mean(parts: Sequence[Estimate], lonely: bool) -> Estimate:
    if not parts:
        return Estimate(NAN, reason=f"no run {'with a partner' if lonely else 'has both windows'}")
    if len(parts) == 1:
        return parts[0]
    value = float(np.mean([part.value for part in parts]))
    unbounded = [part for part in parts if not part.bounded]
    if unbounded:
        return Estimate(value, reason=unbounded[0].reason)
    return _combined(value, parts, 1 / len(parts))


def _combined(value: float, parts: Sequence[Estimate], weight: float) -> Estimate:
    """Interval of a weighted sum of independent estimates.

    Student's t on the degrees of freedom of Welch and Satterthwaite (Biometrika 1947).
    """
    variances = np.array([(weight * part.se) ** 2 for part in parts])
    variance = float(variances.sum())
    df = variance**2 / float((variances**2 / [part.df for part in parts]).sum())
    se = math.sqrt(variance)
    half = t_quantile(0.95, df) * se
    return Estimate(
        value=value,
        low=value - half,
        high=value + half,
        method=f"Student's t, {df:.1f} degrees of freedom",
        clusters=sum(part.clusters for part in parts),
        df=df,
        se=se,
        p=t_p_value(value / se, df),
    )

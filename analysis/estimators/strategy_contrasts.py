"""ISQ minus Simple: what the second strategy changes, paired over personas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.estimators.iavg import Group
from analysis.statistics.estimate import Estimate
from analysis.statistics.intervals import t_interval

SIMPLE, ISQ = "simple", "isq"


@dataclass(frozen=True)
class StrategyContrast:
    """ISQ minus Simple of the same personas, on one platform with one model.

    Student's t over the personas' differences; a persona's runs are pooled (``iavg``).
    """

    platform: str
    model: str
    sway: Estimate  # in pp
    change: Estimate  # of I, in points of I's percentage, where both strategies have one
    personas: int  # that have runs under both strategies
    undefined: int  # of these, how many lack I under one strategy at least


def isq_minus_simple(groups: Sequence[Group]) -> tuple[StrategyContrast, ...]:
    """Contrast the strategies wherever one platform and model has both.

    ``groups``: of one arm.
    """
    by_name = {(one.platform, one.model, one.strategy): one for one in groups}
    return tuple(
        _contrast(by_name[platform, model, SIMPLE], isq)
        for (platform, model, strategy), isq in by_name.items()
        if strategy == ISQ and (platform, model, SIMPLE) in by_name
    )


def _contrast(simple: Group, isq: Group) -> StrategyContrast:
    first = {one.persona: one for one in simple.personas}
    pairs = [(first[one.persona], one) for one in isq.personas if one.persona in first]
    sway = np.array([b.sway - a.sway for a, b in pairs], dtype=np.float64)
    change = np.array([b.change - a.change for a, b in pairs], dtype=np.float64)
    return StrategyContrast(
        platform=isq.platform,
        model=isq.model,
        sway=_over_personas(sway, "pp").within(-200, 200),
        change=_over_personas(change, "%"),
        personas=len(pairs),
        undefined=sum(math.isnan(one) for one in change),
    )


def _over_personas(differences: np.ndarray, unit: str) -> Estimate:
    told = t_interval(differences, unit)
    if told.clusters > 1:
        return told
    why = "one persona has no spread over personas" if told.exists else "no persona has both"
    return replace(told, reason=why)

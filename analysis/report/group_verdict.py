"""The verdict of one platform, strategy and model: its primary estimate behind its gate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from analysis.data.exposures import RunInfo
from analysis.estimators.contrasts import Attrition, attrition, attrition_p_value, sways
from analysis.estimators.study_results import CONTROLS, Result
from analysis.report.gate_check import BLIND, GateCheck, GatedGroup
from analysis.report.last_look import at_last_look, gate_level, looks_first
from analysis.report.lost_runs_check import (
    attrition_check,
    declared_test_again,
    telling_losses,
    units_used,
)
from analysis.report.primary_outcome import Primary, control_arm, primary
from analysis.report.rejudgings import Rejudging, first_matrix, measure_rejudgings
from analysis.report.report_inputs import Material
from analysis.report.verdict_gate import gate
from analysis.statistics.estimate import NAN
from analysis.statistics.window_counts import WindowCounts


@dataclass(frozen=True, eq=False)
class GroupVerdict:
    """A primary estimate, the checks before it, and what both rest on.

    ``lost``, ``never``: attrition by arm, counted from the runs that were drawn, and how many never
    began. ``attrition_p``: Fisher's test that the arms lose runs alike.
    """

    control: str
    primary: Primary
    gate: tuple[GateCheck, ...]
    rejudged: tuple[Rejudging, ...]
    lost: tuple[Attrition, ...]
    never: Mapping[str, int]
    attrition_p: float


def judge_group(
    material: Material,
    result: Result,
    members: Sequence[int],
    units: Sequence[WindowCounts],
    rng: np.random.Generator,
) -> GroupVerdict:
    """Make the primary estimate of a group and its gate.

    ``members``: its runs, as indices into the material's; ``units``: their counts.
    """
    views = material.views
    runs = tuple(views.runs[index] for index in members)
    rejudged = measure_rejudgings(material, members, rng)
    if material.test.looks:
        rejudged = looks_first(rejudged)
    matrix = first_matrix(rejudged)
    pairs = list(zip(runs, units, strict=True))
    told = _as_drawn(
        material,
        primary(material.test, result, pairs, matrix, rng, material.null_runs.counts),
    )
    if material.test.looks:
        told = at_last_look(material, told, rejudged)
    control = control_arm(runs)
    lost, never = _lost(material, result, runs)
    by_arm = {entry.arm: entry for entry in lost}
    attrition_p = attrition_p_value(by_arm["treatment"], by_arm[control]) if control else NAN
    own = (one for one in rejudged if one.likeness == "same" and not one.told.split)
    split = next((one.blind for one in own if one.blind), None)
    groups = {(run.platform, run.strategy, run.model) for run in views.runs}
    alpha = material.test.alpha / len(groups)  # at most what Holm's correction asks
    alpha = gate_level(material) if told.look else alpha
    group = GatedGroup(material, tuple(members), told, alpha)
    checks = gate(group, matrix, split, next(iter(result.contrasts), None))
    sway = sways(units)
    losses = telling_losses(group, units_used(told, runs, sway, matrix))
    again = partial(declared_test_again, told, runs, sway, matrix, rng)
    last = attrition_check(group, lost, attrition_p, losses, again)
    return GroupVerdict(control, told, (*checks, last), rejudged, lost, never, attrition_p)


def _as_drawn(material: Material, told: Primary) -> Primary:
    """Take the p-value from what is exact by a draw alone, where nobody drew."""
    if told.design not in BLIND or material.drawn or math.isnan(told.p):
        return told
    reason = "nobody drew personas for these accounts"
    return replace(told, p=NAN, worst=(), estimate=replace(told.estimate, reason=reason))


def _lost(
    material: Material, result: Result, runs: Sequence[RunInfo]
) -> tuple[tuple[Attrition, ...], dict[str, int]]:
    """Attrition by arm; runs that were drawn and never began count as lost."""
    never: dict[str, int] = {}
    if material.study is not None:
        begun = {str(first.config.get("cell")) for first in material.started}
        for cell in material.study.planned:
            mine = (cell.platform, cell.strategy, cell.model) == (
                result.platform,
                result.strategy,
                result.model,
            )
            if mine and cell.key not in begun:
                never[cell.arm] = never.get(cell.arm, 0) + 1
    lost = [
        replace(
            entry,
            started=entry.started + never.get(entry.arm, 0),
            short=(*entry.short, *("never begun",) * never.get(entry.arm, 0)),
        )
        for entry in attrition(runs)
    ]
    present = {entry.arm for entry in lost}
    lost += [
        Attrition(arm, never[arm], 0, ("never begun",) * never[arm])
        for arm in ("treatment", *CONTROLS)
        if arm in never and arm not in present
    ]
    return tuple(lost), never
